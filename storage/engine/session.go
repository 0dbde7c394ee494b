package engine

import (
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// ClickHouse's limits of session_timeout, default_session_timeout and
// max_session_timeout.
const (
	defaultSession = time.Minute
	maxSession     = time.Hour
)

// sessions are the HTTP interface's named sessions. They keep no state, neither
// settings nor temporary tables; what they keep is their life: whoever knows an
// id can have every later statement of its holder refused, which is how ingest
// fences a former owner (see [storage.DB.CloseSession]). As in ClickHouse a
// session belongs to one user, lasts session_timeout after its last statement
// (the one it was made with), serves one statement at a time, is gone after a
// restart, and is ended early by close_session=1. Unlike there it ends to the
// moment, not at the next full second.
type sessions struct {
	now func() time.Time

	mu sync.Mutex
	by map[sessionKey]*session
}

type sessionKey struct {
	user string
	id   string
}

type session struct {
	timeout time.Duration
	ends    time.Time // after which it is gone, unless busy
	busy    bool
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, by: map[sessionKey]*session{}}
}

// sessionParams are what a request says of its session.
type sessionParams struct {
	id      string // empty for none
	timeout time.Duration
	check   bool // the session must exist
	close   bool // the session ends with the request
}

func readSession(v url.Values) (p sessionParams, err error) {
	if !v.Has("session_id") {
		return p, nil
	}
	p = sessionParams{id: v.Get("session_id"), timeout: defaultSession, check: v.Get("session_check") == "1", close: truthy(v.Get("close_session"))}
	if p.id == "" {
		return p, raise(codeBadArguments, "BAD_ARGUMENTS", "session_id is empty")
	}
	text := v.Get("session_timeout")
	if text == "" {
		return p, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return p, raise(codeInvalidSessionTimeout, "INVALID_SESSION_TIMEOUT", fmt.Sprintf("Invalid session timeout: '%s'", clip(text, 20)))
	}
	if p.timeout = time.Duration(seconds) * time.Second; p.timeout > maxSession {
		return p, raise(codeInvalidSessionTimeout, "INVALID_SESSION_TIMEOUT", fmt.Sprintf("Session timeout '%s' is larger than max_session_timeout: %d", text, maxSession/time.Second))
	}
	return p, nil
}

// enter takes the session for one statement; leave gives it back. It is asked
// before the body is read, so a statement that is refused has done nothing.
func (s *sessions) enter(user string, p sessionParams) (leave func(), err error) {
	if p.id == "" {
		return func() {}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	key := sessionKey{user, p.id}
	x := s.by[key]
	switch {
	case x == nil && p.check:
		return nil, raise(codeSessionNotFound, "SESSION_NOT_FOUND", "Session "+clip(p.id, 64)+" not found")
	case x == nil:
		x = &session{timeout: p.timeout}
		s.by[key] = x
	case x.busy:
		return nil, raise(codeSessionLocked, "SESSION_IS_LOCKED", "Session "+clip(p.id, 64)+" is locked by a concurrent client")
	}
	x.busy = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		x.busy, x.ends = false, s.now().Add(x.timeout)
		if p.close {
			delete(s.by, key)
		}
	}, nil
}

// expire forgets the sessions that have ended.
func (s *sessions) expire() {
	now := s.now()
	for key, x := range s.by {
		if !x.busy && !now.Before(x.ends) {
			delete(s.by, key)
		}
	}
}
