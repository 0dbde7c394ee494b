package ingest

import (
	"fmt"
	"strings"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// badness watches the share of refused events of one partition over about its
// last thousand events. A producer that has begun to send what nobody can read
// must be noticed at once: a letter each would bury the good ones and tell
// nobody.
type badness struct {
	events, refused int
	byReason        map[decode.Reason]int
	sample          string
}

// badnessWindow is where the counts are halved, so that old events fade.
const badnessWindow = 1000

// badnessLeast is the least number of events that are judged.
const badnessLeast = 50

// add counts a stored batch.
func (n *badness) add(b *batch) {
	if n.events >= badnessWindow {
		n.events, n.refused = n.events/2, n.refused/2
		for reason := range n.byReason {
			n.byReason[reason] /= 2
		}
	}
	n.events += b.rows.Len() + b.rows.Tally().Skipped + b.dead()
	n.refused += b.dead()
	for _, l := range b.letters {
		if n.byReason == nil {
			n.byReason = map[decode.Reason]int{}
		}
		n.byReason[l.reason] += l.events
		n.sample = l.sample
	}
}

// over returns an error that parks the partition if more than a share of the
// events was refused, and then counts anew: after the pause as many events are
// looked at again.
func (n *badness) over(share float64) error {
	if n.events < badnessLeast || float64(n.refused) <= share*float64(n.events) {
		return nil
	}
	err := &badShareError{fmt.Sprintf("%d of its last %d events were refused (%s), which is above bad_share %g; for example %s", n.refused, n.events, n.reasons(), share, n.sample)}
	*n = badness{}
	return err
}

// reasons lists how often each reason came, the order is that of the reasons.
func (n *badness) reasons() string {
	var texts []string
	for _, reason := range decode.Reasons() {
		if count := n.byReason[reason]; count > 0 {
			texts = append(texts, fmt.Sprintf("%s %d", reason, count))
		}
	}
	return strings.Join(texts, ", ")
}

// badShareError pauses a partition: everything up to here is stored or a dead
// letter, and what follows waits in Kafka.
type badShareError struct{ text string }

func (e *badShareError) Error() string { return e.text }
