package incidents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/duty"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/relay"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// The clocks of the processes: what takes minutes in production takes seconds.
const (
	groupWait     = 200 * time.Millisecond
	groupInterval = 500 * time.Millisecond
	peerTimeout   = 3 * time.Second
	validity      = 40 * time.Second // how long an evaluator may be silent
	resend        = 2 * time.Second
	interval      = 250 * time.Millisecond
)

const routingKey = "0123456789abcdef0123456789abcdef"

// world is the fakes, the Kafka, the script and the four processes.
type world struct {
	dir        string
	self       string // the program
	slack      *fakeslack.Server
	pagerduty  *fakepagerduty.Server
	truth      *truth
	client     *http.Client
	replicas   []*process
	evaluators []*process
	apis       []string
	closers    []func()
}

// truth is the script's hand: what burns now.
type truth struct {
	duties *failovers

	mu      sync.Mutex
	groups  []string
	burning map[string]burning
}

func (t *truth) set(b burning) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.burning[b.key()] = b
}

func (t *truth) end(b burning) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.burning, b.key())
}

// ServeHTTP answers an evaluator, who says how many duties it has, with everything
// that burns.
func (t *truth) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if duties, err := strconv.Atoi(r.URL.Query().Get("duties")); err == nil {
		t.duties.says(r.URL.Query().Get("evaluator"), duties)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := script{Groups: t.groups}
	for _, b := range t.burning {
		s.Burning = append(s.Burning, b)
	}
	_ = json.NewEncoder(w).Encode(s) // a client that went away needs no body
}

func newWorld(models []plumbline.Model) (w *world, err error) {
	w = &world{truth: &truth{burning: make(map[string]burning), duties: newFailovers(duty.DefaultConfig().Partitions, time.Now)}, client: &http.Client{Timeout: 10 * time.Second}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.self, err = os.Executable(); err != nil {
		return w, err
	}
	if w.dir, err = os.MkdirTemp("", "plumbline-incidents-"); err != nil {
		return w, err
	}
	w.closers = append(w.closers, func() { _ = os.RemoveAll(w.dir) })
	if w.slack, err = fakeslack.Start("127.0.0.1:0"); err != nil {
		return w, err
	}
	w.closers = append(w.closers, func() { _ = w.slack.Close() })
	if w.pagerduty, err = fakepagerduty.Start("127.0.0.1:0"); err != nil {
		return w, err
	}
	w.closers = append(w.closers, func() { _ = w.pagerduty.Close() })
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.Listen = filepath.Join(w.dir, "kafka"), "127.0.0.1:0"
	cfg.MinSession, cfg.MaxRebalance = time.Second, 2*time.Second
	kafka, err := broker.New(cfg)
	if err != nil {
		return w, err
	}
	if err := kafka.Start(); err != nil {
		return w, err
	}
	w.closers = append(w.closers, kafka.Close)
	for _, m := range models {
		w.truth.groups = append(w.truth.groups, string(m))
	}
	server := httptest.NewServer(w.truth)
	w.closers = append(w.closers, server.Close)
	return w, w.describe(models, kafka.Addresses(), server.URL)
}

// describe makes the processes, which run when they are started.
func (w *world) describe(models []plumbline.Model, brokers []string, truth string) error {
	keyFile := filepath.Join(w.dir, "routing-key")
	if err := os.WriteFile(keyFile, []byte(routingKey), 0o600); err != nil {
		return err
	}
	var listen, gossip [2]string
	for i := range 2 {
		var errs [2]error
		listen[i], errs[0] = freeAddress()
		gossip[i], errs[1] = freeAddress()
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
		w.apis = append(w.apis, "http://"+listen[i])
	}
	for i := range 2 {
		config := alerting.DefaultConfig()
		config.DataDir = filepath.Join(w.dir, fmt.Sprintf("replica-%d", i))
		config.GroupWait, config.GroupInterval, config.RestartGrace = groupWait, groupInterval, validity
		config.Owners = []plumbline.OwnerEntry{{Name: "oncall", Team: "Models", SlackChannel: "#oncall", PagerDutyKeyFile: keyFile, Models: models}}
		config.Cluster.Listen, config.Cluster.Peers = gossip[i], []string{gossip[1-i]}
		config.Cluster.PeerTimeout, config.Cluster.Settle, config.Cluster.GossipInterval = peerTimeout, 5*time.Second, 50*time.Millisecond
		config.Cluster.PushPullInterval, config.Cluster.Reconnect = 2*time.Second, time.Second
		toSlack := slack.DefaultConfig()
		toSlack.Token, toSlack.APIURL, toSlack.Interval = "xoxb-test", w.slack.APIURL(), 0
		toPagerDuty := pagerduty.DefaultConfig()
		toPagerDuty.APIURL = w.pagerduty.URL()
		w.replicas = append(w.replicas, &process{world: w, name: fmt.Sprintf("replica %d", i), spec: spec{Replica: &replicaSpec{
			Config: config, Slack: toSlack, PagerDuty: toPagerDuty, Listen: listen[i],
		}}})
		cfg := duty.DefaultConfig()
		cfg.Session, cfg.Rebalance = 2*time.Second, time.Second
		carry := relay.DefaultConfig()
		carry.Peers, carry.Retry = w.apis, 200*time.Millisecond
		name := fmt.Sprintf("evaluator %d", i)
		w.evaluators = append(w.evaluators, &process{world: w, name: name, spec: spec{Evaluator: &evaluatorSpec{
			Name: name, Brokers: brokers, Duty: cfg, Relay: carry, Truth: truth, Interval: interval, Resend: resend, Validity: validity,
		}}})
	}
	return nil
}

// freeAddress returns an address below the ports of outgoing connections, so
// that a process finds it free at every start.
func freeAddress() (string, error) {
	const first, last = 10_000, 30_000
	var err error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first))
		var l, p io.Closer
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", address); err != nil {
			continue
		}
		if p, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp", address); err != nil {
			_ = l.Close() // another address is tried
			continue
		}
		return address, errors.Join(l.Close(), p.Close())
	}
	return "", fmt.Errorf("find a free address: %w", err)
}

func (w *world) processes() []*process {
	return append(append([]*process(nil), w.replicas...), w.evaluators...)
}

// start runs everything and waits until both replicas answer.
func (w *world) start(ctx context.Context) error {
	for _, p := range w.processes() {
		if err := p.start(); err != nil {
			return err
		}
	}
	return w.until(ctx, patience, "both replicas answer", func() bool {
		for _, api := range w.apis {
			if w.get(ctx, api+"/api/v2/status", nil) != nil {
				return false
			}
		}
		return true
	})
}

func (w *world) close() {
	for _, p := range w.processes() {
		p.kill()
	}
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
}

// until asks again until ok, or returns an error after the patience.
func (w *world) until(ctx context.Context, patience time.Duration, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited %s in vain until %s", patience, what)
		}
	}
	return nil
}

func (w *world) get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return w.do(request, into)
}

func (w *world) do(request *http.Request, into any) error {
	response, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s: status %d: %s", request.URL.Path, response.StatusCode, body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// process is one child and its lives.
type process struct {
	*world
	name string
	spec spec

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	text, err := json.Marshal(p.spec)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(p.dir, "children.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()                        // the child has its own descriptor
	p.cmd = exec.CommandContext(context.Background(), p.self) // it is killed, not cancelled
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	p.cmd.Stderr = log
	if _, err := p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	exited, cmd := make(chan struct{}), p.cmd
	p.exited = exited
	go func() {
		defer close(exited)
		_ = cmd.Wait() // it is killed, so it never ends well
	}()
	return nil
}

// kill is kill -9; it returns when the process is gone.
func (p *process) kill() { p.signal(os.Kill) }

// stop asks the process to end well.
func (p *process) stop() { p.signal(syscall.SIGTERM) }

func (p *process) signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(s) // it may have ended by itself
	defer p.truth.duties.lost(p.name)
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	p.cmd = nil
}
