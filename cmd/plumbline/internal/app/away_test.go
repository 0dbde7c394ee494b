package app_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/rules/promapi"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/broker"
)

// A ClickHouse that starts later than the service, or behind something that says it
// is away, is awaited: /-/ready says why, and the service has not ended.
func TestAClickHouseThatIsAwayIsAwaited(t *testing.T) {
	w := newWorld(t)
	env := testenv.Start(t, testenv.Setup{})
	real, err := url.Parse(env.DSN)
	if err != nil {
		t.Fatal(err)
	}
	front, web := reserve(t), reserve(t)
	s := w.begin(t, func(c *app.Config) {
		there := *real
		there.Host = front
		c.ClickHouse.DSN, c.ClickHouse.Database = there.String(), env.DB.Database()
		c.Web.Listen = web
	})
	eventually(t, "/-/ready says that nothing listens", answers(web+"/-/ready", http.StatusServiceUnavailable, "connection refused"))

	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: real.Scheme, Host: real.Host})
	var there atomic.Bool
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !there.Load() {
			http.Error(w, "no server is there", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", front)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }() // it ends with the test
	t.Cleanup(func() { s.stop(); _ = server.Close() })
	eventually(t, "/-/ready says what the gateway says", answers(web+"/-/ready", http.StatusServiceUnavailable, "HTTP 503"))

	there.Store(true)
	wait, end := withPatience(t)
	defer end()
	if err := s.WaitReady(wait); err != nil {
		t.Fatal(err)
	}
	if status, body := s.get(t, "/-/ready"); status != http.StatusOK {
		t.Errorf("/-/ready answers %d: %s", status, body)
	}
}

// A Kafka that starts later than the service is awaited, while the pages and the
// alerts of what is stored go on.
func TestAKafkaThatIsAwayIsAwaited(t *testing.T) {
	w := newWorld(t)
	front, web := reserve(t), reserve(t)
	s := w.begin(t, func(c *app.Config) {
		c.Kafka.Brokers, c.Web.Listen = []string{front}, web
	})
	eventually(t, "/-/ready says that nothing listens", answers(web+"/-/ready", http.StatusServiceUnavailable, "connect to Kafka at "+front))
	eventually(t, "rules are evaluated", answers(web+promapi.Path+"/api/v1/rules", http.StatusOK, `"lastEvaluation":"20`))

	cfg := broker.DefaultConfig()
	cfg.Listen, cfg.DataDir = front, t.TempDir()
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(); b.Close() })
	wait, end := withPatience(t)
	defer end()
	if err := s.WaitReady(wait); err != nil {
		t.Fatal(err)
	}
	s.send(t, deployment("d1", "v1", time.Now()))
	s.until(t, "SELECT count() FROM deployments", 1)
}

// answers reports whether an address answers with a status and these words.
func answers(address string, status int, words string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		got, body, err := ask(ctx, "http://"+address)
		return err == nil && got == status && strings.Contains(body, words)
	}
}
