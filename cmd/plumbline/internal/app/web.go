package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"gopkg.in/yaml.v3"
)

// WebConfig says where the service answers HTTP.
type WebConfig struct {
	// Listen is the address. Default 127.0.0.1:9470.
	Listen string `yaml:"listen"`
	// ExternalURL is how people reach it, for links in alerts. Default
	// http:// and the listening address.
	ExternalURL string `yaml:"external_url"`
	// ConfigFile is an exporter-toolkit file with TLS and basic auth.
	ConfigFile string `yaml:"config_file"`
	// Pprof serves /debug/pprof. Default off.
	Pprof bool `yaml:"pprof"`
}

func (c WebConfig) validate() error {
	var errs []error
	_, port, err := net.SplitHostPort(c.Listen)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", port) // a number, or a name such as http
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("web.listen: %w", err))
	}
	if c.ExternalURL != "" {
		errs = append(errs, absolute("web.external_url", c.ExternalURL))
	}
	if c.ConfigFile != "" {
		if err := toolkit.Validate(c.ConfigFile); err != nil {
			errs = append(errs, fmt.Errorf("web.config_file: %w", err))
		}
	}
	return errors.Join(errs...)
}

// encrypts reports whether the file with TLS and basic auth, which validate has read,
// has TLS in it.
func (c WebConfig) encrypts() bool {
	var file struct {
		TLS map[string]any `yaml:"tls_server_config"`
	}
	text, err := os.ReadFile(c.ConfigFile)
	return err == nil && yaml.Unmarshal(text, &file) == nil && len(file.TLS) > 0
}

// absolute returns an error that names the field unless its value is where a link can
// lead to.
func absolute(field, address string) error {
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%s: %q is not an absolute http or https URL", field, address)
	}
	return nil
}

// webServer answers for the whole process; each part's pages live with the part.
type webServer struct {
	cfg      WebConfig
	listener net.Listener
	mux      *http.ServeMux
	log      *slog.Logger
}

func newWebServer(cfg WebConfig, metrics registry, ready func() error, log *slog.Logger) (*webServer, error) {
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "healthy") })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics}))
	if cfg.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return &webServer{cfg: cfg, listener: listener, mux: mux, log: log}, nil
}

// mountReload has the rule files read again by POST /-/reload, as Prometheus has:
// an answer that is not 200 says what is wrong with them, and the former ones stay
// in force. The configuration and the SLO files are read at the start alone.
func (s *webServer) mountReload(reload func() error) {
	s.mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := reload(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "the rule files were read again")
	})
}

// URLAt returns how people reach the service when it listens on address: the
// configured URL, else one of the address.
func (c WebConfig) URLAt(address string) string {
	if c.ExternalURL != "" {
		return strings.TrimSuffix(c.ExternalURL, "/")
	}
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip.IsUnspecified()) {
		// Every interface is no place a link can lead to.
		if name, err := os.Hostname(); err == nil {
			address = net.JoinHostPort(name, port)
		}
	}
	return "http://" + address
}

func (s *webServer) externalURL() string { return s.cfg.URLAt(s.listener.Addr().String()) }

// run serves until ctx is done, then lets requests under way finish.
func (s *webServer) run(ctx context.Context) error {
	server := &http.Server{Handler: guard(s.listener.Addr(), s.cfg.ExternalURL, s.mux), ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(shutdown); err != nil {
			s.log.Warn("web: requests were cut off at shutdown", "err", err)
		}
	}()
	address, systemd := []string{s.listener.Addr().String()}, false
	flags := toolkit.FlagConfig{WebListenAddresses: &address, WebSystemdSocket: &systemd, WebConfigFile: &s.cfg.ConfigFile}
	if err := toolkit.Serve(s.listener, server, &flags, s.log); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("web: %w", err)
	}
	<-stopped
	return nil
}
