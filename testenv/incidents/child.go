package incidents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/duty"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/relay"
	"github.com/plumbline-slo/plumbline/alerting/slack"
)

// childEnv makes the program one of the processes that are killed.
const childEnv = "PLUMBLINE_INCIDENTS_CHILD"

// spec is everything a child needs.
type spec struct {
	Replica   *replicaSpec
	Evaluator *evaluatorSpec
}

type replicaSpec struct {
	Config    alerting.Config
	Slack     slack.Config
	PagerDuty pagerduty.Config
	Listen    string
}

type evaluatorSpec struct {
	Name     string
	Brokers  []string
	Duty     duty.Config
	Relay    relay.Config
	Truth    string // URL of the script
	Interval time.Duration
	Resend   time.Duration
	Validity time.Duration
}

// RunChildIfRequested is the first line of a program that plays incidents: it
// returns at once, unless the process was started as a child; then it never
// returns. A child ends with its parent, whose pipe is its standard input.
func RunChildIfRequested() {
	text := os.Getenv(childEnv)
	if text == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		// Whatever ends the pipe, the parent is gone.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	if err := runChild(ctx, text); err != nil {
		fmt.Fprintln(os.Stderr, "incidents:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runChild(ctx context.Context, text string) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if s.Replica != nil {
		return runReplica(ctx, *s.Replica, log)
	}
	return runEvaluator(ctx, *s.Evaluator, log)
}

func runReplica(ctx context.Context, s replicaSpec, log *slog.Logger) error {
	registry := prometheus.NewRegistry()
	toSlack, err := slack.New(s.Slack, registry)
	if err != nil {
		return err
	}
	toPagerDuty, err := pagerduty.New(s.PagerDuty)
	if err != nil {
		return err
	}
	service, err := alerting.New(s.Config, alerting.Deps{
		Channels: []alerting.Channel{toSlack, toPagerDuty}, Registry: registry, Logger: log,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: service.Handler(), ReadHeaderTimeout: 10 * time.Second}
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serve", "err", err)
		}
	})
	err = service.Run(ctx)
	err = errors.Join(err, server.Close())
	parts.Wait()
	return err
}

// burning is one alert of the script that fires now.
type burning struct {
	Group       string
	Labels      map[string]string
	Annotations map[string]string
}

func (b burning) key() string { return fmt.Sprint(b.Labels) } // fmt prints maps in order

// evaluator does what rules.Evaluator does with the findings: it says what fires
// when that changes, and again every Resend.
type evaluator struct {
	evaluatorSpec
	member *duty.Member
	relay  *relay.Relay
	log    *slog.Logger
	known  map[string]*spoken
	terms  map[string]alerting.Term // by group, those whose predecessor's alerts were adopted
}

type spoken struct {
	burning
	starts, ends, sent time.Time // ends is zero while it fires
	annotations        string
}

func runEvaluator(ctx context.Context, s evaluatorSpec, log *slog.Logger) error {
	carrier, err := relay.New(s.Relay, prometheus.NewRegistry(), log)
	if err != nil {
		return err
	}
	member, err := duty.New(s.Duty, duty.Dependencies{Brokers: s.Brokers, Announcer: carrier, Registry: prometheus.NewRegistry(), Logger: log})
	if err != nil {
		return err
	}
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { _ = carrier.Run(ctx) }) // neither returns an error
	parts.Go(func() { _ = member.Run(ctx) })
	e := &evaluator{evaluatorSpec: s, member: member, relay: carrier, log: log, known: make(map[string]*spoken), terms: make(map[string]alerting.Term)}
	ticker := time.NewTicker(s.Interval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if err := e.evaluate(ctx, now); err != nil && ctx.Err() == nil {
				log.Warn("evaluate", "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (e *evaluator) evaluate(ctx context.Context, now time.Time) error {
	script, err := e.read(ctx)
	if err != nil {
		return err
	}
	fires := make(map[string]bool)
	for _, b := range script.Burning {
		fires[b.key()] = true
		term, ok := e.member.Term(b.Group)
		if !ok {
			delete(e.known, b.key())
			continue
		}
		s := e.known[b.key()]
		if s == nil || !s.ends.IsZero() {
			s = &spoken{burning: b, starts: now}
			e.known[b.key()] = s
		}
		s.burning = b
		if annotations := fmt.Sprint(b.Annotations); now.Sub(s.sent) >= e.Resend || annotations != s.annotations {
			s.sent, s.annotations = now, annotations
			e.relay.Send(term, s.alert(now.Add(e.Validity)))
		}
	}
	for key, s := range e.known {
		term, ok := e.member.Term(s.Group)
		switch {
		case fires[key]:
			continue
		case !ok || !s.ends.IsZero() && now.Sub(s.ends) > e.Validity:
			delete(e.known, key)
			continue
		case s.ends.IsZero():
			s.ends, s.sent = now, time.Time{}
		}
		if now.Sub(s.sent) >= e.Resend {
			s.sent = now
			e.relay.Send(term, s.alert(s.ends))
		}
	}
	return e.adopt(ctx, script, fires, now)
}

func (s *spoken) alert(ends time.Time) alerting.Alert {
	return alerting.Alert{Labels: s.Labels, Annotations: s.Annotations, StartsAt: s.starts, EndsAt: ends}
}

// adopt ends what the former evaluator of a group had firing and this one does
// not see.
func (e *evaluator) adopt(ctx context.Context, script script, fires map[string]bool, now time.Time) error {
	var news []string
	for _, group := range script.Groups {
		if term, ok := e.member.Term(group); ok && e.terms[group] != term {
			news = append(news, group)
		}
	}
	if len(news) == 0 {
		return nil
	}
	active, err := e.relay.Active(ctx)
	for _, a := range active {
		b := burning{Group: a.Labels["model"], Labels: a.Labels, Annotations: a.Annotations}
		term, ok := e.member.Term(b.Group)
		if !ok || fires[b.key()] || e.known[b.key()] != nil {
			continue
		}
		s := &spoken{burning: b, starts: a.StartsAt, ends: now, sent: now}
		e.known[b.key()] = s
		e.relay.Send(term, s.alert(now))
	}
	if err != nil {
		return err // asked again at the next evaluation
	}
	for _, group := range news {
		e.terms[group], _ = e.member.Term(group)
	}
	return nil
}

// script is what burns now, as the parent serves it.
type script struct {
	Groups  []string
	Burning []burning
}

func (e *evaluator) read(ctx context.Context) (script, error) {
	var s script
	about := url.Values{"evaluator": {e.Name}, "duties": {strconv.Itoa(e.member.Duties())}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Truth+"?"+about.Encode(), nil)
	if err != nil {
		return s, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	return s, json.NewDecoder(response.Body).Decode(&s)
}
