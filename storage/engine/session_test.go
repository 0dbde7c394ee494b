package engine

import (
	"net/url"
	"testing"
	"time"
)

// step is one statement, or a pause, in the life of sessions.
type step struct {
	pause time.Duration
	query string // of the URL
	user  string
	hold  string // keeps the statement running under this name
	end   string // ends the one that was held
	code  int    // of the refusal, 0 for none
}

func TestSessions(t *testing.T) {
	const open, in = "session_id=a&session_timeout=10", "session_id=a&session_check=1"
	for name, steps := range map[string][]step{
		"unknown":                  {{query: in, code: codeSessionNotFound}},
		"none is asked for":        {{query: "session_check=1"}},
		"renewed by a statement":   {{query: open}, {pause: 9 * time.Second, query: in}, {pause: 9 * time.Second, query: in}},
		"expired":                  {{query: open}, {pause: 10 * time.Second, query: in, code: codeSessionNotFound}},
		"a minute by default":      {{query: "session_id=a"}, {pause: 59 * time.Second, query: in}, {pause: time.Minute, query: in, code: codeSessionNotFound}},
		"its first timeout stays":  {{query: open}, {query: in + "&session_timeout=100"}, {pause: 11 * time.Second, query: in, code: codeSessionNotFound}},
		"made anew":                {{query: open}, {pause: time.Minute, query: open}, {query: in}},
		"closed":                   {{query: open}, {query: in + "&close_session=1"}, {query: in, code: codeSessionNotFound}},
		"closed unknown":           {{query: in + "&close_session=1", code: codeSessionNotFound}},
		"of another user":          {{query: open}, {query: in, user: "read", code: codeSessionNotFound}},
		"locked":                   {{query: open, hold: "x"}, {query: in, code: codeSessionLocked}, {query: in + "&close_session=1", code: codeSessionLocked}, {end: "x"}, {query: in}},
		"a long one does not end":  {{query: open, hold: "x"}, {pause: time.Hour, query: in, code: codeSessionLocked}, {end: "x"}, {pause: 9 * time.Second, query: in}},
		"empty":                    {{query: "session_id=", code: codeBadArguments}},
		"timeout is no number":     {{query: "session_id=a&session_timeout=1.5", code: codeInvalidSessionTimeout}},
		"timeout is over an hour":  {{query: "session_id=a&session_timeout=3601", code: codeInvalidSessionTimeout}},
		"timeout of zero":          {{query: "session_id=a&session_timeout=0"}, {query: in, code: codeSessionNotFound}},
		"an hour is the longest":   {{query: "session_id=a&session_timeout=3600"}, {pause: 59 * time.Minute, query: in}},
		"check of 0 makes it anew": {{query: "session_id=a&session_check=0"}, {query: in}},
	} {
		t.Run(name, func(t *testing.T) { runSteps(t, steps) })
	}
}

func runSteps(t *testing.T, steps []step) {
	now := time.Unix(0, 0)
	s := newSessions(func() time.Time { return now })
	held := map[string]func(){}
	for i, step := range steps {
		now = now.Add(step.pause)
		if step.end != "" {
			held[step.end]()
			continue
		}
		v, err := url.ParseQuery(step.query)
		if err != nil {
			t.Fatal(err)
		}
		p, err := readSession(v)
		leave := func() {}
		if err == nil {
			leave, err = s.enter("full"+step.user, p)
		}
		code := 0
		if err != nil {
			code = asException(err).code
		}
		if code != step.code {
			t.Fatalf("step %d, %s: code %d, want %d: %v", i, step.query, code, step.code, err)
		}
		switch {
		case err != nil:
		case step.hold != "":
			held[step.hold] = leave
		default:
			leave()
		}
	}
}
