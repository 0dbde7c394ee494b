package relay

import (
	"strconv"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/alerting"
)

// A peer that is gone waits for what may still be news to it, however many deploys
// have come and gone meanwhile.
func TestQueueOfAPeerThatIsGoneIsBounded(t *testing.T) {
	const keep, deploys = 5 * 24 * time.Hour, 100
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	alert := func(deploy int, ends time.Time) alerting.Alert {
		return alerting.Alert{Labels: map[string]string{"deploy_hash": strconv.Itoa(deploy)}, StartsAt: ends.Add(-time.Hour), EndsAt: ends}
	}
	p, term := newPeer("http://gone", keep), alerting.Term{Share: "g", Number: 1}
	for n := range deploys { // one a day
		now := noon.Add(time.Duration(n) * 24 * time.Hour)
		p.put(term, []alerting.Alert{alert(n, now)}, now)
		if len(p.waiting) > 6 {
			t.Fatalf("day %d: %d alerts wait", n, len(p.waiting))
		}
	}
	last := noon.Add((deploys - 1) * 24 * time.Hour)
	for _, c := range []struct {
		name  string
		after time.Duration // of the last end
		put   []alerting.Alert
		waits int
	}{
		{"as long as it is news", keep, nil, 1},
		{"no longer", keep + sweepEvery, nil, 0},
		{"what came too late", keep + 2*sweepEvery, []alerting.Alert{alert(1, noon)}, 0},
		{"an end behind which it fires again", keep + 3*sweepEvery, []alerting.Alert{alert(1, noon), alert(1, last.Add(2*keep))}, 1},
	} {
		p.put(term, c.put, last.Add(c.after))
		n := 0
		for _, items := range p.waiting {
			n += len(items)
		}
		if n != c.waits {
			t.Errorf("%s: %d wait, want %d", c.name, n, c.waits)
		}
	}
	if _, taken := p.batch(); len(taken) != 1 {
		t.Errorf("%d are sent, want what fires", len(taken))
	}
}
