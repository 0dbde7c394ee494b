package ask

import (
	"encoding/json"
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Number is a float64 that JSON can hold: NaN and infinities are null.
type Number float64

// MarshalJSON writes null for what is no number.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

type answerJSON struct {
	Model      plumbline.Model        `json:"model"`
	Deploys    []plumbline.DeployHash `json:"deploys,omitempty"`
	Stage      plumbline.Stage        `json:"stage"`
	Segment    plumbline.Segment      `json:"segment"`
	From       time.Time              `json:"from"`
	To         time.Time              `json:"to"`
	Requests   uint64                 `json:"requests"`
	Deliveries uint64                 `json:"deliveries"`
	References []referenceJSON        `json:"references"`
	Rows       []rowJSON              `json:"rows"`
	Why        []Why                  `json:"why,omitempty"`
}

type referenceJSON struct {
	Reference  string `json:"reference"`
	Chosen     string `json:"chosen,omitempty"` // by auto
	Assumes    string `json:"assumes,omitempty"`
	Of         string `json:"of,omitempty"`
	Requests   uint64 `json:"requests"`
	Deliveries uint64 `json:"deliveries"`
	Missing    string `json:"missing,omitempty"`
	Note       string `json:"note,omitempty"`
}

type rowJSON struct {
	Series     plumbline.Series  `json:"series"`
	Feature    plumbline.Feature `json:"feature,omitempty"`
	Reference  string            `json:"reference"`
	Measure    measure.ID        `json:"measure"`
	Value      Number            `json:"value"`
	Bound      Number            `json:"bound"`
	Statistic  Number            `json:"statistic"`
	NullMean   Number            `json:"null_mean"`
	Debiased   Number            `json:"debiased"`
	Low        Number            `json:"low"`
	High       Number            `json:"high"`
	P          Number            `json:"p"`
	MinEffect  Number            `json:"min_effect"`
	Effect     Number            `json:"effect"`
	Method     measure.Method    `json:"method"`
	Assumes    string            `json:"assumes,omitempty"`
	References uint64            `json:"reference_count"`
	Count      uint64            `json:"count"`
	Design     float64           `json:"design_effect,omitempty"`
	Before     string            `json:"before,omitempty"`
	After      string            `json:"after,omitempty"`
	Verdict    string            `json:"verdict"`
	Why        string            `json:"why,omitempty"`
}

// design is 0, which is left out, where events are taken as independent.
func (r Row) design() float64 {
	if r.Design == 1 {
		return 0
	}
	return r.Design
}

// MarshalJSON writes the answer without the windows behind it. Numbers that say
// nothing are null.
func (a Answer) MarshalJSON() ([]byte, error) {
	out := answerJSON{
		Model: a.Model, Deploys: a.Deploys, Stage: a.Stage, Segment: a.Segment, From: a.From, To: a.To,
		Requests: a.Current.Requests, Deliveries: a.Current.Deliveries,
		References: make([]referenceJSON, len(a.References)), Rows: make([]rowJSON, len(a.Rows)), Why: a.Why,
	}
	for i, r := range a.References {
		out.References[i] = referenceJSON{
			Reference: r.Asked.String(), Of: r.Of, Requests: r.Window.Requests, Deliveries: r.Window.Deliveries, Missing: r.Missing, Note: r.Note,
		}
		if r.Choice != nil {
			out.References[i].Chosen, out.References[i].Assumes = r.Chosen.String(), r.Choice.Assumption
		}
	}
	for i, r := range a.Rows {
		out.Rows[i] = rowJSON{
			Series: r.Series, Feature: r.Feature, Reference: r.Reference, Measure: r.Measure,
			Value: Number(r.Value), Bound: Number(r.Bound), Statistic: Number(r.Statistic), NullMean: Number(r.NullMean), Debiased: Number(r.Debiased),
			Low: Number(r.Low), High: Number(r.High), P: Number(r.P), MinEffect: Number(r.MinEffect), Effect: Number(r.Effect()),
			Method: r.Method, Assumes: r.Assumption, References: r.ReferenceCount, Count: r.Count, Design: r.design(),
			Before: r.Before, After: r.After, Verdict: r.Verdict, Why: r.Why,
		}
	}
	return json.Marshal(out)
}
