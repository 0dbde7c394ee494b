package ask

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
)

// fraud is what is declared of the binary model.
func fraud() Declaration {
	return Declaration{
		Task: Binary, Positive: "fraud", Values: []Worth{{"fraud", "fraud", 100}, {"fraud", "ok", -5}, {"ok", "fraud", -80}},
		Protected: []Protected{{Segment: "region", Reference: "us"}},
		Custom:    []Custom{{Name: "missed_amount", SQL: "sumIf(numbers['amount'] * requests, label = 'fraud' and predicted = 'ok') / sum(requests)"}},
	}
}

func newAsker(t *testing.T, db *storage.DB) *Asker {
	t.Helper()
	a, err := New(db.Conn(), map[plumbline.Model]Declaration{"loan": fraud(), "price": {Task: Regression, Quantile: 0.9}, "search": {Task: Ranking, K: 3}, "pets": {Task: Multiclass, ClassScores: "p_", K: 2}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAgainstBruteForce(t *testing.T) {
	db, reads := startBoth(t)
	asker := newAsker(t, db).Reading(reads.Conn())
	loans, random := binaryWorld(rand.New(rand.NewPCG(5, 2)), 1200), rand.New(rand.NewPCG(8, 8))
	sold, searched, animals := prices(random), searches(random), pets(random)
	store(t, db, world{"price", sold}, world{"search", searched}, world{"pets", animals}, world{"switch", switched()}, world{"loan", loans})
	t.Run("binary", func(t *testing.T) { binaryAnswers(t, asker, loans) })
	t.Run("by", func(t *testing.T) { byParts(t, asker, loans) })
	t.Run("buckets", func(t *testing.T) { buckets(t, asker) })
	t.Run("views", func(t *testing.T) { views(t, db, loans) })
	t.Run("custom", func(t *testing.T) { customMetrics(t, asker, loans) })
	t.Run("owners only read", func(t *testing.T) { ownersOnlyRead(t, asker) })
	t.Run("fairness", func(t *testing.T) { fairGaps(t, asker, loans) })
	t.Run("why", func(t *testing.T) { takenApart(t, asker, loans) })
	t.Run("partial feedback", func(t *testing.T) { decidedByTheModel(t, asker, loans) })
	t.Run("partial feedback, expired", func(t *testing.T) { boundsOfWhatIsLeft(t, db, asker, loans) })
	t.Run("http", func(t *testing.T) { overHTTP(t, asker) })
	t.Run("regression", func(t *testing.T) { regressions(t, asker, sold) })
	t.Run("ranking", func(t *testing.T) { rankings(t, asker, searched) })
	t.Run("classes", func(t *testing.T) { manyClasses(t, asker, animals) })
	t.Run("guess", func(t *testing.T) { guesses(t, asker) })
	t.Run("misspelt", func(t *testing.T) { misspelt(t, asker) })
	t.Run("names", func(t *testing.T) { names(t, asker) })
	t.Run("kinds mixed", func(t *testing.T) { kindsMixed(t, db, asker) })
	t.Run("waiting", func(t *testing.T) { waiting(t, db, asker) })
	t.Run("rollups", func(t *testing.T) { rollups(t, asker) })
	t.Run("expired", func(t *testing.T) { expired(t, db, asker) })
	t.Run("expired lists", func(t *testing.T) { expiredLists(t, db, asker) })
}

// chosen are the predictions of a slice with the label known before an instant.
func chosen(world []prediction, asOf time.Time, of func(prediction) bool) (all []prediction, truths []string, requests int64) {
	for _, p := range world {
		if p.stage != "production" || !of(p) {
			continue
		}
		requests += int64(p.weight)
		if l, ok := p.won(asOf); ok {
			all, truths = append(all, p), append(truths, l.class)
		}
	}
	return all, truths, requests
}

// columns repeat every prediction as often as it weighs.
func columns(all []prediction, truths []string) (scores []float64, truth []bool, c metric.Confusion, thin metric.Thinning) {
	var weights, squares float64
	for i, p := range all {
		weights, squares = weights+float64(p.weight), squares+float64(p.weight*p.weight)
		for range p.weight {
			scores, truth = append(scores, p.score), append(truth, truths[i] == "fraud")
			switch {
			case truths[i] == "fraud" && p.predicted == "fraud":
				c.TP++
			case truths[i] == "fraud":
				c.FN++
			case p.predicted == "fraud":
				c.FP++
			default:
				c.TN++
			}
		}
	}
	return scores, truth, c, metric.Thinning(weights / squares)
}

// oracle returns the values of columns.
func oracle(all []prediction, truths []string) map[metric.ID]metric.Value {
	scores, truth, c, thin := columns(all, truths)
	curve := metric.CurveOf(scores, truth)
	var logs, misses metric.Moments
	for i, f := range scores {
		y := 0.0
		if truth[i] {
			y = 1
		}
		logs.Add(-y*math.Log(f) - (1-y)*math.Log(1-f))
		misses.Add((f - y) * (f - y))
	}
	positives, negatives := c.TP+c.FN, c.TN+c.FP
	values := append(c.ValuesAt(thin), curve.ROCAUCAt(thin), curve.PRAUCAt(thin), metric.LogLossOf(logs, positives, negatives, thin), misses.MeanAt(metric.Brier, positives, negatives, thin),
		metric.CalibrationErrorAt(metric.Bins(scores, truth, 10), thin), c.WorthAt(metric.CostMatrix{TP: 100, FP: -5, FN: -80}, thin))
	out := map[metric.ID]metric.Value{}
	for _, v := range values {
		out[v.Metric] = v
	}
	return out
}

func near(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*max(1, math.Abs(a))
}

func check(t *testing.T, what string, got Part, want map[metric.ID]metric.Value, requests int64, labelled int) {
	t.Helper()
	if got.Requests != requests || got.Rows != int64(labelled) {
		t.Errorf("%s: %d requests and %d rows, want %d and %d", what, got.Requests, got.Rows, requests, labelled)
	}
	for _, v := range got.Values {
		w, ok := want[v.Metric]
		if !ok {
			continue
		}
		if !near(v.Value.Value, w.Value) || v.State != w.State || v.Labelled != w.Labelled || !near(v.Low, w.Low) || !near(v.High, w.High) {
			t.Errorf("%s: %+v, want %+v", what, v, w)
		}
		if v.State == metric.OK && !v.Holds(v.Value.Value) {
			t.Errorf("%s: %s %g is outside %g to %g", what, v.Metric, v.Value.Value, v.Low, v.High)
		}
	}
}

func binaryAnswers(t *testing.T, asker *Asker, world []prediction) {
	for _, asOf := range []time.Time{{}, end.Add(13*time.Hour + 17*time.Minute + 3*time.Second), begin.Add(time.Hour)} {
		for name, of := range map[string]func(prediction) bool{
			"":          func(prediction) bool { return true },
			"region=eu": func(p prediction) bool { return p.region == "eu" },
			"deploy b":  func(p prediction) bool { return p.deploy == "b" },
		} {
			q := Question{Model: "loan", From: begin, To: end, AsOf: asOf}
			switch name {
			case "region=eu":
				q.Segment = "region=eu"
			case "deploy b":
				q.Deploys = []plumbline.DeployHash{"b"}
			}
			answer, err := asker.Ask(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			all, truths, requests := chosen(world, q.asOf(), of)
			what := name + " as of " + asOf.Format(time.RFC3339)
			check(t, what, answer.Parts[0], oracle(all, truths), requests, len(all))
			_, _, c, _ := columns(all, truths)
			if n := slices.IndexFunc(answer.Parts[0].Matrix, func(m Count) bool { return m.Label == "fraud" && m.Predicted == "fraud" }); c.TP > 0 && answer.Parts[0].Matrix[n].Count != c.TP {
				t.Errorf("%s: %+v, want %+v", what, answer.Parts[0].Matrix, c)
			}
		}
	}
}

func byParts(t *testing.T, asker *Asker, world []prediction) {
	names := map[Grouping]func(prediction) string{
		ByDeploy:              func(p prediction) string { return p.deploy },
		ByHour:                func(p prediction) string { return p.at.Format("2006-01-02T15:00:00Z") },
		BySegment + ":region": func(p prediction) string { return "region=" + p.listed() },
	}
	for by, name := range names {
		answer, err := asker.Ask(t.Context(), Question{Model: "loan", From: begin, To: end, By: by})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{}
		for _, p := range world {
			want[name(p)] = true
		}
		if len(answer.Parts) != len(want) {
			t.Errorf("by %s: %d parts, want %d", by, len(answer.Parts), len(want))
		}
		for _, part := range answer.Parts {
			all, truths, requests := chosen(world, far, func(p prediction) bool { return name(p) == part.Name })
			check(t, string(by)+" "+part.Name, part, oracle(all, truths), requests, len(all))
		}
	}
	answer, err := asker.Ask(t.Context(), Question{Model: "loan", From: begin, To: end, By: BySegment})
	if err != nil || len(answer.Parts) != 3+1+3 {
		t.Errorf("by segment: %d parts, %v", len(answer.Parts), err)
	}
}
