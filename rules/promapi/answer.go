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
		if text, ok := data.(exposition); ok {
			a.send(w, http.StatusOK, string(expfmt.NewFormat(expfmt.TypeTextPlain)), text)
			return
		}
		a.write(w, http.StatusOK, map[string]any{"status": "success", "data": data})
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
