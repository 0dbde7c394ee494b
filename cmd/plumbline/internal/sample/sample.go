package sample

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// Kind is a kind of event.
type Kind string

// The kinds.
const (
	Prediction Kind = "prediction"
	Label      Kind = "label"
	Deployment Kind = "deployment"
	KPI        Kind = "kpi"
)

// Field is one thing that was understood.
type Field struct{ Name, Value string }

// Event is what was found out about one event.
type Event struct {
	// Line is where it begins, counted from 1.
	Line   int
	Fields []Field
	// Refused is the decoder's reason, or nil if the event is accepted. Then
	// Fields is empty.
	Refused *decode.Error
	// Skipped says why the record, or a part of it, is no event of the topic; empty
	// if it is one. It is neither accepted nor refused.
	Skipped string
	Hints   []string
}

// Report is what was found out about all of them.
type Report struct {
	Events []Event
	// Hints are about the events together.
	Hints []string
}

// Refused returns how many events were refused.
func (r Report) Refused() (n int) {
	for _, e := range r.Events {
		if e.Refused != nil {
			n++
		}
	}
	return n
}

// Skipped returns how many records, or parts of them, hold no event of the topic.
func (r Report) Skipped() (n int) {
	for _, e := range r.Events {
		if e.Skipped != "" {
			n++
		}
	}
	return n
}

// Accepted returns how many events would be stored.
func (r Report) Accepted() int { return len(r.Events) - r.Refused() - r.Skipped() }

// ErrNone says that the input holds no event.
var ErrNone = errors.New("no event: send one JSON object a line")

// decoder is one of ingest's decoders, with its columns written out.
type decoder interface {
	Append(decode.Record) error
	// describe writes out the row that was appended last.
	describe() []Field
	// unknown is how many unknown top-level fields the rows have.
	unknown() int
	known() []string
}

// Check reads events as ingest would if their Kafka timestamp were at, and shows what
// is stored of them. The text holds one event a line, or one event over many lines. An unknown kind and a
// text without an event are errors; a refused event is not.
func Check(text []byte, kind Kind, at time.Time, limits decode.Limits, stored *Stored) (Report, error) {
	var d decoder
	switch kind {
	case Prediction:
		d = predictions{decode.NewJSONPredictions(limits)}
	case Label:
		d = labels{decode.NewJSONLabels(limits)}
	case Deployment:
		d = deployments{decode.NewJSONDeployments(limits)}
	case KPI:
		d = kpis{decode.NewJSONKPIs(limits)}
	default:
		return Report{}, fmt.Errorf("kind %q: take prediction, label, deployment or kpi", kind)
	}
	var report Report
	together := newTogether(kind)
	for i, line := range events(text) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		report.Events = append(report.Events, check(d, stored, together, i+1, line, at))
	}
	if len(report.Events) == 0 {
		return Report{}, ErrNone
	}
	report.Hints = together.hints()
	return report, nil
}

// events splits a text into lines, unless it is one object over many lines.
func events(text []byte) [][]byte {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
		return [][]byte{trimmed}
	}
	return bytes.Split(text, []byte("\n"))
}

func check(d decoder, stored *Stored, all *together, line int, value []byte, at time.Time) Event {
	e := Event{Line: line}
	before := d.unknown()
	err := d.Append(decode.Record{Offset: int64(line), Known: at.UnixMilli(), Value: value})
	raw := parse(value)
	if err != nil {
		if !errors.As(err, &e.Refused) {
			e.Refused = &decode.Error{Reason: decode.Unparsable, Hint: err.Error()}
		}
		e.Hints = append(advice(e.Refused, raw, at), unknownFields(raw, d.known(), 0)...)
		return e
	}
	e.Fields = stored.describe(d)
	e.Hints = append(unknownFields(raw, d.known(), d.unknown()-before), timeHint(d, at)...)
	e.Hints = append(e.Hints, all.add(d)...)
	if _, sent := raw["stage"]; raw != nil && !sent && slices.Contains(d.known(), "stage") {
		e.Hints = append(e.Hints, "no stage: production is assumed")
	}
	return e
}

// parse is the event as encoding/json reads it, for hints only; nil where it
// does not, for example because of a NaN.
func parse(value []byte) map[string]json.RawMessage {
	var raw map[string]json.RawMessage
	if json.Unmarshal(value, &raw) != nil {
		return nil
	}
	return raw
}
