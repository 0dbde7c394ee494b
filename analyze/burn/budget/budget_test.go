package budget_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn/budget"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// The budget of a period is told from what was counted in it, and not at all
// where the beginning of the period is not known.
func TestSpent(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn, end, day := env.DB.Conn(), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), 24*time.Hour
	quality := plumbline.SLO{Name: "right", Model: "fare", Period: 10 * day}
	latency := plumbline.SLO{Name: "fast", Model: "fare", Period: 10 * day, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: 200}}
	exec := func(query string, args ...any) {
		t.Helper()
		if err := conn.Exec(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, ago := range []time.Duration{11 * day, 10*day - time.Hour, 5 * day, time.Hour} {
		exec("INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) VALUES ('fare', 'd', 'production', '', ?, ?, 100, 96, 100, 1)", end.Add(-ago), end)
		exec("INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) VALUES ('fare', 'd', 'shadow', '', ?, ?, 100, 0, 100, 1)", end.Add(-ago), end)
	}
	exec("INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) VALUES ('fare', 'd', 'production', 'withdrawn', ?, ?, -5, -4, 5, 1)", end.Add(-9*day), end)
	november := &plumbline.Calendar{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Months: 1}
	for _, ago := range []time.Duration{5 * day, time.Hour} {
		exec("INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES (?, 'fare', 'd', ?, 99, 100, 100, 1)", string(latency.SLIID()), end.Add(-ago))
	}
	// One batch a day, of which the last was 9 hours ago: of three days three lie in the
	// period, the first 15 hours after it began, and one before it.
	nightly := plumbline.SLO{Name: "nightly", Model: "fare", Period: 3 * day, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: 900}}
	for n := range 4 {
		at := end.Add(-9*time.Hour - time.Duration(n)*day)
		exec("INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES (?, 'fare', 'd', ?, 99, 100, 100, 1)", string(nightly.SLIID()), at)
		exec("INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) VALUES ('fare', 'd', 'production', 'batch', ?, ?, 100, 99, 100, 1)", at, end)
	}
	for name, c := range map[string]struct {
		of     plumbline.SLO
		change func(*plumbline.SLO)
		left   float64 // at a target of 0.9; NaN is nothing counted
		total  uint64
		seen   float64
		known  bool
	}{
		"labels":               {of: quality, left: 0.6, total: 300, seen: 1 - 1.0/240, known: true},
		"another deploy":       {of: quality, change: func(s *plumbline.SLO) { s.Deploy = "x" }, left: math.NaN()},
		"half was not seen":    {of: latency, left: 0.9, total: 200, seen: 0.5},
		"events":               {of: latency, change: func(s *plumbline.SLO) { s.Period = 5 * day }, left: 0.9, total: 200, seen: 1, known: true},
		"batches":              {of: nightly, left: 0.9, total: 300, seen: 1, known: true},
		"batches labelled":     {of: nightly, change: func(s *plumbline.SLO) { s.SLI, s.Segment = plumbline.SLI{}, "batch" }, left: 0.9, total: 300, seen: 1, known: true},
		"month so far":         {of: quality, change: func(s *plumbline.SLO) { s.Calendar = november }, left: 0.6, total: 400, seen: 11 / 20.5},
		"overspent":            {of: quality, change: func(s *plumbline.SLO) { s.Target = 0.98 }, left: -1, total: 300, seen: 1 - 1.0/240, known: true},
		"without a budget":     {of: quality, change: func(s *plumbline.SLO) { s.Target = 1 }, left: math.NaN(), total: 300, seen: 1 - 1.0/240, known: true},
		"withdrawn, for a bit": {of: quality, change: func(s *plumbline.SLO) { s.Segment = "withdrawn" }, left: math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			slo := c.of
			slo.Target = 0.9
			if c.change != nil {
				c.change(&slo)
			}
			got, err := budget.Reader{Conn: conn}.At(t.Context(), slo, end)
			if err != nil {
				t.Fatal(err)
			}
			if left := got.Left(slo.Target); !near(left, c.left) || got.Total != c.total || !near(got.Seen(), c.seen) || got.Known() != c.known {
				t.Errorf("left %v of %d, %v seen, known %v; want %v of %d, %v, %v", left, got.Total, got.Seen(), got.Known(), c.left, c.total, c.seen, c.known)
			}
		})
	}
}

// near compares numbers that were summed; NaN is near itself.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9 || math.IsNaN(a) && math.IsNaN(b) }

// Slices are judged with all of their deploys together, and a composite burns the
// budgets of its parts: against sums by hand.
func TestSpentBySlicesAndComposites(t *testing.T) {
	conn, end := testenv.Start(t, testenv.Setup{}).DB.Conn(), time.Date(2026, 11, 21, 12, 7, 0, 0, time.UTC)
	counted := func(name plumbline.SLOName, bound float64, change func(*plumbline.SLO)) plumbline.SLO {
		s := plumbline.SLO{Name: name, Model: "fare", Target: 0.9, Period: 10 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: bound}}
		if change != nil {
			change(&s)
		}
		return s
	}
	hours := func(method plumbline.Budgeting) func(*plumbline.SLO) {
		return func(s *plumbline.SLO) { s.Budgeting, s.SliceWindow, s.SliceTarget = method, time.Hour, 0.95 }
	}
	steady := counted("steady", 100, func(s *plumbline.SLO) { s.Target = 0.8 })
	all := map[plumbline.SLOName]plumbline.SLO{
		"hours": counted("hours", 200, hours(plumbline.Timeslices)), "shares": counted("shares", 200, hours(plumbline.RatioTimeslices)),
		"young": counted("young", 300, hours(plumbline.Timeslices)), "steady": steady,
		"whole":   {Name: "whole", Model: "fare", Target: 0.85, Period: 10 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLIComposite}, Parts: []plumbline.Part{{SLO: "hours", Weight: 3}, {SLO: "steady", Weight: 1}}},
		"unknown": {Name: "unknown", Model: "fare", Target: 0.85, Period: 10 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLIComposite}, Parts: []plumbline.Part{{SLO: "hours", Weight: 3}, {SLO: "young", Weight: 1}}},
	}
	last := counted("last", 200, hours(plumbline.Timeslices))
	last.Period = time.Hour
	all["last"] = last
	count := func(slo plumbline.SLO, deploy string, at time.Time, good, total int) {
		t.Helper()
		if err := conn.Exec(t.Context(), "INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES (?, 'fare', ?, ?, ?, ?, ?, 1)",
			string(slo.SLIID()), deploy, at, good, total, total); err != nil {
			t.Fatal(err)
		}
	}
	// Ten whole hours, from 2:00 to 12:00: what is before 2:00 is cut off, and what is
	// after 12:00 is not whole. One deploy is bad at 4:00, the other makes up for it at
	// 5:00; at 6:00 nothing came in.
	first := end.Truncate(time.Hour).Add(-10 * time.Hour)
	count(all["hours"], "a", first.Add(-30*time.Minute), 0, 100)
	count(all["hours"], "a", end.Add(-time.Minute), 0, 100)
	count(all["young"], "a", end.Add(-2*time.Hour), 100, 100)
	for h := range 10 {
		at := first.Add(time.Duration(h)*time.Hour + 59*time.Minute)
		good, other := 100, 300
		switch h {
		case 2:
			good, other = 0, 300 // 0.75 of 400
		case 3:
			good, other = 85, 300 // 0.9625 of 400
		case 4:
			continue
		}
		count(all["hours"], "a", at, good, 100)
		count(all["hours"], "b", at, other, 300)
		count(steady, "a", at, 95, 100)
	}
	count(steady, "a", end.Add(-10*time.Hour), 95, 100)
	for name, want := range map[plumbline.SLOName]float64{
		"hours":  1.0 / 9,
		"shares": (0.25 + 0.0375) / 9,
		"last":   0,
		"young":  -1,
		"steady": 0.05,
		// Burnt 10/9 of its budget, and 1/4 of it: (3 x 10/9 + 1/4) / 4 = 43/48.
		"whole":   0.15 * 43 / 48,
		"unknown": -1,
	} {
		spent, err := budget.Reader{Conn: conn, SLOs: all}.At(t.Context(), all[name], end)
		if err != nil {
			t.Fatal(err)
		}
		got := -1.0
		if spent.Known() {
			got = spent.Bad
		}
		if !near(got, want) {
			t.Errorf("%s: %+v, want %v", name, spent, want)
		}
	}
}

// What many objectives spent is what each of them did, and one that cannot be counted
// leaves the others theirs.
func TestSpentOfMany(t *testing.T) {
	env, end, day := testenv.Start(t, testenv.Setup{}), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), 24*time.Hour
	conn := env.DB.Conn()
	exec := func(query string, args ...any) {
		t.Helper()
		if err := conn.Exec(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	var slos []plumbline.SLO
	all := make(map[plumbline.SLOName]plumbline.SLO)
	add := func(slo plumbline.SLO) { slos, all[slo.Name] = append(slos, slo), slo }
	for i := range 70 {
		slo := plumbline.SLO{Name: plumbline.SLOName(fmt.Sprint("fast", i)), Model: "fare", Target: 0.9, Period: 10 * day, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: float64(i)}}
		exec("INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES (?, 'fare', 'd', ?, ?, 100, 100, 1)", string(slo.SLIID()), end.Add(-9*day-12*time.Hour), i)
		add(slo)
	}
	for i, segment := range []plumbline.Segment{"", "place=sea"} {
		exec("INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) VALUES ('fare', 'd', 'production', ?, ?, ?, 100, ?, 100, 1)", string(segment), end.Add(-10*day), end, 80+i)
		add(plumbline.SLO{Name: plumbline.SLOName(fmt.Sprint("right", i)), Model: "fare", Target: 0.9, Period: 10 * day, Segment: segment})
	}
	other := slos[7]
	other.Name, other.Deploy = "deploy", "x"
	add(other)
	add(plumbline.SLO{Name: "whole", Model: "fare", Target: 0.85, Period: 10 * day, SLI: plumbline.SLI{Kind: plumbline.SLIComposite}, Parts: []plumbline.Part{{SLO: "fast5", Weight: 3}, {SLO: "right1", Weight: 1}}})
	reader := budget.Reader{Conn: conn, SLOs: all}
	together, err := reader.All(t.Context(), slos, end)
	if err != nil || len(together) != len(slos) {
		t.Fatalf("%d of %d: %v", len(together), len(slos), err)
	}
	for _, slo := range slos {
		alone, err := reader.At(t.Context(), slo, end)
		if got := together[slo.Name]; err != nil || !near(got.Bad, alone.Bad) || got.Total != alone.Total || got.First != alone.First || got.From != alone.From {
			t.Errorf("%s: %+v together, %+v alone, %v", slo.Name, got, alone, err)
		}
	}
	for name, want := range map[plumbline.SLOName]float64{"fast0": 1, "fast69": 0.31, "right0": 0.2, "right1": 0.19, "deploy": math.NaN(), "whole": (3*9.5 + 1.9) / 4 * 0.15} {
		if got := together[name].Bad; !near(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	reader.Conn = without{conn, string(all["fast5"].SLIID())}
	some, err := reader.All(t.Context(), slos, end)
	if _, part := some["fast5"]; err == nil || !strings.Contains(err.Error(), "fast5") || part || len(some) != len(slos)-2 {
		t.Errorf("%d of %d without one part and its composite: %v", len(some), len(slos), err)
	}
}

// without is a ClickHouse that cannot count one indicator.
type without struct {
	budget.Querier
	sli string
}

func (w without) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	if strings.Contains(fmt.Sprint(args...), w.sli) {
		query = "SELECT throwIf(1)"
	}
	return w.Querier.Query(ctx, query, args...)
}
