package ingesthttp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// kind is one of the kinds of events.
type kind struct {
	name decode.Kind // as in the path, and in metrics
	// topic takes our own JSON; empty if no topic does.
	topic string
	// arrow is the source that takes Arrow streams; its topic is empty if none
	// does.
	arrow decode.Source
	new   func(decode.Limits) decoder
}

// kindOf finds the topics that take events of a kind: the usual one if it is of
// the format, else the first source that is.
func kindOf(name decode.Kind, usual string, sources []decode.Source, decoder func(decode.Limits) decoder) kind {
	find := func(format decode.Format) (found decode.Source) {
		for _, s := range sources {
			if s = s.WithDefaults(); s.Format != format || !slices.Equal(s.Holds, []decode.Kind{name}) {
				continue
			}
			if s.Topic == usual {
				return s
			}
			if found.Topic == "" {
				found = s
			}
		}
		return found
	}
	return kind{name: name, topic: find(decode.FormatJSON).Topic, arrow: find(decode.FormatArrow), new: decoder}
}

// decoder checks events. key returns the record key of the last good one; it is
// valid until the next.
type decoder struct {
	check func(decode.Record) error
	key   func() []byte
}

func newPredictions(limits decode.Limits) decoder {
	p := decode.NewJSONPredictions(limits)
	return decoder{p.Append, func() []byte { return p.ID.At(p.Len() - 1) }}
}

func newLabels(limits decode.Limits) decoder {
	l := decode.NewJSONLabels(limits)
	return decoder{l.Append, func() []byte { return l.ID.At(l.Len() - 1) }}
}

func newDeployments(limits decode.Limits) decoder {
	d := decode.NewJSONDeployments(limits)
	return decoder{d.Append, func() []byte { return d.Model.At(d.Len() - 1) }}
}

func newKPIs(limits decode.Limits) decoder {
	k := decode.NewJSONKPIs(limits)
	return decoder{k.Append, func() []byte { return k.Model.At(k.Len() - 1) }}
}

// place says which event of a body is meant.
type place struct {
	// Line is the line of the body where the event begins, from 1. A body of
	// Arrow has none.
	Line int `json:"line,omitempty"`
	// Event is its number among the body's events, from 1; of Arrow, its row.
	Event int `json:"event"`
}

// rejection is one refused event.
type rejection struct {
	place
	Reason string `json:"reason"` // one of decode.Reasons
	Field  string `json:"field,omitempty"`
	Fix    string `json:"fix"`
}

// record is what goes to Kafka as one: a good event, or an Arrow stream of them.
type record struct {
	places     []place
	key, value []byte
}

// check sorts events into records and rejections, both in the body's order.
func check(d decoder, events []event, known int64) (records []record, rejected []rejection) {
	places := make([]place, len(events))
	for i, e := range events {
		at := place{e.line, i + 1}
		err := checkOne(d, e, known)
		if err == nil {
			places[i] = at
			records = append(records, record{places[i : i+1], append([]byte(nil), d.key()...), e.value})
			continue
		}
		rejected = append(rejected, newRejection(at, err))
	}
	return records, rejected
}

func checkOne(d decoder, e event, known int64) (err error) {
	if e.fault != "" {
		return &decode.Error{Reason: decode.Unparsable, Hint: e.fault}
	}
	defer func() {
		if p := recover(); p != nil {
			err = &decode.Error{Reason: decode.Unparsable, Hint: fmt.Sprintf("the decoder panicked, which is a bug of plumbline: %v", p)}
		}
	}()
	return d.check(decode.Record{Known: known, Value: e.value})
}

func newRejection(at place, err error) rejection {
	var refused *decode.Error
	if !errors.As(err, &refused) {
		refused = &decode.Error{Reason: decode.Unparsable, Hint: err.Error()}
	}
	return rejection{at, refused.Reason.String(), short(refused.Field), short(refused.Hint)}
}

// maxEcho is how much of a text that a producer may have chosen is answered, in
// bytes: the name of a field can be as long as the event.
const maxEcho = 300

func short(text string) string {
	if len(text) > maxEcho {
		text = text[:maxEcho] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
