package ask

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Path is where Handler is mounted.
const Path = "/api/v1/drift"

// Handler answers GET requests with the JSON of an Answer. The parameters are
// those of Params, reference, deploy, measure, feature and series any number of
// times. A parameter that cannot be used, that nobody knows, or that makes the
// question read more than 2500 days of rollups is a 400 whose text names each and
// says how to write it. At most three questions are answered at a time, the next
// is a 503 that says when to come again, and a question that takes longer than
// two minutes is a 504. What goes wrong inside is logged and a 500. Access is the
// listener's to protect.
func Handler(asker *Asker, log *slog.Logger) http.Handler {
	return newHandler(asker, log, serve.Within)
}

func newHandler(asker *Asker, log *slog.Logger, within time.Duration) *serve.Handler[Question] {
	return &serve.Handler[Question]{
		About: "drift", Source: "rollups", Less: "fewer references or features",
		Read:   asker.question,
		Answer: func(ctx context.Context, q Question) (any, error) { return asker.Ask(ctx, q) },
		Status: func(error) int { return 0 },
		Within: within, Longest: serve.LongQuery, Turns: make(chan struct{}, serve.MostAtOnce), Log: log,
	}
}

// question reads a query string; every error is the client's.
func (a *Asker) question(raw string) (Question, error) {
	params, err := paramsOf(raw)
	if err != nil {
		return Question{}, err
	}
	q, err := params.Question(a.now())
	if err != nil {
		return Question{}, err
	}
	if q, err = q.settled(); err != nil {
		return Question{}, err
	}
	return q, q.affordable()
}

// paramsOf reads a query string.
func paramsOf(raw string) (Params, error) {
	var p Params
	err := serve.Parameters{
		Texts: map[string]*string{"model": &p.Model, "window": &p.Window, "to": &p.To, "segment": &p.Segment, "stage": &p.Stage},
		Lists: map[string]*[]string{"reference": &p.References, "deploy": &p.Deploys, "measure": &p.Measures, "feature": &p.Features, "series": &p.Series},
		Flags: map[string]*bool{"why": &p.Why},
	}.Read(raw)
	return p, err
}
