package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Path is where Handler is mounted.
const Path = "/api/v1/quality"

const (
	// answerWithin bounds one question. The driver passes what is left of it, and
	// 5 s, to ClickHouse as max_execution_time, so a statement ends there too.
	answerWithin = 2 * time.Minute
	// mostAtOnce bounds the questions under way.
	mostAtOnce = 3
	// retryAfter is what a client is told that comes beyond that.
	retryAfter = 5 * time.Second
	// mostQuery bounds the query string, in bytes, and so what it can name.
	mostQuery = 32 << 10
	// longestServed bounds the windows of a question over HTTP: labelled
	// predictions are read row by row.
	longestServed = 92 * day
)

// Handler answers GET requests with the JSON of an Answer. The parameters are
// those of Params: deploy, metric and feature any number of times; as_of for the
// flag --as-of. A parameter that cannot be used, that nobody knows, or that asks
// about more than 92 days or 20 million labels is a 400 whose text names each and
// says how to write it. At most three questions are answered at a time, the next
// is a 503 that says when to come again, and a question that takes longer than
// two minutes is a 504. What goes wrong inside is logged and a 500. Access is the
// listener's to protect.
func Handler(asker *Asker, log *slog.Logger) http.Handler {
	return newHandler(asker, log, answerWithin)
}

type handler struct {
	asker  *Asker
	log    *slog.Logger
	within time.Duration
	turns  chan struct{} // full when mostAtOnce questions are under way
}

func newHandler(asker *Asker, log *slog.Logger, within time.Duration) *handler {
	return &handler{asker: asker, log: log, within: within, turns: make(chan struct{}, mostAtOnce)}
}

// ServeHTTP reads the question, waits for nothing, and answers it.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > mostQuery {
		http.Error(w, fmt.Sprintf("a query string of %d bytes: at most %d; name less", len(r.URL.RawQuery), mostQuery), http.StatusRequestURITooLong)
		return
	}
	q, err := h.question(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		http.Error(w, fmt.Sprintf("%d questions about quality are being answered, no more at a time: ask again in %s", mostAtOnce, retryAfter), http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.within)
	defer cancel()
	answer, err := h.asker.Ask(ctx, q)
	if err != nil {
		h.refuse(ctx, w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		h.log.Debug("a client left before its answer about quality", "err", err)
	}
}

// question reads a query string; every error is the client's.
func (h *handler) question(raw string) (Question, error) {
	params, err := paramsOf(raw)
	if err != nil {
		return Question{}, err
	}
	q, err := params.Question(h.asker.now())
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

// refuse says that there is no answer, to nobody if the client has left.
func (h *handler) refuse(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	if p, ok := errors.AsType[ParameterError](err); ok {
		http.Error(w, p.Error(), http.StatusBadRequest)
		return
	}
	if r.Context().Err() == nil {
		h.log.Error("a question about quality has no answer", "err", err, "query", r.URL.RawQuery)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		http.Error(w, fmt.Sprintf("there was no answer within %s: ask about a shorter window or fewer metrics", h.within), http.StatusGatewayTimeout)
		return
	}
	http.Error(w, "the labels could not be read; the log of the service says why", http.StatusInternalServerError)
}

// paramsOf reads a query string.
func paramsOf(raw string) (Params, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Params{}, fmt.Errorf("query string: %w", err)
	}
	p := Params{Deploys: values["deploy"], Metrics: values["metric"], Features: values["feature"]}
	single := map[string]*string{
		"model": &p.Model, "window": &p.Window, "from": &p.From, "to": &p.To, "as_of": &p.AsOf, "segment": &p.Segment, "stage": &p.Stage, "by": &p.By,
		"task": &p.Task, "positive": &p.Positive, "expr": &p.Expr, "against": &p.Against,
	}
	flags := map[string]*bool{"fairness": &p.Fairness, "why": &p.Why}
	many := map[string]bool{"deploy": true, "metric": true, "feature": true}
	var errs []error
	for name, given := range values {
		bad := func(err error) { errs = append(errs, ParameterError{Name: name, Err: err}) }
		into, flag := single[name], flags[name]
		switch {
		case many[name]:
		case into == nil && flag == nil:
			bad(errors.New("there is no such parameter; there are model, window, from, to, as_of, deploy, segment, stage, metric, by, task, positive, expr, fairness, why, against and feature"))
		case len(given) > 1:
			bad(errors.New("give it once"))
		case into != nil:
			*into = given[0]
		case !strings.Contains(" 0 1 ", " "+given[0]+" "):
			bad(fmt.Errorf("%q is not 0 or 1", given[0]))
		default:
			*flag = given[0] == "1"
		}
	}
	return p, errors.Join(errs...)
}
