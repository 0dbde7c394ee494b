package why

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/grid"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// rows are what ingest would have written.
type rows map[string][]map[string]any

// hour adds an hour of requests of 100 amounts a region, high of them at 900 and
// the rest at 50, and words.
func (r rows) hour(deploy, stage, segment string, at time.Time, high uint64) {
	key := func(series string) map[string]any {
		return map[string]any{"model": "m", "deploy_hash": deploy, "stage": stage, "segment": segment, "series": series, "time": at.Unix()}
	}
	regions := uint64(1)
	if segment == "" {
		regions = 2
	}
	requests := key("requests")
	requests["count"] = 110 * regions
	amount := key("feature:amount")
	amount["grid"], amount["count"] = grid.Full, 100*regions
	amount["hist"] = []any{[]int32{grid.Bucket(50), grid.Bucket(900)}, []uint64{100*regions - high, high}}
	r["series_hour"] = append(r["series_hour"], requests, amount)
	score := key("score")
	score["grid"], score["count"] = grid.FullOdds, 50*regions
	score["hist"] = []any{[]int32{grid.OddsBucket(.1), grid.OddsBucket(1)}, []uint64{25 * regions, 25 * regions}}
	r["series_hour"] = append(r["series_hour"], score)
	for kind, value := range []string{"DE", "", ""} {
		word := key("feature:country")
		word["value"], word["kind"], word["count"] = value, kind, 10*uint64(kind+1)*regions
		r["categories_hour"] = append(r["categories_hour"], word)
	}
}

func (r rows) store(t *testing.T, db *storage.DB) {
	t.Helper()
	for table, list := range r {
		testenv.Insert(t, db, table, list)
	}
}

// The rollups of a day in which deploy v2 serves amounts of 900 in region eu
// from six in the evening on.
func TestReaderDividesTheRollups(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB
	r := rows{}
	for h := range 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		deploy, high := "v1", uint64(10)
		if h >= 18 {
			deploy, high = "v2", 80
		}
		r.hour(deploy, "production", "", at, 10+high)
		r.hour(deploy, "production", "region=eu", at, high)
		r.hour(deploy, "production", "region=us", at, 10)
		r.hour("v1", "training", "", start.Add(-day), 20)
		r.hour("v1", "training", "region=eu", start.Add(-day), 10)
		r.hour("v1", "training", "region=us", start.Add(-day), 10)
	}
	r.store(t, db)
	reader := Reader{Conn: db.Conn()}
	window := drift.Query{Model: "m", Stage: plumbline.StageProduction, From: start, To: start.Add(day)}
	samples := drift.Reader{Conn: db.Conn()}
	current, err := samples.Read(t.Context(), window)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := samples.Read(t.Context(), drift.Training("m"))
	if err != nil {
		t.Fatal(err)
	}
	scope := Scope{
		Window: window, Current: current, Reference: reference, References: []drift.Query{drift.Training("m")},
		Series: []plumbline.Series{"feature:amount", "feature:country", "score"}, Measure: measure.PSI,
	}
	parts, err := reader.Read(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	for _, series := range scope.Series {
		deploys, want := plus(parts[series].Deploys["v1"], parts[series].Deploys["v2"]), current.Sample(series)
		want.Weight = 0
		if fmt.Sprint(deploys) != fmt.Sprint(want) {
			t.Errorf("the deploys of %q add up to %v, want %v", series, deploys, want)
		}
		if len(parts[series].Slots) != 24 || len(parts[series].Segments["region"]) != 2 {
			t.Errorf("%d slots, segments %v", len(parts[series].Slots), parts[series].Segments)
		}
	}
	report, err := reader.Explain(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	amount := report.Series[0]
	if amount.Series != "feature:amount" || amount.Share < .99 || amount.Moves[0].Share < .5 {
		t.Fatalf("%+v", amount)
	}
	for _, d := range amount.Divisions {
		if math.Abs(shares(d.Parts)-1) > 1e-9 {
			t.Errorf("%s: shares add up to %v", d.By, shares(d.Parts))
		}
	}
	words := strings.Join(report.Lines(), "\n")
	for _, want := range []string{`"amount": 100 % of the drift`, `segment region "eu" carries 100 % with 50 % of the requests`, `deploy_hash "v2" carries`, "2026-05-14 18:00:00 to 2026-05-15 00:00:00 UTC carries"} {
		if !strings.Contains(words, want) {
			t.Errorf("the report does not say %q:\n%s", want, words)
		}
	}
	scope.Window.Segment = "region=us"
	slice, err := reader.Read(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	if s := slice["feature:amount"]; len(s.Segments) != 0 || s.Deploys["v1"].Total() != 18*110 {
		t.Errorf("a slice: %+v", s)
	}
}

func TestKeyAndValueOfSlices(t *testing.T) {
	for slice, want := range map[string][2]string{
		"region=eu": {"region", "eu"}, "kind=a=b": {"kind", "a=b"}, "region=eu,device=phone": {"region,device", "eu,phone"},
	} {
		if key, value := keyAndValue(slice); key != want[0] || value != want[1] {
			t.Errorf("%s is %q of %q", slice, value, key)
		}
	}
}

func TestSlotsAreFew(t *testing.T) {
	for days, want := range map[int]time.Duration{1: time.Hour, 8: time.Hour, 9: 6 * time.Hour, 48: 6 * time.Hour, 49: day} {
		if got := slot(drift.Query{From: start, To: start.Add(time.Duration(days) * day)}); got != want {
			t.Errorf("%d days: slots of %s, want %s", days, got, want)
		}
	}
	if got := slot(drift.Query{To: start}); got != day {
		t.Errorf("an unbounded window: slots of %s", got)
	}
}
