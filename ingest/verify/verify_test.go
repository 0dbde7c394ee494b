package verify_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestStatementsAreComplete(t *testing.T) {
	for _, table := range []plumbline.TableName{plumbline.TableSeriesHour, plumbline.TableSeriesMinute, plumbline.TableCategories} {
		query := verify.SelectSQL(table, "predictions", "1 = 1")
		if strings.Contains(query, "$") || !strings.Contains(query, "1 = 1") {
			t.Errorf("%s: a placeholder is left in\n%s", table, query)
		}
	}
}

// The comparison against what ingest counts is a test of ingest; here the
// verification must refuse what it cannot know, and find what was never rolled
// up.
func TestRefusesExpiredRowsAndFindsMissingRollups(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	exec := func(query string) {
		t.Helper()
		if err := env.DB.Conn().Exec(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	now := time.Now().UTC()
	exec("INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known, numbers, _topic, _epoch) SELECT 'm', 'd', 'production', toString(number), now64(3) - 7200, now64(3), map('f', 1.5), 't', 'e' FROM numbers(3)")
	exec("INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events) VALUES ('t', 'e', 0, 0, 2, 'predictions', 3, 3)")
	report, err := verify.Run(t.Context(), env.DB.Conn(), verify.Options{From: now.Add(-4 * time.Hour), To: now})
	if err != nil {
		t.Fatal(err)
	}
	if report.Rows != 3 || report.InFlight != 0 || report.Equal() {
		t.Errorf("report without rollups: %+v", report)
	}
	if got := report.Tables[0]; got.Keys != 2 || got.Differing != 2 || len(got.Differences) != 2 || !strings.Contains(strings.Join(got.Differences, " "), "feature:f") {
		t.Errorf("series_hour: %+v, want two keys that differ: requests and feature:f", got)
	}
	exec("INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events) VALUES ('t', 'e', 0, 3, 9, 'predictions', 7, 7)")
	if _, err := verify.Run(t.Context(), env.DB.Conn(), verify.Options{From: now.Add(-48 * time.Hour), To: now}); !errors.Is(err, verify.ErrIncomplete) {
		t.Errorf("raw rows are gone: %v, want ErrIncomplete", err)
	}
	if _, err := verify.Run(t.Context(), env.DB.Conn(), verify.Options{From: now, To: now.Add(-time.Hour * 2)}); err == nil {
		t.Error("an empty range is verified")
	}
}
