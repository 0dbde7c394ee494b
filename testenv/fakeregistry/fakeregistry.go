// Package fakeregistry is a Confluent schema registry that keeps its schemas in
// memory: the two requests by which consumers read them, with the registry's
// error codes, authentication, and faults on demand. It may be imported by
// tests, testenv and cmd only.
package fakeregistry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
)

// Reference is how a schema refers to another.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Schema is a registered schema.
type Schema struct {
	Subject string
	Version int
	// Type is AVRO, PROTOBUF or JSON. As the registry does, AVRO is not named in
	// answers.
	Type string
	// Text is the schema as it was registered, Serialized the descriptor of a
	// PROTOBUF schema's file.
	Text       string
	Serialized []byte
	References []Reference
}

// Server is a running fake. It is safe for concurrent use.
type Server struct {
	*fakehttp.Server

	mu      sync.Mutex
	schemas map[uint32]Schema
	auth    string // the Authorization header to demand; empty demands none
	old     bool   // knows no format
}

// Start serves on addr, for example "127.0.0.1:0", until Close.
func Start(addr string) (*Server, error) {
	s := &Server{schemas: map[uint32]Schema{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schemas/ids/{id}", s.byID)
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}", s.byVersion)
	server, err := fakehttp.Start(addr, mux)
	if err != nil {
		return nil, fmt.Errorf("fake schema registry: %w", err)
	}
	s.Server = server
	return s, nil
}

// Register keeps a schema under an id.
func (s *Server) Register(id uint32, schema Schema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schemas[id] = schema
}

// Demand makes every request without this Authorization header a 401.
func (s *Server) Demand(authorization string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth = authorization
}

// Old makes the registry one that ignores the parameter format.
func (s *Server) Old() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = true
}

func (s *Server) byID(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 31)
	schema, ok := s.schemas[uint32(id)]
	if err != nil || !ok {
		s.refuse(w, r, http.StatusNotFound, 40403, fmt.Sprintf("Schema %s not found", r.PathValue("id")))
		return
	}
	s.answer(w, r, uint32(id), schema)
}

func (s *Server) byVersion(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, schema := range s.schemas {
		if schema.Subject == r.PathValue("subject") && strconv.Itoa(schema.Version) == r.PathValue("version") {
			s.answer(w, r, id, schema)
			return
		}
	}
	s.refuse(w, r, http.StatusNotFound, 40401, fmt.Sprintf("Subject '%s' not found.", r.PathValue("subject")))
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, id uint32, schema Schema) {
	if !s.allowed(r) {
		s.refuse(w, r, 0, 0, "")
		return
	}
	a := map[string]any{"id": id, "subject": schema.Subject, "version": schema.Version, "schema": schema.Text}
	if schema.Type != "" && schema.Type != "AVRO" {
		a["schemaType"] = schema.Type
	}
	if r.URL.Query().Get("format") == "serialized" && schema.Type == "PROTOBUF" && !s.old {
		a["schema"] = base64.StdEncoding.EncodeToString(schema.Serialized)
	}
	if len(schema.References) > 0 {
		a["references"] = schema.References
	}
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	_ = json.NewEncoder(w).Encode(a) // a client that went away needs no body
}

func (s *Server) allowed(r *http.Request) bool {
	return s.auth == "" || r.Header.Get("Authorization") == s.auth
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status, code int, message string) {
	if !s.allowed(r) {
		status, code, message = http.StatusUnauthorized, 40101, "Unauthorized"
	}
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error_code": code, "message": message})
}
