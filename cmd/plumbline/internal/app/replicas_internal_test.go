package app

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/relay"
	"github.com/plumbline-slo/plumbline/rules"
)

// evaluated is an evaluator that looks all the time and sees one alert.
type evaluated struct{ holds map[string]string }

func (e evaluated) Evaluations() []rules.Evaluated {
	return []rules.Evaluated{{Group: rules.GroupPrefix + "s", At: time.Now().Add(time.Hour), Every: time.Second}}
}

func (e evaluated) Conditions() []map[string]string { return []map[string]string{e.holds} }

// Who takes over ends what one replica says to fire, though another does not
// answer, and asks that one again.
func TestTakeoverUsesWhatAnswers(t *testing.T) {
	burns := func(deploy string) map[string]string {
		return map[string]string{"alertname": plumbline.AlertSLOBurn, plumbline.LabelSLO: "s", plumbline.LabelDeploy: deploy}
	}
	replica := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode([]map[string]any{{"labels": burns("ended")}, {"labels": burns("holds")}})
	}))
	defer replica.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	cfg := relay.DefaultConfig()
	cfg.Peers = []string{replica.URL, gone.URL}
	carrier, err := relay.New(cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	term := func(string) (alerting.Term, bool) { return alerting.Term{Share: "rules-1", Number: 2}, true }
	taking := newTakeover(carrier, term, evaluated{burns("holds")}, slog.New(slog.DiscardHandler))
	now := time.Now()
	if err := taking.look(t.Context(), now); err == nil {
		t.Error("a replica that does not answer is not told of")
	}
	// One alert, for each of the two replicas: it is carried until they take it.
	if got := carrier.Pending(); got != 2 {
		t.Errorf("%d ends are on their way, want that of the alert that does not hold, to both", got)
	}
	of := taking.taken[rules.GroupPrefix+"s"]
	if of.done || !of.next.After(now) {
		t.Errorf("%+v: the replica that did not answer is not asked again", of)
	}
	if err := taking.look(t.Context(), now); err != nil {
		t.Errorf("asked before its time: %v", err)
	}
	if err := taking.look(t.Context(), of.next); err == nil || !taking.taken[rules.GroupPrefix+"s"].next.After(of.next.Add(of.pause)) {
		t.Errorf("%v: not asked again, or no more rarely", err)
	}
}
