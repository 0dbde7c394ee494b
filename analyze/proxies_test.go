package analyze

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/proxy"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// answered is one prediction with what speaks before its label.
type answered struct {
	at                  time.Time
	score, disagreement float64
	explained           int // -1 where the event does not say
}

// rollUp makes the rows of series_hour that ingest would write of them.
func rollUp(model string, all []answered) []map[string]any {
	type key struct {
		series string
		hour   int64
	}
	type cell struct {
		count int
		sum   float64
		hist  map[int32]uint64
	}
	cells := map[key]*cell{}
	add := func(series plumbline.Series, at time.Time, v float64, bucket int32) {
		k := key{string(series), at.Truncate(time.Hour).Unix()}
		if cells[k] == nil {
			cells[k] = &cell{hist: map[int32]uint64{}}
		}
		cells[k].count++
		cells[k].sum += v
		cells[k].hist[bucket]++
	}
	for _, a := range all {
		add(plumbline.SeriesRequests, a.at, 0, 0)
		add(plumbline.SeriesScore, a.at, a.score, grid.OddsBucket(a.score))
		add(plumbline.SeriesDisagreement, a.at, a.disagreement, grid.Bucket(a.disagreement))
		if a.explained >= 0 {
			add(plumbline.SeriesExplained, a.at, float64(a.explained), grid.Bucket(float64(a.explained)))
		}
	}
	var rows []map[string]any
	for k, c := range cells {
		buckets := slices.Sorted(maps.Keys(c.hist))
		counts := make([]uint64, len(buckets))
		for i, b := range buckets {
			counts[i] = c.hist[b]
		}
		version := grid.Full
		if k.series == "score" {
			version = grid.FullOdds
		}
		row := map[string]any{"model": model, "deploy_hash": "v1", "stage": "production", "segment": "", "series": k.series, "grid": version, "time": k.hour,
			"count": c.count, "rows": c.count, "sum_nano": int64(math.Round(c.sum * 1e9)), "hist": []any{buckets, counts}}
		if k.series == "requests" {
			row["grid"], row["hist"] = "", []any{[]int32{}, []uint64{}}
		}
		rows = append(rows, row)
	}
	return rows
}

// proxyEnd is the end of the window of the proxies' worlds, of which ten hours a
// day have traffic.
var proxyEnd = time.Date(2026, 5, 14, 0, 0, 0, 0, time.UTC)

// proxyWorld is nine weeks of Wednesdays, and other days that must not count.
func proxyWorld(r *rand.Rand, odd bool) []answered {
	var all []answered
	for week := range 9 {
		day := proxyEnd.Add(-24*time.Hour - time.Duration(week)*7*24*time.Hour)
		shift := r.NormFloat64() * 0.01
		for hour := range 10 {
			for range 60 {
				a := answered{at: day.Add(time.Duration(8+hour)*time.Hour + time.Duration(r.IntN(3600))*time.Second), explained: 1}
				a.score = min(max(0.85+shift+0.1*r.NormFloat64(), 0.001), 0.999)
				a.disagreement = float64(r.IntN(4)) / 5
				switch r.IntN(20) {
				case 0:
					a.explained = 0
				case 1:
					a.explained = -1
				}
				if odd && week == 0 {
					a.score, a.disagreement = 0.5+0.05*r.Float64(), 0.6
					if r.IntN(2) == 0 {
						a.explained = -1
					}
				}
				all = append(all, a)
			}
		}
		// Of another day of the week, and of the hour after the window.
		all = append(all, answered{at: day.Add(-time.Hour), score: 0.5, disagreement: 0.9, explained: -1}, answered{at: day.Add(24 * time.Hour), score: 0.5, disagreement: 0.9, explained: -1})
	}
	return all
}

// The figures that SQL reads off the rollups are those of the predictions
// themselves, by brute force, in every week.
func TestProxiesEqualBruteForce(t *testing.T) {
	db := startDB(t)
	r := rand.New(rand.NewPCG(2, 2))
	all := proxyWorld(r, true)
	insert(t, db, "series_hour", rollUp("m", all))
	figures, err := proxy.Reader{Conn: db.Conn()}.Series(t.Context(), proxy.Window{Model: "m", End: proxyEnd, Length: day, Weeks: 8}, 0.6)
	if err != nil || len(figures) != 5 {
		t.Fatalf("%d figures, %v", len(figures), err)
	}
	for week := range 9 {
		end := proxyEnd.Add(-time.Duration(week) * 7 * day)
		want, n := map[string]float64{}, 0.0
		for _, a := range all {
			if a.at.Before(end.Add(-day)) || !a.at.Before(end) {
				continue
			}
			n++
			c := math.Max(a.score, 1-a.score)
			want[plumbline.MeasureConfidence] += c
			want[plumbline.MeasureEntropy] -= a.score*math.Log2(a.score) + (1-a.score)*math.Log2(1-a.score)
			if c < 0.6 {
				want[plumbline.MeasureLowConfidence]++
			}
			want[plumbline.MeasureDisagreement] += a.disagreement
			want[plumbline.MeasureExplained] += float64(max(a.explained, 0))
		}
		for _, f := range figures {
			got := f.Weeks[week]
			tolerance := 0.002 // the grid's
			if f.Measure == plumbline.MeasureDisagreement || f.Measure == plumbline.MeasureExplained {
				tolerance = 1e-9
			}
			if math.Abs(got.Value-want[f.Measure]/n) > tolerance || got.Count != uint64(n) {
				t.Errorf("week %d, %s: %+v, want %v of %v", week, f.Measure, got, want[f.Measure]/n, n)
			}
		}
	}
}

// traffic of the proxies' worlds: it goes on for two hours after the window.
func proxyTraffic() traffic {
	return traffic{model: "m", end: proxyEnd.Add(2 * time.Hour), deploys: []deploy{{hash: "v1", stage: plumbline.StageProduction, first: proxyEnd.Add(-70 * day), last: proxyEnd.Add(time.Hour), requests: 5000}}}
}

func TestAModelThatDoubtsIsReported(t *testing.T) {
	for _, odd := range []bool{false, true} {
		db := startDB(t)
		insert(t, db, "series_hour", rollUp("m", proxyWorld(rand.New(rand.NewPCG(6, 6)), odd)))
		p := newProxies(proxy.Reader{Conn: db.Conn()}, defaultProxies())
		findings, err := p.look(t.Context(), proxyTraffic(), now)
		if err != nil || len(findings) != 5 {
			t.Fatalf("%d findings, %v", len(findings), err)
		}
		for _, f := range findings {
			want := plumbline.VerdictOK
			if odd {
				want = plumbline.VerdictBreach
			}
			if f.Verdict != want || f.Reference != plumbline.ReferencePastWeeks || !f.WindowEnd.Equal(proxyEnd) || f.Deploy != "v1" || f.Count != 600 || !(f.Low < f.Value && f.Value < f.High) {
				t.Errorf("odd %v: %+v, want %s", odd, f, want)
			}
		}
		if again, err := p.look(t.Context(), proxyTraffic(), now.Add(time.Minute)); len(again) != 0 || err != nil {
			t.Errorf("looked again after a minute: %d findings, %v", len(again), err)
		}
	}
}

// readings are nine weeks of a figure with a reading an hour, by name and segment.
func readings(value func(name, segment string, week, hour int) (float64, bool)) (rows []map[string]any) {
	for _, name := range []string{"revenue", "complaints"} {
		for _, segment := range []string{"", "region=eu"} {
			for week := range 9 {
				for hour := range 24 {
					at := proxyEnd.Add(-day - time.Duration(week)*7*day + time.Duration(hour)*time.Hour)
					if v, ok := value(name, segment, week, hour); ok {
						rows = append(rows, map[string]any{"model": "m", "name": name, "segment": segment, "ts": at.UnixMilli(), "value": v, "known": at.Add(time.Minute).UnixMilli(), "_topic": "kpis", "_offset": len(rows)})
					}
				}
			}
		}
	}
	return rows
}

func TestBusinessFiguresAreComparedWithPastWeeks(t *testing.T) {
	db := startDB(t)
	r := rand.New(rand.NewPCG(8, 8))
	rows := readings(func(name, segment string, week, hour int) (float64, bool) {
		v := 1000 + 300*math.Sin(float64(hour)) + 5*r.NormFloat64()
		switch {
		case name == "revenue" && segment == "" && week == 0:
			v *= 0.7 // it dropped
		case name == "complaints" && segment == "" && week == 0:
			return 0, false // nobody sent it
		case name == "complaints" && segment == "region=eu":
			return v, week < 3 // it is new
		}
		return v, true
	})
	// A correction and a repeated delivery of one hour; a reading of another day.
	wrong := maps.Clone(rows[0])
	wrong["value"], wrong["known"] = 1e6, rows[0]["known"].(int64)-1
	other := maps.Clone(rows[0])
	other["ts"], other["value"] = proxyEnd.UnixMilli(), 1e6
	insert(t, db, "kpis", append(rows, wrong, other, rows[30]))
	findings, err := newProxies(proxy.Reader{Conn: db.Conn()}, defaultProxies()).look(t.Context(), proxyTraffic(), now)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Finding{}
	for _, f := range findings {
		got[string(f.Feature)+" "+string(f.Segment)] = f
	}
	for name, want := range map[string]string{
		"revenue ": plumbline.VerdictBreach, "revenue region=eu": plumbline.VerdictOK,
		"complaints ": plumbline.VerdictMissing, "complaints region=eu": plumbline.VerdictInsufficient,
	} {
		f := got[name]
		if f.Verdict != want || f.Signal != plumbline.SignalKPI || f.Measure != plumbline.MeasureKPI {
			t.Errorf("%s: %+v, want %s", name, f, want)
		}
	}
	sum := 0.0
	for _, row := range rows[:24] {
		sum += row["value"].(float64)
	}
	if f := got["revenue "]; math.Abs(f.Value-sum/24) > 1e-9 || f.Count != 24 || f.P > 1e-4 || f.Effect > -200 {
		t.Errorf("%+v, want the mean %v of 24 hours", f, sum/24)
	}
	if f := got["complaints "]; !math.IsNaN(f.Value) || f.Count != 0 || !strings.Contains(f.Assumes, "this window has none") {
		t.Errorf("%+v, want nothing but that it is missing", f)
	}
}

// The figures of a model that fell silent are missing if they did too, and what
// they are if they go on: never what they were when it last answered.
func TestFiguresOfASilentModelAreMissing(t *testing.T) {
	db := startDB(t)
	insert(t, db, "kpis", readings(func(name, segment string, week, hour int) (float64, bool) {
		return 1000 + float64(week*hour), segment == "" && (week > 0 || name == "complaints")
	}))
	silent := proxyTraffic()
	silent.end = proxyEnd.Add(-3 * day)
	silent.deploys[0].last = silent.end.Add(-time.Hour)
	findings, err := newProxies(proxy.Reader{Conn: db.Conn()}, defaultProxies()).look(t.Context(), silent, now)
	if err != nil || len(findings) != 2 {
		t.Fatalf("%+v, %v", findings, err)
	}
	for i, want := range []string{plumbline.VerdictOK, plumbline.VerdictMissing} { // complaints, revenue
		if f := findings[i]; f.Verdict != want || !f.WindowEnd.Equal(proxyEnd) || f.Deploy != "v1" || math.IsNaN(f.Value) != (want == plumbline.VerdictMissing) {
			t.Errorf("%+v, want %s of the day that ended %s", f, want, proxyEnd)
		}
	}
}

// All figures of a quarter together have the budget of false breaches.
func TestTheBudgetIsSharedByAllFigures(t *testing.T) {
	cfg := defaultProxies()
	for _, figures := range []int{1, 7, 60} {
		for _, window := range []time.Duration{day, 6 * time.Hour} {
			cfg.Window = window
			alpha := cfg.options(plumbline.MeasureKPI, figures).Alpha
			if expected := alpha * float64(figures) * float64(91*day/window); math.Abs(expected-1) > 1e-9 {
				t.Errorf("%d figures by %s: %v false breaches a quarter, want 1", figures, window, expected)
			}
		}
	}
	if o := cfg.options(plumbline.MeasureKPI, 1); o.MinEffect != 0.05 {
		t.Errorf("the least effect is %v", o.MinEffect)
	}
	cfg.MinEffect = map[string]float64{plumbline.MeasureKPI: 0.2}
	if o := cfg.options(plumbline.MeasureKPI, 1); o.MinEffect != 0.2 {
		t.Errorf("the configured least effect is %v", o.MinEffect)
	}
}

func TestProxyConfigMistakes(t *testing.T) {
	for field, spoil := range map[string]func(*ProxyConfig){
		"window":         func(c *ProxyConfig) { c.Window = 5 * time.Hour },
		"weeks":          func(c *ProxyConfig) { c.Weeks = 3 },
		"kpi_delay":      func(c *ProxyConfig) { c.KPIDelay = -1 },
		"budget":         func(c *ProxyConfig) { c.Budget = 0 },
		"low_confidence": func(c *ProxyConfig) { c.LowConfidence = 0.4 },
		"min_effect.psi": func(c *ProxyConfig) { c.MinEffect = map[string]float64{"psi": 1} },
	} {
		c := DefaultConfig()
		spoil(&c.Proxies)
		if err := c.Validate(); err == nil || !strings.Contains(fmt.Sprint(err), "analyze.proxies."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
