package decode

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/secrets"
)

// SchemaRegistry says where a Confluent schema registry, or one that speaks its
// protocol, is.
type SchemaRegistry struct {
	// URLs are the addresses of the registry's nodes, tried in turn.
	URLs []string `yaml:"urls" json:"-"`
	// Username and PasswordFile are for basic authentication; BearerTokenFile is
	// for a bearer token. The files are read again for each request;
	// nobody but their owner and, to read them, its group may reach them.
	Username        string `yaml:"username" json:"-"`
	PasswordFile    string `yaml:"password_file" json:"-"`
	BearerTokenFile string `yaml:"bearer_token_file" json:"-"`
	// CAFile holds certificates to trust instead of the system's, PEM.
	CAFile string `yaml:"ca_file" json:"-"`
}

// Files returns the paths in the configuration, so that they can be made
// relative to its file.
func (c *SchemaRegistry) Files() []*string {
	return []*string{&c.PasswordFile, &c.BearerTokenFile, &c.CAFile}
}

// Validate returns every mistake, by field.
func (c *SchemaRegistry) Validate() error {
	var errs []error
	if len(c.URLs) == 0 {
		errs = append(errs, errors.New("schema_registry.urls: empty; name the registry"))
	}
	for i, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
			errs = append(errs, fmt.Errorf("schema_registry.urls[%d]: not http://host or https://host without a user in it", i))
		}
	}
	if (c.Username == "") != (c.PasswordFile == "") {
		errs = append(errs, errors.New("schema_registry.username and password_file: set both or none"))
	}
	if c.Username != "" && c.BearerTokenFile != "" {
		errs = append(errs, errors.New("schema_registry.username and bearer_token_file: set one of them"))
	}
	if _, err := c.roots(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *SchemaRegistry) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := secrets.ReadPublic("schema_registry.ca_file", c.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("schema_registry.ca_file: %s holds no certificate in PEM", c.CAFile)
	}
	return pool, nil
}

const (
	registryTimeout = 5 * time.Second
	registryPause   = time.Second // between two requests for what was not there
	maxSchemaBytes  = 4 << 20
	maxReferences   = 64
	maxUnknown      = 10_000
)

// registry is a client of a schema registry, for concurrent use. It asks for
// each schema once.
type registry struct {
	cfg    SchemaRegistry
	format string
	http   *http.Client
	now    func() time.Time

	// mu is held during a request, so that partitions that meet a new schema
	// together ask once.
	mu      sync.Mutex
	known   map[uint32]Schema
	unknown map[uint32]time.Time // until when it is not asked for again
	down    *Unavailable         // the last request's outage
	downTo  time.Time            // until when it is the answer
}

func newRegistry(cfg SchemaRegistry, format string) (*registry, error) {
	pool, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &registry{
		cfg: cfg, format: format, now: time.Now,
		http:  &http.Client{Timeout: registryTimeout, Transport: transport},
		known: map[uint32]Schema{}, unknown: map[uint32]time.Time{},
	}, nil
}

// Schema returns a schema with those it refers to.
func (r *registry) Schema(id uint32) (Schema, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.known[id]; ok {
		return s, nil
	}
	now := r.now()
	if now.Before(r.unknown[id]) {
		return Schema{}, unknownSchema(id, "")
	}
	if r.down != nil && now.Before(r.downTo) {
		return Schema{}, r.down
	}
	s, err := r.fetch(id)
	var refused *Error
	var down *Unavailable
	switch {
	case err == nil:
		r.known[id], r.down = s, nil
	case errors.As(err, &refused):
		if len(r.unknown) >= maxUnknown {
			clear(r.unknown)
		}
		r.unknown[id], r.down = r.now().Add(registryPause), nil
	case errors.As(err, &down):
		r.down, r.downTo = down, r.now().Add(registryPause)
	}
	return s, err
}

func unknownSchema(id uint32, why string) *Error {
	return bad(UnknownSchema, fmt.Sprintf("the schema registry does not know schema %d%s; register it, or send to the topic's own registry", id, why))
}

// answer is what a registry says about one schema.
type answer struct {
	Schema     string `json:"schema"`
	Type       string `json:"schemaType"`
	References []struct {
		Name    string `json:"name"`
		Subject string `json:"subject"`
		Version int    `json:"version"`
	} `json:"references"`
}

func (r *registry) fetch(id uint32) (Schema, error) {
	a, err := r.get(fmt.Sprintf("schemas/ids/%d", id))
	if errors.Is(err, errNotThere) {
		return Schema{}, unknownSchema(id, "")
	}
	if err != nil {
		return Schema{}, &Unavailable{fmt.Errorf("schema %d: %w", id, err)}
	}
	s := Schema{ID: id, Type: a.Type}
	if s.Text, err = r.text(a); err != nil {
		return Schema{}, &Unavailable{fmt.Errorf("schema %d: %w", id, err)}
	}
	seen := map[string]bool{}
	if err := r.references(&s, a, seen); err != nil {
		return Schema{}, err
	}
	return s, nil
}

// references appends what a schema refers to, depth first.
func (r *registry) references(s *Schema, a answer, seen map[string]bool) error {
	for _, ref := range a.References {
		path := fmt.Sprintf("subjects/%s/versions/%d", url.PathEscape(ref.Subject), ref.Version)
		if seen[path] {
			continue
		}
		seen[path] = true
		if len(seen) > maxReferences {
			return bad(TooNested, fmt.Sprintf("schema %d refers to more than %d others; merge some", s.ID, maxReferences))
		}
		other, err := r.get(path)
		if errors.Is(err, errNotThere) {
			return unknownSchema(s.ID, fmt.Sprintf(" whole: it refers to %s version %d", ref.Subject, ref.Version))
		}
		if err != nil {
			return &Unavailable{fmt.Errorf("schema %d, reference %s: %w", s.ID, ref.Name, err)}
		}
		if err := r.references(s, other, seen); err != nil {
			return err
		}
		text, err := r.text(other)
		if err != nil {
			return &Unavailable{fmt.Errorf("schema %d, reference %s: %w", s.ID, ref.Name, err)}
		}
		s.References = append(s.References, SchemaReference{ref.Name, text})
	}
	return nil
}

// text returns a schema in the format that was asked for. A registry that has
// not that format is a mistake to mend, for which no event is given up.
func (r *registry) text(a answer) ([]byte, error) {
	if r.format == "" || a.Type != "PROTOBUF" { // the decoder refuses another type
		return []byte(a.Schema), nil
	}
	b, err := base64.StdEncoding.DecodeString(a.Schema)
	if err != nil {
		return nil, errors.New("the registry does not give descriptors (format=serialized): use one that does, or send without a frame and configure schema_file and message")
	}
	return b, nil
}

// errNotThere says that the registry answers and knows of no such thing.
var errNotThere = errors.New("the registry knows no such schema")

// get asks the nodes in turn until one has it. A node may lag behind the others,
// so only if every one of them answers, and knows of no such thing, is it not
// there: the one that is silent may have it.
func (r *registry) get(path string) (answer, error) {
	var silent []error
	for _, base := range r.cfg.URLs {
		a, err := r.ask(strings.TrimSuffix(base, "/") + "/" + path)
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, errNotThere) {
			silent = append(silent, err)
		}
	}
	if len(silent) == 0 {
		return answer{}, errNotThere
	}
	return answer{}, errors.Join(silent...)
}

func (r *registry) ask(address string) (a answer, err error) {
	if r.format != "" {
		address += "?format=" + r.format
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return a, fmt.Errorf("ask the schema registry: %w", err)
	}
	req.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	if err := r.authenticate(req); err != nil {
		return a, err
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return a, fmt.Errorf("ask the schema registry: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // all of it that counts was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSchemaBytes+1))
	switch {
	case err != nil:
		return a, fmt.Errorf("read the answer of %s: %w", address, err)
	case len(body) > maxSchemaBytes:
		return a, fmt.Errorf("the answer of %s is larger than %d bytes", address, maxSchemaBytes)
	case resp.StatusCode != http.StatusOK:
		return a, refusal(address, resp.StatusCode, body)
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Schema == "" {
		return a, fmt.Errorf("the answer of %s holds no schema; check schema_registry.urls", address)
	}
	return a, nil
}

// refusal tells a schema that does not exist from an answer that somebody else
// gives, such as a proxy's page: only the registry's own error code counts.
func refusal(address string, status int, body []byte) error {
	var e struct {
		Code int `json:"error_code"`
	}
	err := json.Unmarshal(body, &e)
	// Subject, version and schema not found.
	if err == nil && status == http.StatusNotFound && e.Code >= 40401 && e.Code <= 40403 {
		return errNotThere
	}
	return fmt.Errorf("%s answers %d %s; check schema_registry", address, status, http.StatusText(status))
}

func (r *registry) authenticate(req *http.Request) error {
	switch {
	case r.cfg.Username != "":
		password, err := secret("password_file", r.cfg.PasswordFile)
		if err != nil {
			return err
		}
		req.SetBasicAuth(r.cfg.Username, password)
	case r.cfg.BearerTokenFile != "":
		token, err := secret("bearer_token_file", r.cfg.BearerTokenFile)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

func secret(option, path string) (string, error) {
	text, err := secrets.Read("schema_registry."+option, path)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(text))
	if s == "" {
		return "", fmt.Errorf("schema_registry.%s: %s is empty", option, path)
	}
	return s, nil
}
