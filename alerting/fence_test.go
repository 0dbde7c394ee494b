package alerting_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/relay"
)

// onDuty raises every term that is refused.
type onDuty struct{}

func (onDuty) Raise(refused alerting.Term, known int64) (alerting.Term, bool, error) {
	return alerting.Term{Share: refused.Share, Number: known + 1}, true, nil
}

// Terms began anew, Kafka's offsets being gone, and the replica remembers the 57th: the
// page comes all the same, once whoever is on duty has raised its own.
func TestAPageUnderATermThatBeganAnew(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	config := relay.DefaultConfig()
	config.Peers = []string{s.api}
	r, err := relay.New(config, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.RaiseBy(onDuty{})
	if err := r.Announce(t.Context(), alerting.Term{Share: "rules-1", Number: 57}); err != nil {
		t.Fatal(err)
	}
	r.Send(alerting.Term{Share: "rules-1", Number: 1}, firing(plumbline.SeverityPage))
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(t.Context()) }()
	t.Cleanup(func() { <-done })
	w.waitPagerDuty(t, 1)
	wantActions(t, w, "trigger")
}

// A post that is too long says so, and is not taken for one that is wrong.
func TestATooLongPostSaysSo(t *testing.T) {
	s := newWorld(t).start(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api+"/api/v2/alerts", strings.NewReader(strings.Repeat(" ", 17<<20)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(alerting.TermHeader, "1 rules-1")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}
