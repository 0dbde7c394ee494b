package ask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Path is where Handler is mounted.
const Path = "/api/v1/quality"

// longestServed bounds the windows of a question over HTTP: labelled predictions
// are read row by row.
const longestServed = 92 * day

// Handler answers GET requests with the JSON of an Answer. The parameters are
// those of Params: deploy, metric and feature any number of times; as_of for the
// flag --as-of. A parameter that cannot be used, that nobody knows, or that asks
// about more than 92 days or 20 million labels is a 400 whose text names each and
// says how to write it; a model or a deploy without predictions is a 404. At most three questions are answered at a time, the next
// is a 503 that says when to come again, and a question that takes longer than
// two minutes is a 504. What goes wrong inside is logged and a 500. Access is the
// listener's to protect.
func Handler(asker *Asker, log *slog.Logger) http.Handler {
	return newHandler(asker, log, serve.Within)
}

func newHandler(asker *Asker, log *slog.Logger, within time.Duration) *serve.Handler[Question] {
	return &serve.Handler[Question]{
		About: "quality", Source: "labels", Less: "fewer metrics",
		Read:   asker.question,
		Answer: func(ctx context.Context, q Question) (any, error) { return asker.Reply(ctx, q) },
		Status: func(err error) int {
			if _, nobody := errors.AsType[NobodyError](err); nobody {
				return http.StatusNotFound
			}
			if _, wrong := errors.AsType[ParameterError](err); wrong {
				return http.StatusBadRequest
			}
			return 0
		},
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
	if length := q.To.Sub(q.From); length > longestServed {
		return Question{}, ParameterError{Name: "window", Err: fmt.Errorf("%s to %s: at most 92d over HTTP; the command line takes longer ones", spell(q.From), spell(q.To))}
	}
	if q.Why != nil && q.Why.To.Sub(q.Why.From) > longestServed {
		return Question{}, ParameterError{Name: "against", Err: fmt.Errorf("%s to %s: at most 92d over HTTP", spell(q.Why.From), spell(q.Why.To))}
	}
	return q, nil
}

// paramsOf reads a query string.
func paramsOf(raw string) (Params, error) {
	var p Params
	err := serve.Parameters{
		Texts: map[string]*string{
			"model": &p.Model, "window": &p.Window, "from": &p.From, "to": &p.To, "as_of": &p.AsOf, "segment": &p.Segment, "stage": &p.Stage, "by": &p.By,
			"task": &p.Task, "positive": &p.Positive, "expr": &p.Expr, "against": &p.Against,
		},
		Lists: map[string]*[]string{"deploy": &p.Deploys, "metric": &p.Metrics, "feature": &p.Features},
		Flags: map[string]*bool{"fairness": &p.Fairness, "why": &p.Why},
	}.Read(raw)
	return p, err
}
