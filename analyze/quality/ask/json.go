package ask

import (
	"encoding/json"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	drift "github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// number is a float64 whose NaN and infinities are null in JSON.
type number = drift.Number

type answerJSON struct {
	Model    plumbline.Model        `json:"model"`
	Deploys  []plumbline.DeployHash `json:"deploys,omitempty"`
	Stage    plumbline.Stage        `json:"stage"`
	Segment  plumbline.Segment      `json:"segment"`
	From     time.Time              `json:"from"`
	To       time.Time              `json:"to"`
	AsOf     *time.Time             `json:"as_of,omitempty"`
	Task     Task                   `json:"task"`
	Positive string                 `json:"positive,omitempty"`
	By       Grouping               `json:"by,omitempty"`
	Parts    []partJSON             `json:"parts"`
	Fairness []gapsJSON             `json:"fairness,omitempty"`
	Why      *whyJSON               `json:"why,omitempty"`
	Notes    []string               `json:"notes,omitempty"`
	Unjoined uint64                 `json:"unjoined_labels,omitempty"`
}

type partJSON struct {
	Name          string      `json:"name"`
	Requests      int64       `json:"requests"`
	Labelled      int64       `json:"labelled"`
	Rows          int64       `json:"rows"`
	LabelledShare number      `json:"labelled_share"`
	Metrics       []valueJSON `json:"metrics"`
	Matrix        []Count     `json:"confusion,omitempty"`
}

type valueJSON struct {
	Metric   metric.ID        `json:"metric"`
	Value    number           `json:"value"`
	Low      number           `json:"low"`
	High     number           `json:"high"`
	Bound    number           `json:"bound"`
	Unit     string           `json:"unit,omitempty"`
	Good     metric.Direction `json:"good,omitempty"`
	Labelled int64            `json:"labelled"`
	Verdict  metric.State     `json:"verdict"`
	Why      string           `json:"why,omitempty"`
}

type gapsJSON struct {
	Segment   string    `json:"segment"`
	Reference string    `json:"reference"`
	Gaps      []gapJSON `json:"gaps"`
	Missing   string    `json:"missing,omitempty"`
}

type gapJSON struct {
	Criterion  fairness.Criterion `json:"criterion"`
	Group      string             `json:"group"`
	With       string             `json:"with"`
	Share      number             `json:"share"`
	WithShare  number             `json:"with_share"`
	Difference valueJSON          `json:"difference"`
	Ratio      valueJSON          `json:"ratio"`
}

type whyJSON struct {
	Metric  metric.ID              `json:"metric"`
	From    time.Time              `json:"from"`
	To      time.Time              `json:"to"`
	Deploys []plumbline.DeployHash `json:"deploys,omitempty"`
	Ways    []wayJSON              `json:"ways"`
	Missing string                 `json:"missing,omitempty"`
}

type wayJSON struct {
	By     string      `json:"by"`
	Before number      `json:"before"`
	After  number      `json:"after"`
	Change number      `json:"change"`
	Mix    number      `json:"mix"`
	Rate   number      `json:"rate"`
	Spread number      `json:"spread"`
	Parts  []pieceJSON `json:"parts"`
}

type pieceJSON struct {
	Name        string `json:"name"`
	Total       number `json:"total"`
	Mix         number `json:"mix"`
	MixError    number `json:"mix_error"`
	Rate        number `json:"rate"`
	RateError   number `json:"rate_error"`
	BeforeShare number `json:"before_share"`
	AfterShare  number `json:"after_share"`
	BeforeRate  number `json:"before_rate"`
	AfterRate   number `json:"after_rate"`
}

// MarshalJSON writes the answer. Numbers that say nothing are null.
func (a Answer) MarshalJSON() ([]byte, error) {
	out := answerJSON{
		Model: a.Model, Deploys: a.Deploys, Stage: a.Stage, Segment: a.Segment, From: a.From, To: a.To, Task: a.Task, Positive: a.Positive, By: a.By,
		Parts: make([]partJSON, len(a.Parts)), Notes: a.Notes, Unjoined: a.Unjoined,
	}
	if !a.AsOf.IsZero() {
		out.AsOf = &a.AsOf
	}
	for i, p := range a.Parts {
		out.Parts[i] = partJSON{p.Name, p.Requests, p.Labelled, p.Rows, number(p.LabelledShare()), make([]valueJSON, len(p.Values)), p.Matrix}
		for j, v := range p.Values {
			out.Parts[i].Metrics[j] = v.json()
		}
	}
	for _, g := range a.Fairness {
		out.Fairness = append(out.Fairness, g.json())
	}
	if a.Why != nil {
		why := a.Why.json()
		out.Why = &why
	}
	return json.Marshal(out)
}

func (v Value) json() valueJSON {
	return valueJSON{v.Metric, number(v.Value.Value), number(v.Low), number(v.High), number(v.Bound), v.Unit, v.Good, v.Labelled, v.State, v.Why}
}

func (g Gaps) json() gapsJSON {
	out := gapsJSON{g.Segment, g.Reference, make([]gapJSON, len(g.Gaps)), g.Missing}
	for i, gap := range g.Gaps {
		out.Gaps[i] = gapJSON{gap.Criterion, gap.Group, gap.With, number(gap.Share), number(gap.WithShare), Value{Value: gap.Difference}.json(), Value{Value: gap.Ratio}.json()}
	}
	return out
}

func (w Why) json() whyJSON {
	out := whyJSON{w.Metric, w.From, w.To, w.Deploys, make([]wayJSON, len(w.Ways)), w.Missing}
	for i, way := range w.Ways {
		out.Ways[i] = wayJSON{way.By, number(way.Before), number(way.After), number(way.Change), number(way.Mix), number(way.Rate), number(way.Spread), make([]pieceJSON, len(way.Parts))}
		for j, p := range way.Parts {
			out.Ways[i].Parts[j] = pieceJSON{p.Name, number(p.Total), number(p.Mix), number(p.MixError), number(p.Rate), number(p.RateError),
				number(p.BeforeShare), number(p.AfterShare), number(p.BeforeRate), number(p.AfterRate)}
		}
	}
	return out
}
