package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dataquality"
	"github.com/plumbline-slo/plumbline/storage"
)

// feed is a world of nine days: v1 all along, and v2 for the last day, whose
// events change makes.
func feed(random *rand.Rand, training bool, change func(e *event)) []event {
	var events []event
	add := func(deploy, stage string, at, clock time.Time) {
		e := event{deploy: deploy, stage: stage, at: at}
		e.numbers = map[string]float64{"amount": 100 + 20*random.NormFloat64(), "rate": random.Float64(), "hour": float64(clock.Hour()),
			"feature_ts": float64(clock.Truncate(30 * time.Minute).Unix())}
		e.categories = map[string]string{"country": fmt.Sprintf("c%d", random.IntN(12)), "day": clock.Weekday().String()}
		if deploy == "v2" {
			change(&e)
		}
		events = append(events, e)
	}
	if training {
		for range 4000 {
			add("v1", "training", now.Add(-60*day), now.Add(-time.Duration(random.Int64N(int64(28*day)))))
		}
	}
	from := now.Add(-day)
	for at := now.Add(-9 * day); at.Before(now); at = at.Add(5 * time.Minute) {
		deploy := "v1"
		if !at.Before(from) {
			deploy = "v2"
		}
		add(deploy, "production", at, at)
	}
	return events
}

// checkedEvents stores the events of a model and looks at them.
func checkedEvents(t *testing.T, db *storage.DB, model plumbline.Model, events []event) []Finding {
	t.Helper()
	store(t, db, string(model), events)
	models, err := serving(t.Context(), db.Conn(), model, now)
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	findings, err := newRunner(t, db).dataQuality.look(t.Context(), models[0], now)
	if err != nil {
		t.Fatal(err)
	}
	return find(findings, func(f Finding) bool { return f.Deploy == "v2" })
}

func inBreach(findings []Finding) string {
	var names []string
	for _, f := range findings {
		if f.Verdict == plumbline.VerdictBreach {
			names = append(names, string(f.Feature)+" "+f.Measure)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func TestDataQualityFindsEachFault(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 11))
	n := 0
	findings := checkedEvents(t, startDB(t), evil, feed(random, true, func(e *event) {
		n++
		e.numbers["fresh"] = random.Float64() // a new feature
		e.categories["country"] = "c1"        // constant
		delete(e.categories, "day")           // gone
		switch {
		case n%10 == 0:
			e.numbers["rate"] = math.NaN()
		case n%10 == 1:
			e.numbers["rate"] = math.Inf(1)
		case n%10 < 5:
			delete(e.numbers, "rate")
			e.categories["rate"] = null
		}
		e.numbers["amount"] *= 1.609
		e.numbers["feature_ts"] = float64(now.Add(-day).Unix())
	}))
	want := "amount mean, amount out_of_range_share, amount p50, amount p95, country cardinality, country constant_share, country freshness, " +
		"day missing_share, feature_ts feature_age, fresh new_feature, rate infinite_share, rate nan_share, rate null_share"
	if got := inBreach(findings); got != want {
		t.Errorf("in breach: %s\nwant %s", got, want)
	}
	for _, f := range findings {
		if f.Reference != plumbline.ReferenceTraining || f.Window != day || f.Count == 0 || f.Assumes == "" {
			t.Errorf("%+v is not told in full", f)
		}
		if f.Measure == "null_share" && f.Feature == "rate" && (math.Abs(f.Value-.3) > .02 || f.NullMean != 0 || f.Effect != f.Value || !(f.Low < f.Value && f.Value < f.High) || f.P > 1e-20) {
			t.Errorf("nulls: %+v", f)
		}
		if f.Measure == "mean" && f.Feature == "amount" && (math.Abs(f.Value-161) > 3 || math.Abs(f.Effect-61) > 4) {
			t.Errorf("mean: %+v", f)
		}
		if f.Measure == "feature_age" && math.Abs(f.Value-day.Seconds()) > 3600 {
			t.Errorf("age: %+v", f)
		}
	}
}

// Nothing is wrong with a deploy that changes nothing, whether there is a
// training set or only the week before: not with the hour, not with the weekday.
func TestDataQualityOfAQuietDeploy(t *testing.T) {
	db := startDB(t)
	for _, training := range []bool{true, false} {
		findings := checkedEvents(t, db, plumbline.Model(fmt.Sprint(training)), feed(rand.New(rand.NewPCG(12, 12)), training, func(*event) {}))
		if got := inBreach(findings); got != "" {
			t.Errorf("training %v: in breach: %s", training, got)
		}
		ok := find(findings, func(f Finding) bool { return f.Verdict == plumbline.VerdictOK })
		if want := map[bool]string{true: plumbline.ReferenceTraining, false: plumbline.ReferenceWeekBefore}[training]; len(ok) < 30 || ok[0].Reference != want {
			t.Errorf("training %v: %d findings are ok against %q, want %q", training, len(ok), ok[0].Reference, want)
		}
	}
}

// A model without a past is missing, once a check and not once a feature.
func TestDataQualityWithoutAReference(t *testing.T) {
	var events []event
	for _, e := range feed(rand.New(rand.NewPCG(13, 13)), false, func(*event) {}) {
		if e.deploy == "v2" {
			events = append(events, e)
		}
	}
	findings := checkedEvents(t, startDB(t), "m", events)
	missing := find(findings, func(f Finding) bool { return f.Verdict == plumbline.VerdictMissing && f.Feature == "" })
	if len(missing) == 0 || len(missing) != len(find(findings, func(f Finding) bool { return f.Measure != plumbline.MeasureDuplicateShare })) {
		t.Errorf("%d of %d findings are missing", len(missing), len(findings))
	}
}

// counting counts the queries that read training rows and those about features,
// and refuses the latter while it is broken.
type counting struct {
	dataquality.Querier
	broken             bool
	training, features int
}

var errBroken = errors.New("the features cannot be read")

func (c *counting) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	for _, a := range args {
		if n, ok := a.(driver.NamedValue); ok && n.Name == "stage" {
			c.features++
			if n.Value == string(plumbline.StageTraining) {
				c.training++
			}
			if c.broken {
				return nil, errBroken
			}
		}
	}
	return c.Querier.Query(ctx, query, args...)
}

// dataQualityOf returns what looks at model m, which has a training set.
func dataQualityOf(t *testing.T, cfg Config) (*dataQuality, *counting, traffic) {
	t.Helper()
	db := startDB(t)
	var events []event
	for i := range 300 {
		e := event{deploy: "v1", stage: "training", at: now.Add(-60 * day), numbers: map[string]float64{"amount": float64(i)}}
		events = append(events, e)
		e.stage, e.at = "production", now.Add(-time.Duration(i)*time.Minute)
		events = append(events, e)
	}
	store(t, db, "m", events)
	models, err := serving(t.Context(), db.Conn(), "m", now)
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	conn := &counting{Querier: db.Conn()}
	return newDataQuality(dataquality.Reader{Conn: conn}, cfg), conn, models[0]
}

func TestDataQualityKeepsTheTrainingSet(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ReferenceRefresh, cfg.DataQualityInterval = time.Hour, time.Minute
	h, conn, served := dataQualityOf(t, cfg)
	const once = 3 // requests, numbers, categories
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, once}, {time.Minute, once}, {59 * time.Minute, once}, {time.Hour, 2 * once}} {
		findings, err := h.look(t.Context(), served, now.Add(tt.after))
		compared := find(findings, func(f Finding) bool { return f.Reference == plumbline.ReferenceTraining })
		if err != nil || len(compared) == 0 {
			t.Fatalf("after %s: %d findings, %v", tt.after, len(compared), err)
		}
		if conn.training != tt.want {
			t.Errorf("after %s training rows were read by %d queries, want %d", tt.after, conn.training, tt.want)
		}
	}
}

// A look that failed is not made again before its interval, during which its
// error stands; what does not depend on it is looked at all the same.
func TestDataQualityThatFailedWaits(t *testing.T) {
	cfg := DefaultConfig()
	h, conn, served := dataQualityOf(t, cfg)
	conn.broken = true
	if _, err := h.look(t.Context(), served, now); !errors.Is(err, errBroken) {
		t.Fatalf("the first look: %v", err)
	}
	if h.hours[served.model].IsZero() {
		t.Error("repeats were not looked at")
	}
	conn.broken = false
	tried := conn.features
	if _, err := h.look(t.Context(), served, now.Add(cfg.DataQualityInterval-time.Second)); !errors.Is(err, errBroken) || conn.features != tried {
		t.Errorf("before the interval: %v after %d more queries", err, conn.features-tried)
	}
	findings, err := h.look(t.Context(), served, now.Add(cfg.DataQualityInterval))
	if err != nil || len(findings) == 0 || conn.features == tried {
		t.Errorf("after the interval: %d findings, %v", len(findings), err)
	}
}

// Hours count as closed when late events are in, none beyond the last that came.
func TestDataQualityClosedHours(t *testing.T) {
	for _, tt := range []struct{ end, now, want time.Time }{
		{now, now, now.Add(-settle)},
		{now.Add(-time.Minute), now, now.Add(-settle)},
		{now.Add(-time.Hour), now, now.Add(-time.Hour)},
	} {
		if got := (traffic{end: tt.end}).closed(tt.now); !got.Equal(tt.want) {
			t.Errorf("traffic up to %s, looked at %s: closed up to %s, want %s", tt.end, tt.now, got, tt.want)
		}
	}
}
