// Package serve answers questions over HTTP within bounds: so many at a time, each
// for so long, of a query string of so many bytes. What a question is and what it
// means is its caller's to say; access is the listener's to protect.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

const (
	// Within bounds one question. The driver passes what is left of it, and 5 s, to
	// ClickHouse as max_execution_time, so a statement ends there too.
	Within = 2 * time.Minute
	// MostAtOnce bounds the questions under way.
	MostAtOnce = 3
	// RetryAfter is what a client is told that comes beyond that.
	RetryAfter = 5 * time.Second
	// LongQuery bounds the query string, in bytes, of questions that name much.
	LongQuery = 32 << 10
)

// Handler answers GET requests whose query string is a question of type Q with the
// JSON of its answer. A query that cannot be read is a 400, one beyond MostAtOnce
// a 503 that says when to come again, one that takes longer than Within a 504.
// What goes wrong inside is logged and a 500.
type Handler[Q any] struct {
	// About is what is asked about, Source what is read for it, and Less what a
	// shorter question leaves out, in words: "drift", "rollups", "fewer features".
	About, Source, Less string
	// Read reads a query string; every error of it is the client's.
	Read func(query string) (Q, error)
	// Answer answers a question. Status is that of an error of it that is the
	// client's, and 0 of any other.
	Answer func(ctx context.Context, q Q) (any, error)
	Status func(error) int
	Within time.Duration
	// Longest bounds the query string, in bytes, and so what it can name.
	Longest int
	// Turns has room for MostAtOnce and is full when no more questions are taken.
	Turns chan struct{}
	Log   *slog.Logger
}

// ServeHTTP reads the question, waits for nothing, and answers it.
func (h *Handler[Q]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > h.Longest {
		http.Error(w, fmt.Sprintf("a query string of %d bytes: at most %d; name less", len(r.URL.RawQuery), h.Longest), http.StatusRequestURITooLong)
		return
	}
	q, err := h.Read(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case h.Turns <- struct{}{}:
		defer func() { <-h.Turns }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(int(RetryAfter/time.Second)))
		http.Error(w, fmt.Sprintf("%d questions about %s are being answered, no more at a time: ask again in %s", MostAtOnce, h.About, RetryAfter), http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.Within)
	defer cancel()
	answer, err := h.Answer(ctx, q)
	if err != nil {
		h.refuse(ctx, w, r, err)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		// Said before anything is written: half an answer looks like a whole one.
		h.refuse(ctx, w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(append(body, '\n')); err != nil {
		h.Log.Debug("a client left before its answer", "about", h.About, "err", err)
	}
}

// refuse says that there is no answer, to nobody if the client has left.
func (h *Handler[Q]) refuse(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	if status := h.Status(err); status != 0 {
		http.Error(w, err.Error(), status)
		return
	}
	if r.Context().Err() == nil {
		h.Log.Error("a question about "+h.About+" has no answer", "err", err, "query", r.URL.RawQuery)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		http.Error(w, fmt.Sprintf("there was no answer within %s: ask about a shorter window or %s", h.Within, h.Less), http.StatusGatewayTimeout)
		return
	}
	http.Error(w, "the "+h.Source+" could not be read; the log of the service says why", http.StatusInternalServerError)
}
