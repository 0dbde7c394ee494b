// Package realclickhouse starts ClickHouse servers for tests: ClickHouse's own
// HTTP and native interfaces on loopback ports, each server in a process of its
// own with its data in a temporary folder, several of them as the shards of one
// cluster. Every other test speaks to the interface that storage/engine offers in
// front of the same library; what Plumbline promises has to hold on ClickHouse's.
//
// The servers come out of the engine's library, which holds the whole of
// clickhouse-local, listeners included. What it does not have are the parts of a
// server that need Keeper: the queue of ON CLUSTER statements, which a relay in
// front of each server stands in for, and replicas: the tables are those of one
// replica a shard, without the word Replicated. Distributed tables and what the
// servers ask each other are ClickHouse's own.
//
// Only tests and commands import it. A program that calls Start calls
// RunServerIfRequested first.
package realclickhouse

import (
	"bytes"
	"context"
	_ "embed" // config.xml
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/address"
)

//go:embed config.xml
var configuration string

// Cluster is the name under which all servers know each other as shards.
const Cluster = "plumbline_test"

// Config says how many servers are started.
type Config struct {
	// Servers is how many there are, each of them a shard of Cluster. Default 1.
	Servers int
	// Spread lets tests write into the Distributed tables, whose rows then lie on
	// any shard but those that replace each other; in production they take none.
	Spread bool
	// StartTimeout bounds starting all of them. Default 5 min; it takes about a
	// second on an idle machine.
	StartTimeout time.Duration
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config { return Config{Servers: 1, StartTimeout: 5 * time.Minute} }

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	var errs []error
	if c.Servers < 1 || c.Servers > 8 {
		errs = append(errs, fmt.Errorf("servers: %d is not between 1 and 8", c.Servers))
	}
	if c.StartTimeout < time.Second {
		errs = append(errs, fmt.Errorf("start_timeout: %s is under 1s", c.StartTimeout))
	}
	return errors.Join(errs...)
}

// ClickHouse are the running servers.
type ClickHouse struct {
	dir     string
	servers []*server
}

// server is one of them, with the relay that clients speak to.
type server struct {
	http, tcp *address.Reserved
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended
	relay     *http.Server
	dsn       string
}

// Start returns when every server answers. Close ends them. The error wraps
// [engine.ErrNoLibrary] where the library is missing, and holds the end of a
// server's log if it did not start. ctx bounds Start, not the life of the servers.
func Start(ctx context.Context, cfg Config) (*ClickHouse, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	library, err := engine.FindLibrary("", "")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	c := &ClickHouse{}
	if c.dir, err = os.MkdirTemp("", "plumbline-clickhouse-"); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	if err := c.start(ctx, library, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("start ClickHouse: %w", err), c.Close())
	}
	return c, nil
}

func (c *ClickHouse) start(ctx context.Context, library string, cfg Config) error {
	for range cfg.Servers {
		s := &server{exited: make(chan struct{})}
		c.servers = append(c.servers, s)
		for _, reserved := range []**address.Reserved{&s.http, &s.tcp} {
			var err error
			if *reserved, err = address.Reserve(); err != nil {
				return err
			}
		}
	}
	for i, s := range c.servers {
		if err := c.run(s, i, library); err != nil {
			return err
		}
	}
	var to *spread
	if cfg.Spread {
		to = &spread{keys: map[string]string{}}
	}
	for i, s := range c.servers {
		if err := s.waitReady(ctx); err != nil {
			text, _ := os.ReadFile(c.log(i))
			return fmt.Errorf("server %d: %w\n%s", i+1, err, tail(text))
		}
		if err := s.listen(c.servers, to); err != nil {
			return err
		}
	}
	return nil
}

func (c *ClickHouse) log(i int) string { return filepath.Join(c.dir, fmt.Sprintf("server%d.log", i+1)) }

// run starts one server's process: this program again, see RunServerIfRequested.
func (c *ClickHouse) run(s *server, i int, library string) error {
	parsed, err := template.New("config.xml").Parse(configuration)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	values := struct {
		Cluster string
		Ports   []string
	}{Cluster: Cluster}
	for _, other := range c.servers {
		values.Ports = append(values.Ports, port(other.tcp))
	}
	if err := parsed.Execute(&text, values); err != nil {
		return err
	}
	file := filepath.Join(c.dir, fmt.Sprintf("server%d.xml", i+1))
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return err
	}
	log, err := os.Create(c.log(i))
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own descriptor
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// The server outlives the start.
	s.cmd = exec.Command(self) //nolint:noctx // Close ends it
	s.cmd.Env = append(os.Environ(), libraryVariable+"="+library, argumentsVariable+"="+strings.Join([]string{
		"--config-file=" + file, "--path=" + filepath.Join(c.dir, fmt.Sprintf("data%d", i+1)), "--listen_host=127.0.0.1",
		"--http_port=" + port(s.http), "--tcp_port=" + port(s.tcp), "--interactive", "--progress=off", "--query=" + listening,
	}, "\n"))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = ownGroup()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // it ends by a signal, or its log tells more
	}()
	return nil
}

// waitReady asks until the server answers.
func (s *server) waitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		last := s.ask(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.exited:
			return fmt.Errorf("it ended: %w", last)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		}
	}
}

func (s *server) ask(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http.Addr+"/ping", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ping: %s", answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// listen puts the relay in front of the server.
func (s *server) listen(all []*server, to *spread) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.relay = &http.Server{Handler: newRelay(&url.URL{Scheme: "http", Host: s.http.Addr}, all, to), ReadHeaderTimeout: time.Minute}
	s.dsn = "http://default:@" + listener.Addr().String()
	go func() { _ = s.relay.Serve(listener) }() // until Close
	return nil
}

// DSNs returns the address of every server, in clickhouse-go's form.
func (c *ClickHouse) DSNs() []string {
	var all []string
	for _, s := range c.servers {
		all = append(all, s.dsn)
	}
	return all
}

// Close ends the servers and removes what they stored. That a server has crashed
// is an error, which holds what its log says of it; writing that takes a crashed
// server a while, in which its process is still there.
func (c *ClickHouse) Close() error {
	var errs []error
	for i, s := range c.servers {
		text, _ := os.ReadFile(c.log(i))
		if crash := fatal(text); len(crash) > 0 {
			errs = append(errs, fmt.Errorf("server %d crashed\n%s", i+1, crash))
		}
		if s.relay != nil {
			errs = append(errs, s.relay.Close())
		}
		if s.cmd != nil && s.cmd.Process != nil {
			_ = s.cmd.Process.Kill() // it may have ended
			<-s.exited
		}
		for _, reserved := range []*address.Reserved{s.http, s.tcp} {
			if reserved != nil {
				errs = append(errs, reserved.Release())
			}
		}
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

func port(r *address.Reserved) string { return r.Addr[strings.LastIndexByte(r.Addr, ':')+1:] }

// fatal are the lines of a log that a crash wrote.
func fatal(text []byte) []byte {
	var lines [][]byte
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte("<Fatal>")) {
			lines = append(lines, line)
		}
	}
	return bytes.Join(lines, nil)
}

// tail is the end of a log.
func tail(text []byte) []byte { return text[max(0, len(text)-2000):] }
