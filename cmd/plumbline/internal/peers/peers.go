package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/rows"
)

// Options say how to speak.
type Options struct {
	Peer dialect.Name
	// Measures replace the peer's defaults.
	Measures []dialect.Measure
	// Chunks say how NannyML cuts rows.
	Chunks dialect.Chunks
	// Features are the columns; none means all.
	Features []plumbline.Feature
	// Positive is the class that the score is the probability of. Empty: of the
	// two classes of the reference's labels the one whose scores are higher.
	Positive string
}

// Validate returns every mistake of the options at once.
func (o Options) Validate() error {
	peer, err := dialect.Lookup(o.Peer)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range o.Measures {
		if !peer.Knows(m) {
			errs = append(errs, fmt.Errorf("dialect %s has no measure %q: it has %v", peer.Name, m, peer.Measures))
		}
	}
	if o.Chunks.Size < 0 {
		errs = append(errs, fmt.Errorf("chunks of %d rows: must be positive", o.Chunks.Size))
	}
	if (o.Chunks.Size > 0 || o.Positive != "") && peer.Name != dialect.NannyML {
		errs = append(errs, fmt.Errorf("dialect %s knows neither chunks nor a positive class: only %s does", peer.Name, dialect.NannyML))
	}
	return errors.Join(errs...)
}

// Report is what a peer says of one window against one reference.
type Report struct {
	Peer dialect.Peer
	// Reference is spelled as it was asked for.
	Reference string
	// ReferenceRows of ReferenceTotal raw rows, and Rows of Total, were read.
	ReferenceRows, Rows   int
	ReferenceTotal, Total uint64
	// ReferenceDeliveries and Deliveries are what the rollups count; they exceed
	// the totals where raw rows have expired, or were sampled or left out.
	ReferenceDeliveries, Deliveries uint64
	Columns                         []Column
	// Dataset is the peer's verdict on all columns together; empty if it has none.
	Dataset string
	// Performance is NannyML's estimate, and NoPerformance why there is none;
	// both empty for other peers.
	Performance   []Estimate
	NoPerformance string
}

// Column is one column by one measure, of one chunk where the peer has chunks.
type Column struct {
	Feature plumbline.Feature
	// Chunk is empty for all rows.
	Chunk string
	dialect.Score
	// Refused says why the peer says nothing; Score is then zero.
	Refused string
}

// Estimate is an estimated metric of one chunk.
type Estimate struct {
	Chunk string
	dialect.Estimate
}

// Verdict is the peer's, in one word.
func (c Column) Verdict() string {
	switch {
	case c.Refused != "":
		return "refused"
	case math.IsNaN(c.Value):
		return "undefined"
	case math.IsNaN(c.Threshold) && c.Measure != dialect.ChiSquare:
		return "no threshold"
	}
	return alert(c.Alert)
}

func alert(is bool) string {
	if is {
		return "alert"
	}
	return "ok"
}

// Speak computes the report. What a peer refuses is a line of the report, not an
// error.
func Speak(reference, current rows.Table, o Options) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	peer, err := dialect.Lookup(o.Peer)
	if err != nil {
		return Report{}, err
	}
	r := Report{Peer: peer, ReferenceRows: reference.Len(), Rows: current.Len(), ReferenceTotal: reference.Total, Total: current.Total}
	features := o.Features
	if len(features) == 0 {
		features = slices.Compact(slices.Sorted(slices.Values(slices.Concat(reference.Features(), current.Features()))))
	}
	var whole []dialect.Score
	for _, f := range features {
		columns := speak(reference, current, f, o)
		r.Columns = append(r.Columns, columns...)
		if columns[0].Refused == "" {
			whole = append(whole, columns[0].Score)
		}
	}
	if o.Peer == dialect.Evidently && len(o.Measures) == 0 {
		r.Dataset = alert(dialect.EvidentlyDataset(whole))
	}
	if o.Peer == dialect.NannyML {
		r.performance(reference, current, o)
	}
	return r, nil
}

// speak says what the peer says of one column.
func speak(reference, current rows.Table, f plumbline.Feature, o Options) []Column {
	refuse := func(err error) []Column { return []Column{{Feature: f, Refused: err.Error()}} }
	before, err := column(reference, f)
	if err != nil {
		return refuse(fmt.Errorf("reference: %w", err))
	}
	after, err := column(current, f)
	if err != nil {
		return refuse(fmt.Errorf("window: %w", err))
	}
	readings, err := dialect.Judge(o.Peer, before, after, o.Chunks, o.Measures...)
	if err != nil {
		return refuse(err)
	}
	var all []Column
	for _, reading := range readings {
		c := Column{Feature: f, Score: reading.Score}
		if (reading.Chunk != dialect.Chunk{}) {
			c.Chunk = reading.Chunk.Key()
		}
		all = append(all, c)
	}
	return all
}

// column is a feature as a peer sees it: of one kind.
func column(t rows.Table, f plumbline.Feature) (dialect.Column, error) {
	numbers, isNumber := t.Numbers[f]
	words, isWord := t.Words[f]
	switch {
	case isNumber && isWord:
		return dialect.Column{}, errors.New("the column holds numbers and words: a peer's column has one type")
	case isNumber:
		return dialect.Numeric(numbers), nil
	case isWord:
		return dialect.Categorical(words.Values, words.Null)
	}
	return dialect.Column{}, errors.New("no row has a value")
}

type reportJSON struct {
	Dialect        dialect.Name     `json:"dialect"`
	Version        string           `json:"version"`
	Fidelity       dialect.Fidelity `json:"fidelity"`
	Source         string           `json:"source"`
	Reference      string           `json:"reference"`
	ReferenceRows  int              `json:"reference_rows"`
	ReferenceTotal uint64           `json:"reference_total"`
	Rows           int              `json:"rows"`
	Total          uint64           `json:"total"`
	// What the rollups count.
	ReferenceDeliveries uint64         `json:"reference_deliveries"`
	Deliveries          uint64         `json:"deliveries"`
	Columns             []columnJSON   `json:"columns"`
	Dataset             string         `json:"dataset,omitempty"`
	Performance         []estimateJSON `json:"performance,omitempty"`
	NoPerformance       string         `json:"no_performance,omitempty"`
}

type columnJSON struct {
	Feature   plumbline.Feature `json:"feature"`
	Chunk     string            `json:"chunk,omitempty"`
	Measure   dialect.Measure   `json:"measure,omitempty"`
	Value     ask.Number        `json:"value"`
	P         ask.Number        `json:"p"`
	Threshold ask.Number        `json:"threshold"`
	Verdict   string            `json:"verdict"`
	Refused   string            `json:"refused,omitempty"`
}

type estimateJSON struct {
	Chunk         string              `json:"chunk"`
	Metric        dialect.Performance `json:"metric"`
	Value         ask.Number          `json:"value"`
	SamplingError ask.Number          `json:"sampling_error"`
	Low           ask.Number          `json:"low"`
	High          ask.Number          `json:"high"`
	Lower         ask.Number          `json:"lower_threshold"`
	Upper         ask.Number          `json:"upper_threshold"`
	Verdict       string              `json:"verdict"`
}

// MarshalJSON writes the report; numbers that say nothing are null.
func (r Report) MarshalJSON() ([]byte, error) {
	out := reportJSON{
		Dialect: r.Peer.Name, Version: r.Peer.Version, Fidelity: r.Peer.Fidelity, Source: r.Peer.Source, Reference: r.Reference,
		ReferenceRows: r.ReferenceRows, ReferenceTotal: r.ReferenceTotal, Rows: r.Rows, Total: r.Total,
		ReferenceDeliveries: r.ReferenceDeliveries, Deliveries: r.Deliveries,
		Columns: []columnJSON{}, Dataset: r.Dataset, NoPerformance: r.NoPerformance,
	}
	for _, c := range r.Columns {
		line := columnJSON{Feature: c.Feature, Chunk: c.Chunk, Measure: c.Measure, Value: ask.Number(c.Value), P: ask.Number(c.P), Threshold: ask.Number(c.Threshold), Verdict: c.Verdict(), Refused: c.Refused}
		if c.Refused != "" {
			line.Value, line.P, line.Threshold = ask.Number(math.NaN()), ask.Number(math.NaN()), ask.Number(math.NaN())
		}
		out.Columns = append(out.Columns, line)
	}
	for _, e := range r.Performance {
		out.Performance = append(out.Performance, estimateJSON{
			Chunk: e.Chunk, Metric: e.Metric, Value: ask.Number(e.Value), SamplingError: ask.Number(e.SamplingError), Low: ask.Number(e.Low), High: ask.Number(e.High),
			Lower: ask.Number(e.Lower), Upper: ask.Number(e.Upper), Verdict: alert(e.Alert),
		})
	}
	return json.Marshal(out)
}
