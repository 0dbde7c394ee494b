package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

// The terms of a Kafka that is new to the replicas begin at one: whoever has the duties
// speaks over what the replicas remember.
func TestTheSpeakerRaisesTermsThatReplicasRemember(t *testing.T) {
	took := make(chan string, 100)
	replica := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		term, err := alerting.ParseTerm(q.Header.Get(alerting.TermHeader))
		body, bodyErr := io.ReadAll(q.Body)
		if err != nil || bodyErr != nil {
			t.Error(err, bodyErr)
		}
		switch {
		case string(body) == "[]": // it heard of no announcement
		case term.Number <= 57:
			w.Header().Set(alerting.TermHeader, alerting.Term{Share: term.Share, Number: 57}.String())
			w.WriteHeader(http.StatusConflict)
		default:
			took <- term.String()
		}
	}))
	defer replica.Close()
	a := &App{cfg: DefaultConfig(), log: slog.New(slog.DiscardHandler), registry: newRegistry(), brokers: kafkatest.Embedded(t).Addresses()}
	a.cfg.Alerting.Relay.Peers, a.cfg.Alerting.Relay.Retry = []string{replica.URL}, 5*time.Millisecond
	var err error
	if a.dialer, err = dial.New(dial.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	s, err := a.newSpeaker()
	if err != nil {
		t.Fatal(err)
	}
	parts := newStack(a.log)
	defer func() { _ = parts.stopAll(nil) }()
	parts.start("relay", s.relay.Run)
	parts.start("duty", s.member.Run)
	tick, late := time.NewTicker(5*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for s.member.Duties() == 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it has no duties")
		}
	}
	term, _ := s.member.Term("slo")
	if term.Number != 1 {
		t.Fatalf("term %v", term)
	}
	s.relay.Send(term, alerting.Alert{Labels: map[string]string{"alertname": "a"}, StartsAt: time.Now()})
	select {
	case got := <-took:
		if want := (alerting.Term{Share: term.Share, Number: 58}).String(); got != want {
			t.Errorf("taken under %q, want %q", got, want)
		}
	case <-late:
		t.Error("the page never came")
	}
}
