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
	"time"
)

// Path is where Handler is mounted.
const Path = "/api/v1/drift"

const (
	// answerWithin bounds one question. The driver passes what is left of it, and
	// 5 s, to ClickHouse as max_execution_time, so a statement ends there too.
	answerWithin = 2 * time.Minute
	// mostAtOnce bounds the questions under way: each reads with up to four
	// statements and compares with workers of its own.
	mostAtOnce = 3
	// retryAfter is what a client is told that comes beyond that.
	retryAfter = 5 * time.Second
	// mostQuery bounds the query string, in bytes, and so what it can name.
	mostQuery = 32 << 10
)

// Handler answers GET requests with the JSON of an Answer. The parameters are
// those of Params, reference, deploy, measure, feature and series any number of
// times. A parameter that cannot be used, that nobody knows, or that makes the
// question read more than 2500 days of rollups is a 400 whose text names each and
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
		http.Error(w, fmt.Sprintf("%d questions about drift are being answered, no more at a time: ask again in %s", mostAtOnce, retryAfter), http.StatusServiceUnavailable)
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
		h.log.Debug("a client left before its answer about drift", "err", err)
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
	if q, err = q.settled(); err != nil {
		return Question{}, err
	}
	return q, q.affordable()
}

// refuse says that there is no answer, to nobody if the client has left.
func (h *handler) refuse(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		h.log.Error("a question about drift has no answer", "err", err, "query", r.URL.RawQuery)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		http.Error(w, fmt.Sprintf("there was no answer within %s: ask about a shorter window, fewer references or fewer features", h.within), http.StatusGatewayTimeout)
		return
	}
	http.Error(w, "the rollups could not be read; the log of the service says why", http.StatusInternalServerError)
}

// paramsOf reads a query string.
func paramsOf(raw string) (Params, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Params{}, fmt.Errorf("query string: %w", err)
	}
	p := Params{References: values["reference"], Deploys: values["deploy"], Measures: values["measure"], Features: values["feature"], Series: values["series"]}
	var why string
	single := map[string]*string{"why": &why, "model": &p.Model, "window": &p.Window, "to": &p.To, "segment": &p.Segment, "stage": &p.Stage}
	many := map[string]bool{"reference": true, "deploy": true, "measure": true, "feature": true, "series": true}
	var errs []error
	for name, given := range values {
		into := single[name]
		switch {
		case into == nil && !many[name]:
			errs = append(errs, ParameterError{name, errors.New("there is no such parameter; there are model, window, to, reference, segment, stage, deploy, measure, feature, series and why")})
		case into != nil && len(given) > 1:
			errs = append(errs, ParameterError{name, errors.New("give it once")})
		case into != nil:
			*into = given[0]
		}
	}
	if p.Why = why == "1"; why != "" && why != "0" && why != "1" {
		errs = append(errs, ParameterError{"why", fmt.Errorf("%q is not 0 or 1", why)})
	}
	return p, errors.Join(errs...)
}
