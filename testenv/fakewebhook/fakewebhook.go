// Package fakewebhook is a receiver of Alertmanager's webhook that takes every
// well-formed message and plays faults on demand. It may be imported by tests,
// testenv and cmd only.
package fakewebhook

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
)

// Server is a running fake; its Requests are what it was sent.
type Server struct{ *fakehttp.Server }

// Start serves on addr, for example "127.0.0.1:0", until Close.
func Start(addr string) (*Server, error) {
	server, err := fakehttp.Start(addr, http.HandlerFunc(take))
	if err != nil {
		return nil, fmt.Errorf("fake webhook: %w", err)
	}
	return &Server{server}, nil
}

// Address returns where to post.
func (s *Server) Address() string { return s.URL() + "/hook" }

// take answers 200 to what Alertmanager's receivers must find in a message.
func take(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Version  string
		GroupKey string `json:"groupKey"`
		Status   string
		Receiver string
		Alerts   []struct {
			Status      string
			Labels      map[string]string
			Fingerprint string
		}
	}
	err := json.NewDecoder(r.Body).Decode(&m)
	switch {
	case err != nil:
	case m.Version != "4" || m.GroupKey == "" || m.Receiver == "" || len(m.Alerts) == 0:
		err = fmt.Errorf("version %q, group %q, receiver %q, %d alerts", m.Version, m.GroupKey, m.Receiver, len(m.Alerts))
	case m.Status != "firing" && m.Status != "resolved":
		err = fmt.Errorf("status %q", m.Status)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}
