//go:build linux && amd64

package engine

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// server answers the ClickHouse HTTP interface from the engine's connections.
type server struct {
	pool     *pool
	sessions *sessions
	cfg      childConfig
	version  string // of ClickHouse, for example 26.7.2.1
	timezone string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.hostAllowed(r) {
		http.Error(w, "Code: 497. DB::Exception: this Host or Origin may not ask here (ACCESS_DENIED)", http.StatusForbidden)
		return
	}
	h := w.Header()
	h.Set("X-ClickHouse-Server-Display-Name", "plumbline")
	switch {
	case r.URL.Path == "/ping" || r.URL.Path == "/replicas_status",
		r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && !r.URL.Query().Has("query"):
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		_, _ = io.WriteString(w, "Ok.\n") // the client is gone if this fails
		return
	case r.URL.Path != "/":
		http.NotFound(w, r)
		return
	}
	out := newOutput(w, s.version)
	out.finish(s.serve(r, out))
}

// serve runs a request in its session.
func (s *server) serve(r *http.Request, out *output) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return raise(codeBadArguments, "BAD_ARGUMENTS", "method "+clip(r.Method, 20)+" is not GET or POST")
	}
	a, err := s.authenticate(r)
	if err != nil {
		return err
	}
	p, err := readSession(r.URL.Query())
	if err != nil {
		return err
	}
	user := s.cfg.Full.Name
	if a == accessAnalyst {
		user = s.cfg.Read.Name
	}
	leave, err := s.sessions.enter(user, p)
	if err != nil {
		return err
	}
	defer leave()
	q, err := s.readRequest(r, a)
	if err != nil {
		return err
	}
	out.configure(q, s.timezone)
	return s.answer(r.Context(), q, out)
}

// hostAllowed refuses names that are not ours: a page of another site whose
// name resolves to this address would otherwise reach the engine.
func (s *server) hostAllowed(r *http.Request) bool {
	if !s.allowedName(r.Host) {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && s.allowedName(u.Host)
}

func (s *server) allowedName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return true
	}
	return strings.EqualFold(host, "localhost") || slices.ContainsFunc(s.cfg.AllowedHosts, func(a string) bool { return strings.EqualFold(a, host) })
}

// authenticate finds the user in the headers, basic authentication or URL.
func (s *server) authenticate(r *http.Request) (access, error) {
	v := r.URL.Query()
	name, password := v.Get("user"), v.Get("password")
	given := v.Has("user") || v.Has("password")
	if u, p, ok := r.BasicAuth(); ok {
		name, password, given = u, p, true
	}
	if u := r.Header.Get("X-ClickHouse-User"); u != "" {
		name, password, given = u, r.Header.Get("X-ClickHouse-Key"), true
	}
	if !given {
		return 0, raise(codeRequiredPassword, "REQUIRED_PASSWORD", "Authentication is required: the user and password stand in the engine's data directory")
	}
	full, read := s.cfg.Full.matches(name, password), s.cfg.Read.matches(name, password)
	switch {
	case read:
		return accessAnalyst, nil
	case full && r.Method == http.MethodGet:
		return accessRead, nil
	case full:
		return accessFull, nil
	}
	return 0, raise(codeAuthFailed, "AUTHENTICATION_FAILED", clip(name, 64)+": Authentication failed: password is incorrect, or there is no user with such name.")
}
