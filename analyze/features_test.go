package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
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

// dataQuality stores the events of a model and looks at them.
func dataQuality(t *testing.T, db *storage.DB, model plumbline.Model, events []event) []Finding {
	t.Helper()
	store(t, db, string(model), events)
	models, err := serving(t.Context(), db.Conn(), model, now)
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	findings, err := newRunner(t, db).hygiene.look(t.Context(), models[0], now)
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
	findings := dataQuality(t, startDB(t), evil, feed(random, true, func(e *event) {
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
		findings := dataQuality(t, db, plumbline.Model(fmt.Sprint(training)), feed(rand.New(rand.NewPCG(12, 12)), training, func(*event) {}))
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
	findings := dataQuality(t, startDB(t), "m", events)
	missing := find(findings, func(f Finding) bool { return f.Verdict == plumbline.VerdictMissing && f.Feature == "" })
	if len(missing) == 0 || len(missing) != len(find(findings, func(f Finding) bool { return f.Measure != plumbline.MeasureDuplicateShare })) {
		t.Errorf("%d of %d findings are missing", len(missing), len(findings))
	}
}
