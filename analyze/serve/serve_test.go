package serve_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// errAsked is what was wrong with a question, and errInside what with the service.
var (
	errAsked  = errors.New("there is no such model")
	errInside = errors.New("password refused by 10.0.0.1")
)

// handler answers by a function and takes at most a few questions at a time.
func handler(atOnce int, log *bytes.Buffer, answer func(context.Context, string) (any, error)) *serve.Handler[string] {
	return &serve.Handler[string]{
		About: "weather", Source: "barometers", Less: "fewer towns",
		Read: func(query string) (string, error) {
			if query == "wrong" {
				return "", errors.New("write it right")
			}
			return query, nil
		},
		Answer: answer,
		Status: func(err error) int {
			if errors.Is(err, errAsked) {
				return http.StatusNotFound
			}
			return 0
		},
		Within: time.Hour, Longest: 20, Turns: make(chan struct{}, atOnce), Log: slog.New(slog.NewTextHandler(log, nil)),
	}
}

func get(h http.Handler, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?"+query, nil))
	return w
}

func TestAnswersAndRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		query        string
		answer       any
		err          error
		status       int
		body, logged string
	}{
		"an answer":                 {"town=a", map[string]int{"a": 1}, nil, http.StatusOK, `{"a":1}` + "\n", ""},
		"a query that is no good":   {"wrong", nil, nil, http.StatusBadRequest, "write it right", ""},
		"a query as long as may be": {strings.Repeat("x", 20), 1, nil, http.StatusOK, "1\n", ""},
		"a query that is too long":  {strings.Repeat("x", 21), nil, nil, http.StatusRequestURITooLong, "21 bytes: at most 20", ""},
		"the client's mistake":      {"town=b", nil, errAsked, http.StatusNotFound, "there is no such model", ""},
		"the service's mistake":     {"town=b", nil, errInside, http.StatusInternalServerError, "the barometers could not be read", "password refused"},
		"what JSON cannot say":      {"town=b", math.NaN(), nil, http.StatusInternalServerError, "the barometers could not be read", "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h := handler(1, &log, func(_ context.Context, q string) (any, error) {
				if q != tt.query {
					t.Errorf("asked %q, want %q", q, tt.query)
				}
				return tt.answer, tt.err
			})
			for range 2 { // and the turn is given back
				w := get(h, tt.query)
				if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
					t.Errorf("%d %q, want %d and %q", w.Code, w.Body, tt.status, tt.body)
				}
				ok := w.Code == http.StatusOK
				if ok && (w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" || w.Body.String() != tt.body) {
					t.Errorf("%q with %v", w.Body, w.Header())
				}
				if strings.Contains(w.Body.String(), "password") {
					t.Errorf("it tells of the inside: %s", w.Body)
				}
			}
			if got := log.String(); (tt.logged == "") != (got == "") || !strings.Contains(got, tt.logged) {
				t.Errorf("logged %q, want %q", got, tt.logged)
			}
		})
	}
}

// One question more than may be answered is refused at once, and one is taken as
// soon as another is answered, or has panicked.
func TestTurns(t *testing.T) {
	const atOnce = 3
	begun, end := make(chan struct{}, atOnce), make(chan struct{})
	h := handler(atOnce, new(bytes.Buffer), func(_ context.Context, q string) (any, error) {
		if q == "town=now" {
			return q, nil
		}
		begun <- struct{}{}
		<-end
		if q == "town=panic" {
			panic(http.ErrAbortHandler)
		}
		return q, nil
	})
	done := make(chan int, atOnce)
	for _, q := range []string{"town=a", "town=b", "town=panic"} {
		go func() {
			code := 0
			defer func() { _ = recover(); done <- code }() // as the server does
			code = get(h, q).Code
		}()
	}
	for range atOnce {
		<-begun
	}
	w := get(h, "town=now")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" || !strings.Contains(w.Body.String(), "weather") {
		t.Errorf("%d %v %s, want a 503 that says when to come again", w.Code, w.Header(), w.Body)
	}
	if w := get(h, "wrong"); w.Code != http.StatusBadRequest {
		t.Errorf("%d: what cannot be read needs no turn", w.Code)
	}
	close(end)
	codes := map[int]int{}
	for range atOnce {
		codes[<-done]++
	}
	if codes[http.StatusOK] != 2 || codes[0] != 1 || len(h.Turns) != 0 {
		t.Errorf("answered %v, and %d turns are taken", codes, len(h.Turns))
	}
	if w := get(h, "town=now"); w.Code != http.StatusOK {
		t.Errorf("%d after all were answered", w.Code)
	}
}

// A question ends with its time, and with its client, of whom nobody is told.
func TestTime(t *testing.T) {
	wait := func(ctx context.Context, _ string) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var log bytes.Buffer
	h := handler(1, &log, wait)
	h.Within = time.Nanosecond
	if w := get(h, "town=a"); w.Code != http.StatusGatewayTimeout || !strings.Contains(w.Body.String(), "fewer towns") || !strings.Contains(log.String(), "town=a") {
		t.Errorf("%d %s, logged %q; want a 504 that says what to do", w.Code, w.Body, &log)
	}
	log.Reset()
	h.Within = time.Hour
	ctx, leave := context.WithCancel(t.Context())
	leave()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?town=a", nil).WithContext(ctx))
	if w.Code == http.StatusOK || log.Len() != 0 || len(h.Turns) != 0 {
		t.Errorf("a client that left: %d, logged %q, %d turns are taken", w.Code, &log, len(h.Turns))
	}
}
