package rules_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

// gap is what labels say of an estimate: one row to insert.
type gap struct {
	at                                      time.Time
	deploy, stage, measure, window, verdict string
	value                                   float64
}

func insertGaps(t *testing.T, db *storage.DB, rows ...gap) {
	t.Helper()
	batch, err := db.Conn().PrepareBatch(t.Context(), "INSERT INTO findings (at, signal, model, deploy_hash, stage, reference, window, window_end, measure, value, effect, null_mean, p, count, coverage, verdict)")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rows {
		signal := "concept_drift"
		if g.measure == "labels_in" {
			signal = "maturity"
		}
		if err := batch.Append(g.at, signal, "flight-delay", g.deploy, g.stage, "estimate", g.window, g.at.Truncate(time.Hour), g.measure,
			g.value, g.value, 0.0, 1e-6, uint64(400), math.NaN(), g.verdict); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// TestTheTicketOfFindingsThatContradict goes the whole way: findings in ClickHouse,
// the generated rule, which here waits a second where it waits for hours, the alert,
// and the alert's own statement, which returns the gap that its text tells.
func TestTheTicketOfFindingsThatContradict(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{}).DB
	now, nothing := time.Now(), math.NaN()
	insertGaps(t, db,
		gap{now, awkward, "production", "estimate_gap", "1d", plumbline.VerdictBreach, -0.21},
		gap{now, awkward, "production", "estimate_gap", "7d", plumbline.VerdictBreach, -0.11},
		gap{now, "well", "production", "estimate_gap", "1d", plumbline.VerdictOK, -0.01},
		gap{now, "few", "production", "estimate_gap", "1d", plumbline.VerdictInsufficient, nothing},
		gap{now, "none", "production", "estimate_gap", "1d", plumbline.VerdictMissing, nothing},
		gap{now, "canary", "canary", "estimate_gap", "1d", plumbline.VerdictBreach, -0.3},
		gap{now, "raw", "production", "conditional_tvd", "7d", plumbline.VerdictBreach, 0.3},
		gap{now, "rolled-back", "production", "estimate_gap", "7d", plumbline.VerdictBreach, -0.3},
		gap{now, "rolled-back", "production", "labels_in", "1d", plumbline.VerdictMissing, nothing},
		gap{now.Add(-time.Hour), "former", "production", "estimate_gap", "1d", plumbline.VerdictBreach, -0.3},
	)
	tickets, stop := conceptTickets(t, db)
	a := <-tickets
	if got := a.Labels.Get(plumbline.LabelDeploy); got != awkward || !a.ResolvedAt.IsZero() || a.Labels.Get(plumbline.LabelSeverity) != plumbline.SeverityTicket {
		t.Fatalf("got %+v", a)
	}
	var (
		value, p        float64
		count           uint64
		window, assumes string
		windowEnd, at   time.Time
	)
	statement := a.Annotations.Get(plumbline.AnnotationSQL)
	if err := db.Conn().QueryRow(t.Context(), statement).Scan(&value, &p, &count, &window, &windowEnd, &assumes, &at); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
	if value != -0.21 || window != "1d" || count != 400 {
		t.Errorf("SQL gives %v over %s of %d labels", value, window, count)
	}
	insertGaps(t, db, gap{now.Add(time.Second), awkward, "production", "estimate_gap", "1d", plumbline.VerdictOK, -0.02})
	for a := range tickets {
		if got := a.Labels.Get(plumbline.LabelDeploy); got != awkward {
			t.Fatalf("a ticket of %s", got)
		}
		if !a.ResolvedAt.IsZero() {
			break
		}
	}
	stop()
}

// conceptTickets evaluates the generated rules every tenth of a second and returns
// the tickets of concept drift that they send, until stop is called.
func conceptTickets(t *testing.T, db *storage.DB) (tickets <-chan *rules.Alert, stop func()) {
	t.Helper()
	slos, err := rules.ParseFiles("testdata/flights.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, err := rules.WriteFile(filepath.Join(dir, "rules"), slos, rules.DefaultGenerateConfig())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	soon := bytes.Replace(bytes.Replace(content, []byte("for: 6h\n"), []byte("for: 1s\n"), 1), []byte("keep_firing_for: 1d\n"), []byte("keep_firing_for: 1s\n"), 1)
	if bytes.Count(soon, []byte("for: 1s\n")) != 2 {
		t.Fatalf("the ticket waits for another time:\n%s", content)
	}
	if err := os.WriteFile(path, soon, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := rules.DefaultConfig()
	cfg.Interval, cfg.RulesDir, cfg.StateFile = 100*time.Millisecond, filepath.Join(dir, "rules"), filepath.Join(dir, "alerts.json")
	sent := make(chan *rules.Alert)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	eval, err := rules.New(cfg, rules.Dependencies{
		Source: rules.FindingReader{Conn: db.Conn()},
		Notify: func(_ context.Context, _ string, alerts ...*rules.Alert) {
			for _, a := range alerts {
				if a.Labels.Get("alertname") != plumbline.AlertConceptDrift {
					continue
				}
				select {
				case sent <- a:
				case <-ctx.Done():
				}
			}
		},
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(sent)
		if err := eval.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	return sent, func() {
		t.Helper()
		if ctx.Err() != nil {
			t.Error("not all came within five minutes")
		}
		cancel()
		<-done
	}
}
