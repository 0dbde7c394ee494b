package forecast

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	drift "github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Path is where Handler is mounted.
const Path = "/api/v1/maturity"

const (
	answerWithin = time.Minute
	mostQuery    = 8 << 10 // bytes
)

// Handler answers GET requests with the JSON of a Maturity. The parameters are
// those of Params: window any number of times. A parameter that cannot be used is
// a 400 that names each, a model of which nothing is counted a 404. At most three
// questions are answered at a time, the next is a 503 that says when to come
// again, and one that takes longer than a minute a 504. What goes wrong inside is
// logged and a 500. Access is the listener's to protect.
func Handler(asker Asker, log *slog.Logger) http.Handler {
	return &serve.Handler[Asked]{
		About: "maturity", Source: "counts of labels", Less: "fewer windows",
		Read: func(query string) (Asked, error) {
			p, err := paramsOf(query)
			if err != nil {
				return Asked{}, err
			}
			return p.Asked(asker.now())
		},
		Answer: func(ctx context.Context, q Asked) (any, error) { return asker.Ask(ctx, q) },
		Status: func(err error) int {
			if errors.Is(err, ErrUnknown) {
				return http.StatusNotFound
			}
			return 0
		},
		Within: answerWithin, Longest: mostQuery, Turns: make(chan struct{}, serve.MostAtOnce), Log: log,
	}
}

// paramsOf reads a query string.
func paramsOf(raw string) (Params, error) {
	var p Params
	err := serve.Parameters{
		Texts: map[string]*string{"model": &p.Model, "share": &p.Share, "at": &p.At},
		Lists: map[string]*[]string{"window": &p.Windows},
	}.Read(raw)
	return p, err
}

type windowJSON struct {
	Deploy      plumbline.DeployHash `json:"deploy,omitempty"`
	From        time.Time            `json:"from"`
	To          time.Time            `json:"to"`
	Predictions int64                `json:"predictions"`
	Labels      int64                `json:"labels"`
	Expected    drift.Number         `json:"expected"`
	Maturity    drift.Number         `json:"maturity"`
	Low         drift.Number         `json:"low"`
	High        drift.Number         `json:"high"`
	MatureAt    *time.Time           `json:"mature_at"`
	State       string               `json:"state"`
	Why         string               `json:"why,omitempty"`
}

type delayJSON struct {
	Stratum     string       `json:"stratum"`
	Predictions int64        `json:"predictions"`
	Ever        drift.Number `json:"ever"`
	EverError   drift.Number `json:"ever_error"`
	Settled     bool         `json:"settled"`
	HalfIn      drift.Number `json:"half_in_seconds"`
	MostIn      drift.Number `json:"nine_tenths_in_seconds"`
}

// MarshalJSON writes delays in seconds, and null for what is not known.
func (m Maturity) MarshalJSON() ([]byte, error) {
	out := struct {
		Model   plumbline.Model `json:"model"`
		At      time.Time       `json:"at"`
		Newest  *time.Time      `json:"uncounted_until,omitempty"`
		Known   int             `json:"uncounted_label_hours,omitempty"`
		Open    int64           `json:"uncounted_labels_of_this_hour,omitempty"`
		After   *time.Time      `json:"counted_after,omitempty"`
		Waiting uint64          `json:"unjoined_labels,omitempty"`
		Strata  string          `json:"strata"`
		Share   float64         `json:"share"`
		Windows []windowJSON    `json:"windows"`
		Delays  []delayJSON     `json:"delays"`
	}{Model: m.Model, At: m.At, Known: m.Uncounted.Known, Open: m.Uncounted.Open, Waiting: m.Unjoined, Strata: m.Strata.String(), Share: m.Share, Windows: []windowJSON{}, Delays: []delayJSON{}}
	if !m.Newest.IsZero() {
		out.Newest = &m.Newest
	}
	if !m.CountedAfter.IsZero() {
		out.After = &m.CountedAfter
	}
	for _, w := range m.Windows {
		j := windowJSON{Deploy: w.Deploy, From: w.From, To: w.To, Predictions: w.Known + w.Waiting, Labels: w.Known, Expected: drift.Number(w.Ever),
			Maturity: drift.Number(w.Maturity), Low: drift.Number(w.Low), High: drift.Number(w.High), State: w.State, Why: w.Why}
		if !w.MatureAt.IsZero() {
			j.MatureAt = &w.MatureAt
		}
		out.Windows = append(out.Windows, j)
	}
	for _, d := range m.Delays {
		out.Delays = append(out.Delays, delayJSON{Stratum: d.Title, Predictions: d.Curve.Predictions, Ever: drift.Number(d.Curve.Ever()), EverError: drift.Number(d.Curve.Error(math.MaxInt64)),
			Settled: d.Curve.Settled(), HalfIn: drift.Number(seconds(d.Half)), MostIn: drift.Number(seconds(d.Most))})
	}
	return json.Marshal(out)
}
