package promapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

// Kinds of errors, as Prometheus spells them.
const (
	badData     = "bad_data"
	execution   = "execution"
	timeout     = "timeout"
	unavailable = "unavailable"
)

// apiError is an error with the kind that clients look at.
type apiError struct {
	kind string
	error
}

// errLimited is what Prometheus says of results that a client's limit cut.
var errLimited = errors.New("results truncated due to limit")

// told is an answer with what is to be said of it.
type told struct {
	data  any
	said  annotations.Annotations
	query string
}

// body is the answer as Prometheus spells it.
func (t told) body() map[string]any {
	body := map[string]any{"status": "success", "data": t.data}
	warnings, infos := t.said.AsStrings(t.query, 10, 10)
	if len(warnings) > 0 {
		body["warnings"] = warnings
	}
	if len(infos) > 0 {
		body["infos"] = infos
	}
	return body
}

func bad(err error) error { return apiError{badData, err} }

// answer answers a request when fewer than Config.Concurrent others are being answered;
// as Prometheus does, it waits for that as long as a query may take. What it asks is read
// first: a client that sends half of it keeps nobody else out.
func (a *API) answer(w http.ResponseWriter, r *http.Request, f func(*http.Request) (any, error)) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := a.read(w, r); err != nil {
		a.write(w, http.StatusBadRequest, map[string]any{"status": "error", "errorType": badData, "error": err.Error()})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.cfg.Timeout)
	defer cancel()
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		a.write(w, http.StatusServiceUnavailable, map[string]any{"status": "error", "errorType": unavailable, "error": "too many queries run at once"})
		return
	}
	data, err := f(r.WithContext(ctx))
	if err == nil {
		switch data := data.(type) {
		case exposition:
			a.send(w, http.StatusOK, string(expfmt.NewFormat(expfmt.TypeTextPlain)), data)
		case told:
			a.write(w, http.StatusOK, data.body())
		default:
			a.write(w, http.StatusOK, told{data: data}.body())
		}
		return
	}
	kind, status := execution, http.StatusUnprocessableEntity
	var known apiError
	switch {
	case errors.As(err, &known):
		kind, status = known.kind, http.StatusBadRequest
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, new(promql.ErrQueryTimeout)):
		kind, status = timeout, http.StatusServiceUnavailable
	}
	a.write(w, status, map[string]any{"status": "error", "errorType": kind, "error": err.Error()})
}

// read reads the parameters of a request, in the time that a query may take.
func (a *API) read(w http.ResponseWriter, r *http.Request) error {
	within := func(t time.Time) error {
		err := http.NewResponseController(w).SetReadDeadline(t)
		if errors.Is(err, http.ErrNotSupported) {
			return nil // a recorder's: nothing of it can be late
		}
		return err
	}
	err := errors.Join(within(time.Now().Add(a.cfg.Timeout)), r.ParseForm())
	if err == nil {
		// Beyond it the server would take the client for gone while its query runs.
		err = within(time.Time{})
	}
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}

func (a *API) write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status = http.StatusInternalServerError
		body = []byte(`{"status":"error","errorType":"internal","error":"the answer has no JSON form"}`)
	}
	a.send(w, status, "application/json", body)
}

func (a *API) send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		a.log.Debug("a client of the Prometheus API went away", "err", err)
	}
}
