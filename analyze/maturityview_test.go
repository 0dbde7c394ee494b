package analyze

import (
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
)

// The view tells of each window what was found last, and nothing that is older than
// an hour. It asks the clock of the engine for now, as a dashboard does.
func TestMaturityIsWhatWasFoundLast(t *testing.T) {
	db := startDB(t)
	at := time.Now().UTC().Truncate(time.Second)
	end := at.Truncate(time.Hour)
	found := func(ago time.Duration, deploy, measure string, value, low, high, coverage any) map[string]any {
		return map[string]any{
			"model": "loans", "deploy_hash": deploy, "signal": plumbline.SignalMaturity, "measure": measure, "window": "1d", "window_end": end.UnixMilli(),
			"at": at.Add(-ago).UnixMilli(), "value": value, "low": low, "high": high, "coverage": coverage, "verdict": plumbline.VerdictOK,
		}
	}
	insert(t, db, "findings", []map[string]any{
		found(10*time.Minute, "v1", plumbline.MeasureLabelsIn, 0.5, 0.4, 0.6, 0.3),
		found(5*time.Minute, "v1", plumbline.MeasureLabelsIn, 0.75, 0.7, 0.8, 0.6),
		found(5*time.Minute, "v1", plumbline.MeasureMatureIn, 7200, nil, nil, 0),
		found(5*time.Minute, "", plumbline.MeasureLabelsIn, 0.25, 0.2, 0.3, 0.1),
		found(2*time.Hour, "v0", plumbline.MeasureLabelsIn, 1, 1, 1, 1),
	})
	rows, err := db.Conn().Query(t.Context(), "SELECT deploy_hash, until, labels_in, low, high, coverage, mature_at, toString(verdict) FROM maturity WHERE model = 'loans' AND window = '1d' ORDER BY deploy_hash")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	type line struct {
		deploy                  string
		labels, low, high, knew float64
		verdict                 string
	}
	var got []line
	for rows.Next() {
		var (
			l             line
			until, mature *time.Time
		)
		if err := rows.Scan(&l.deploy, &until, &l.labels, &l.low, &l.high, &l.knew, &mature, &l.verdict); err != nil {
			t.Fatal(err)
		}
		if !until.Equal(end) || (mature != nil) != (l.deploy == "v1") || mature != nil && !mature.Equal(end.Add(2*time.Hour)) {
			t.Errorf("the window of %q ends at %v and is mature at %v, want %v and two hours later", l.deploy, until, mature, end)
		}
		got = append(got, l)
	}
	want := []line{{"", 0.25, 0.2, 0.3, 0.1, "ok"}, {"v1", 0.75, 0.7, 0.8, 0.6, "ok"}}
	if rows.Err() != nil || len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v, %v", got, want, rows.Err())
	}
}
