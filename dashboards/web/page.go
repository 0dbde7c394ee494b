package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/docs"
)

//go:embed sql/*.sql
var statements embed.FS

//go:embed templates/*.html
var templates embed.FS

//go:embed static/plumbline.css
var stylesheet []byte

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Config says what is declared and where else to look.
type Config struct {
	// Objectives are the SLOs with the window pairs that alert on them.
	Objectives []plumbline.Objective
	// Owners is the owner registry.
	Owners []plumbline.OwnerEntry
	// Models are declared beside those that an owner or an objective names.
	Models []plumbline.Model
	// Partial are those that decide themselves which of their predictions ever get a
	// label: of their accuracy the page shows bounds, and no point.
	Partial []plumbline.Model
	// GrafanaURL is the on-call dashboard's address; empty shows no link.
	GrafanaURL string
	// Runbooks holds NAME.md files, served under /runbooks/NAME; nil serves the
	// repository's own.
	Runbooks fs.FS
}

// Validate returns every mistake of the configuration.
func (c Config) Validate() error {
	if c.GrafanaURL != "" {
		u, err := url.Parse(c.GrafanaURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("page: Grafana URL %q is not an absolute http or https URL", c.GrafanaURL)
		}
	}
	return nil
}

// queryTimeout bounds all queries of one page together.
const queryTimeout = 15 * time.Second

// Page answers the page's requests. It is safe for concurrent use and keeps no
// state.
type Page struct {
	conn      Querier
	cfg       Config
	templates *template.Template
	mux       *http.ServeMux
	now       func() time.Time
}

// New returns a page that reads from conn, whose default database holds the
// tables.
func New(cfg Config, conn Querier) (*Page, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	parsed, err := template.New("page").Funcs(functions()).ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	if cfg.Runbooks == nil {
		cfg.Runbooks = docs.Runbooks()
	}
	p := &Page{conn: conn, cfg: cfg, templates: parsed, mux: http.NewServeMux(), now: time.Now}
	p.routes(p.mux)
	return p, nil
}

// ServeHTTP serves /, /models/{model}, /runbooks/ and the style sheet. An alert
// links to /?model=NAME, which leads to the model's page.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

func (p *Page) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", p.serveOverview)
	mux.HandleFunc("GET /models/{model}", p.serveModel)
	mux.HandleFunc("GET /runbooks/{$}", p.serveRunbooks)
	mux.HandleFunc("GET /runbooks/{name}", p.serveRunbook)
	mux.HandleFunc("GET /plumbline.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=300")
		_, _ = w.Write(stylesheet) // the reader went away; there is nobody to tell
	})
}

func (p *Page) serveOverview(w http.ResponseWriter, r *http.Request) {
	if model := r.URL.Query().Get("model"); model != "" {
		http.Redirect(w, r, modelPath(model), http.StatusFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	view := p.overview(ctx, p.now().UTC())
	p.render(w, "overview.html", statusOf(view.section), view)
}

func (p *Page) serveModel(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	view := p.model(ctx, plumbline.Model(r.PathValue("model")), p.now().UTC())
	status := statusOf(view.sections()...)
	if status == http.StatusOK && !view.Known {
		status = http.StatusNotFound
	}
	p.render(w, "model.html", status, view)
}

// statusOf is 500 if a query failed, although the rest of the page is shown:
// whoever probes the page must not take it for whole.
func statusOf(sections ...section) int {
	for _, s := range sections {
		if s.Err != nil {
			return http.StatusInternalServerError
		}
	}
	return http.StatusOK
}

func (p *Page) render(w http.ResponseWriter, name string, status int, view any) {
	var body bytes.Buffer
	if err := p.templates.ExecuteTemplate(&body, name, view); err != nil {
		http.Error(w, "render "+name+": "+err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	// No script exists, so none may run.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the reader went away; there is nobody to tell
}

type runbookView struct {
	Now        time.Time
	GrafanaURL string
	Name       string
	Blocks     []block
	Names      []string
}

func (p *Page) serveRunbooks(w http.ResponseWriter, _ *http.Request) {
	view := runbookView{Now: p.now().UTC(), GrafanaURL: p.cfg.GrafanaURL}
	names, err := fs.Glob(p.cfg.Runbooks, "*.md")
	if err != nil {
		http.Error(w, "list runbooks: "+err.Error(), http.StatusInternalServerError)
		return
	}
	for _, name := range names {
		view.Names = append(view.Names, strings.TrimSuffix(name, ".md"))
	}
	p.render(w, "runbook.html", http.StatusOK, view)
}

func (p *Page) serveRunbook(w http.ResponseWriter, r *http.Request) {
	// A rule's annotation names the file, with its ending.
	view := runbookView{Now: p.now().UTC(), GrafanaURL: p.cfg.GrafanaURL, Name: strings.TrimSuffix(r.PathValue("name"), ".md")}
	if !fs.ValidPath(view.Name) {
		http.NotFound(w, r)
		return
	}
	text, err := fs.ReadFile(p.cfg.Runbooks, view.Name+".md")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, "read runbook "+view.Name+": "+err.Error(), http.StatusInternalServerError)
		return
	}
	view.Blocks = markdown(string(text))
	p.render(w, "runbook.html", http.StatusOK, view)
}
