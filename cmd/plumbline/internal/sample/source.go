package sample

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// Envelope is what a record has beside its value.
type Envelope struct {
	Key    []byte
	Fields []Header
}

// Header is a header of a record.
type Header struct{ Name, Value string }

// Headers gives them in their order.
func (e Envelope) Headers() iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		for _, h := range e.Fields {
			if !yield([]byte(h.Name), []byte(h.Value)) {
				return
			}
		}
	}
}

// CheckSource reads records as ingest would read those of a topic, whatever
// their shape: one record a line, or, where the text is a single JSON document
// or no JSON at all, one record. A record may hold several events, or none. All
// have the same envelope.
func CheckSource(text []byte, around Envelope, source decode.Source, at time.Time, limits decode.Limits, stored *Stored) (Report, error) {
	if err := source.Validate(); err != nil {
		return Report{}, err
	}
	columns := source.Columns(limits)
	d, err := source.Open(columns)
	if err != nil {
		return Report{}, err
	}
	s := sourced{source: source, limits: limits, decoder: d, columns: columns, stored: stored, around: around, at: at}
	for i, line := range records(text) {
		if len(bytes.TrimSpace(line)) > 0 {
			s.read(i+1, line)
		}
	}
	if len(s.report.Events) == 0 {
		return Report{}, ErrNone
	}
	fromHeaders := source.Format == decode.FormatKServe || source.Format == decode.FormatSeldon
	if fromHeaders && s.report.Refused() > 0 && len(around.Fields) == 0 {
		s.report.Hints = append(s.report.Hints, "the platform says some of this in the record's headers: give them as --header NAME=VALUE, and the key as --key")
	}
	return s.report, nil
}

// records splits a text of JSON lines.
func records(text []byte) [][]byte {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
		return [][]byte{text} // Avro and the like
	}
	if json.Valid(trimmed) {
		return [][]byte{trimmed}
	}
	return bytes.Split(trimmed, []byte("\n"))
}

type sourced struct {
	source  decode.Source
	limits  decode.Limits
	decoder decode.Decoder
	columns decode.Columns
	stored  *Stored
	around  Envelope
	at      time.Time
	report  Report
}

func (s *sourced) read(line int, value []byte) {
	s.columns.Reset()
	err := s.decoder.Append(s.record(line, value))
	var whole *decode.Error
	var some *decode.Refusals
	events := s.rows(line)
	switch {
	case errors.As(err, &some):
		for _, r := range some.Events {
			events = append(events, Event{Line: line, Refused: r.Error, Hints: s.advice(r.Error, line, value)})
		}
	case errors.As(err, &whole):
		events = append(events, Event{Line: line, Refused: whole, Hints: s.advice(whole, line, value)})
	case err != nil:
		events = append(events, Event{Line: line, Refused: &decode.Error{Reason: decode.Unparsable, Hint: err.Error()}})
	}
	skipped := s.columns.Tally().Skipped
	if len(events) == 0 {
		skipped = max(skipped, 1)
	}
	for range skipped {
		events = append(events, Event{Line: line, Skipped: s.whySkipped(value)})
	}
	s.report.Events = append(s.report.Events, events...)
}

func (s *sourced) record(line int, value []byte) decode.Record {
	return decode.Record{Offset: int64(line), Known: s.at.UnixMilli(), Key: s.around.Key, Value: value, Headers: s.around}
}

// rows describes every row of the record that was read last.
func (s *sourced) rows(line int) []Event {
	var all []Event
	if p := s.columns.Predictions; p != nil {
		for i := range p.Len() {
			all = append(all, Event{Line: line, Fields: s.stored.prediction(p, i), Hints: valueHints(p, i)})
		}
	}
	if l := s.columns.Labels; l != nil {
		for i := range l.Len() {
			all = append(all, Event{Line: line, Fields: s.stored.ofLabel(l, i)})
		}
	}
	if d := s.columns.Deployments; d != nil {
		for i := range d.Len() {
			all = append(all, Event{Line: line, Fields: deployments{&decode.JSONDeployments{Deployments: d}}.row(i)})
		}
	}
	if k := s.columns.KPIs; k != nil {
		for i := range k.Len() {
			all = append(all, Event{Line: line, Fields: s.stored.ofKPI(k, i)})
		}
	}
	if len(all) > 0 && s.columns.Tally().Unknown > 0 {
		all[0].Hints = append(all[0].Hints, "the record holds values that are left out, such as nested features; they are counted as unknown fields")
	}
	return all
}
