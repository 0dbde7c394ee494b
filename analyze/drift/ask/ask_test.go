package ask

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

func newAsker(t *testing.T, conn drift.Querier) *Asker {
	t.Helper()
	a, err := New(DefaultConfig(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func references(t *testing.T, texts ...string) []Reference {
	t.Helper()
	var all []Reference
	for _, text := range texts {
		r, err := ParseReference(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// row returns the only row of a series, a reference and a measure.
func (a Answer) row(t *testing.T, series plumbline.Series, reference string, id measure.ID) Row {
	t.Helper()
	var found []Row
	for _, r := range a.Rows {
		if r.Series == series && r.Reference == reference && r.Measure == id {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows of %s against %s by %s", len(found), series, reference, id)
	}
	return found[0]
}

// TestAsk asks one world many things: a world is dear to make.
func TestAsk(t *testing.T) {
	db := startDB(t)
	events := payments(rand.New(rand.NewPCG(1, 2)))
	storeEvents(t, db, "pay", events)
	asker := newAsker(t, db.Conn())
	all := references(t, "training", "previous-deploy", "sliding:7d", "same-hours:4w", "2026-10-01T00:00Z..2026-10-08T00:00Z")
	question := Question{Model: "pay", Segment: "region=eu", From: end.Add(-day), To: end, References: all, Measures: measures()}
	answer, err := asker.Ask(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("raw", func(t *testing.T) { againstRaw(t, answer, events) })
	t.Run("view", func(t *testing.T) { sameAsView(t, db, question, answer) })
	t.Run("verdicts", func(t *testing.T) { verdicts(t, answer) })
	t.Run("clustered", func(t *testing.T) { clustered(t, asker, question, answer) })
	t.Run("missing", func(t *testing.T) { missing(t, asker) })
	t.Run("auto", func(t *testing.T) { auto(t, asker) })
	t.Run("kept", func(t *testing.T) { kept(t, asker, question) })
	t.Run("http", func(t *testing.T) { overHTTP(t, asker) })
	t.Run("bounds", func(t *testing.T) { boundedOverHTTP(t, db.Conn()) })
	t.Run("why", func(t *testing.T) { whyOverHTTP(t, asker) })
}

func measures() []measure.ID {
	var all []measure.ID
	for _, d := range measure.Table() {
		all = append(all, d.ID)
	}
	return all
}

// takes says which events a reference is made of, from its definition alone.
func takes(reference string) func(event) bool {
	within := func(from, to time.Time) func(event) bool {
		return func(e event) bool {
			return e.stage == plumbline.StageProduction && !e.at.Before(from) && e.at.Before(to)
		}
	}
	switch reference {
	case "training":
		return func(e event) bool { return e.stage == plumbline.StageTraining }
	case "previous-deploy":
		return within(end.Add(-9*day), end.Add(-2*day))
	case "sliding:7d":
		return within(end.Add(-8*day), end.Add(-day))
	case "same-hours:4w":
		return func(e event) bool {
			for weeks := 1; weeks <= 4; weeks++ {
				back := time.Duration(weeks) * 7 * day
				if within(end.Add(-day-back), end.Add(-back))(e) {
					return true
				}
			}
			return false
		}
	default:
		return within(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 8, 0, 0, 0, 0, time.UTC))
	}
}

// amounts returns the finite amounts of the events of region eu.
func amounts(events []event, take func(event) bool) (values []float64, nans, absent uint64) {
	for _, e := range events {
		switch {
		case e.region != "eu" || !take(e):
		case math.IsNaN(e.amount):
			nans++
		case e.amount == 0:
			absent++
		default:
			values = append(values, e.amount)
		}
	}
	slices.Sort(values)
	return values, nans, absent
}

// againstRaw holds counts and measures against the raw events.
func againstRaw(t *testing.T, answer Answer, events []event) {
	current, nans, absent := amounts(events, func(e event) bool {
		return e.stage == plumbline.StageProduction && !e.at.Before(end.Add(-day))
	})
	for _, r := range answer.References {
		name := r.Asked.String()
		reference, oldNaNs, oldAbsent := amounts(events, takes(name))
		got := r.Window.Features["amount"]
		if n := uint64(len(reference)) + oldNaNs + oldAbsent; r.Missing != "" || r.Window.Requests != n || got.NaNs != oldNaNs || got.Absent != oldAbsent {
			t.Errorf("%s: %d requests, %d NaN, %d absent, %q; raw rows say %d, %d, %d", name, r.Window.Requests, got.NaNs, got.Absent, r.Missing, n, oldNaNs, oldAbsent)
		}
		cut := drift.NewCut(got)
		before := rawCounts(cut, reference, oldNaNs, oldAbsent)
		after := rawCounts(cut, current, nans, absent)
		if !slices.Equal(cut.Count(got), before) || !slices.Equal(cut.Count(answer.Current.Features["amount"]), after) {
			t.Fatalf("%s: counts %v and %v, raw rows say %v and %v", name, cut.Count(got), cut.Count(answer.Current.Features["amount"]), before, after)
		}
		x, y := onGrid(reference), onGrid(current)
		for id, want := range map[measure.ID]float64{
			measure.PSI: psi(before, after), measure.TVD: tvd(before, after), measure.KS: ks(x, y), measure.Wasserstein: wasserstein(x, y),
		} {
			if row := answer.row(t, "feature:amount", name, id); math.Abs(row.Value-want) > 1e-12*max(1, want) {
				t.Errorf("%s by %s: %v, raw values on the grid say %v", name, id, row.Value, want)
			}
		}
		for id, want := range map[measure.ID]float64{measure.KS: ks(reference, current), measure.Wasserstein: wasserstein(reference, current)} {
			if row := answer.row(t, "feature:amount", name, id); math.Abs(row.Value-want) > row.Bound || row.Bound > .1*max(1, want) {
				t.Errorf("%s by %s: %v, raw values say %v, the bound is %v", name, id, row.Value, want, row.Bound)
			}
		}
	}
}

// rawCounts puts raw values into the cells one by one.
func rawCounts(cut drift.Cut, values []float64, nans, absent uint64) []uint64 {
	counts := make([]uint64, len(cut.Cells()))
	for i, cell := range cut.Cells() {
		switch {
		case cell.Numeric:
			for _, v := range values {
				if b := grid.Bucket(v); b >= cell.From && b <= cell.To {
					counts[i]++
				}
			}
		case cell.Name == "NaN":
			counts[i] = nans
		case cell.Name == "missing":
			counts[i] = absent
		}
	}
	return counts
}

// onGrid puts every value to the middle of its bucket.
func onGrid(values []float64) []float64 {
	rounded := make([]float64, len(values))
	for i, v := range values {
		b := grid.Bucket(v)
		rounded[i] = (grid.Lower(b) + grid.Lower(b+1)) / 2
	}
	return rounded
}

func psi(p, q []uint64) float64 {
	var n, m, sum float64
	fill := func(x uint64) float64 { return max(float64(x), .5) }
	for i := range p {
		if p[i]+q[i] > 0 {
			n, m = n+fill(p[i]), m+fill(q[i])
		}
	}
	for i := range p {
		if p[i]+q[i] > 0 {
			sum += (fill(q[i])/m - fill(p[i])/n) * math.Log(fill(q[i])/m/(fill(p[i])/n))
		}
	}
	return sum
}

func tvd(p, q []uint64) float64 {
	var n, m, sum float64
	for i := range p {
		n, m = n+float64(p[i]), m+float64(q[i])
	}
	for i := range p {
		sum += math.Abs(float64(p[i])/n-float64(q[i])/m) / 2
	}
	return sum
}

// steps calls f with the gap of the distribution functions after each value and
// the way to the next one, both samples sorted.
func steps(x, y []float64, f func(gap, width float64)) {
	both := slices.Concat(x, y)
	slices.SortFunc(both, cmp.Compare[float64])
	both = slices.Compact(both)
	i, j := 0, 0
	for k, v := range both {
		for i < len(x) && x[i] <= v {
			i++
		}
		for j < len(y) && y[j] <= v {
			j++
		}
		width := 0.0
		if k+1 < len(both) {
			width = both[k+1] - v
		}
		f(math.Abs(float64(i)/float64(len(x))-float64(j)/float64(len(y))), width)
	}
}

func ks(x, y []float64) (most float64) {
	steps(x, y, func(gap, _ float64) { most = max(most, gap) })
	return most
}

func wasserstein(x, y []float64) (sum float64) {
	steps(x, y, func(gap, width float64) { sum += gap * width })
	return sum
}

// verdicts looks at what the world was made to show.
func verdicts(t *testing.T, a Answer) {
	for _, reference := range []string{"training", "previous-deploy", "same-hours:4w"} {
		for series, id := range map[plumbline.Series]measure.ID{"feature:amount": measure.KS, "feature:kind": measure.PSI} {
			if r := a.row(t, series, reference, id); r.Verdict != plumbline.VerdictBreach || r.P > .01 || r.Low > r.Value || r.High < r.Value {
				t.Errorf("%s against %s: %+v", series, reference, r)
			}
		}
	}
	if r := a.row(t, "feature:kind", "training", measure.PSI); r.Before != "values the reference never had 0.0 %" || !strings.HasSuffix(r.After, " %") {
		t.Errorf("kind: %q -> %q", r.Before, r.After)
	}
	if r := a.row(t, plumbline.SeriesScore, "training", measure.KS); r.Verdict != plumbline.VerdictMissing || r.Why == "" {
		t.Errorf("the training set has no score: %+v", r)
	}
	if r := a.row(t, plumbline.SeriesScore, "previous-deploy", measure.KS); r.Verdict == plumbline.VerdictBreach || math.IsNaN(r.Value) {
		t.Errorf("the score has not moved: %+v", r)
	}
	if r := a.row(t, plumbline.SeriesScore, "previous-deploy", measure.Wasserstein); r.Verdict != plumbline.VerdictMissing {
		t.Errorf("odds have no length: %+v", r)
	}
	for i := 1; i < len(a.Rows); i++ {
		if x, y := a.Rows[i-1].Effect(), a.Rows[i].Effect(); x < y || math.IsNaN(x) && !math.IsNaN(y) {
			t.Fatalf("rows %d and %d have the effects %v and %v", i-1, i, x, y)
		}
	}
}

// missing is everything that cannot be compared: none of it is healthy.
func missing(t *testing.T, asker *Asker) {
	for name, test := range map[string]struct {
		q    Question
		want string
	}{
		"no such model":     {Question{Model: "nobody", References: references(t, "training")}, "there is no training set"},
		"no such segment":   {Question{Model: "pay", Segment: "region=fr", References: references(t, "training")}, `no training set in segment "region=fr"`},
		"no deploy before":  {Question{Model: "pay", Deploys: []plumbline.DeployHash{"v1"}, From: end.Add(-4 * day), To: end.Add(-3 * day), References: references(t, "previous-deploy")}, `no deploy before "v1"`},
		"too little":        {Question{Model: "pay", References: references(t, "sliding:20w")}, "too little history"},
		"too few weeks":     {Question{Model: "pay", References: references(t, "same-hours:12w")}, "4 of 12 weeks"},
		"nothing there":     {Question{Model: "pay", References: references(t, "2020-01-01..2020-01-02")}, "there are no requests"},
		"nothing asked for": {Question{Model: "pay", From: end.Add(day), To: end.Add(2 * day), References: references(t, "training")}, "the window has no requests"},
	} {
		if test.q.To.IsZero() {
			test.q.From, test.q.To = end.Add(-day), end
		}
		test.q.Series = []plumbline.Series{"feature:amount"}
		a, err := asker.Ask(t.Context(), test.q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(a.Rows) == 0 {
			t.Errorf("%s: no rows", name)
		}
		for _, r := range a.Rows {
			if r.Verdict != plumbline.VerdictMissing || !strings.Contains(r.Why, test.want) || !math.IsNaN(r.Value) {
				t.Errorf("%s: %s, %q, value %v, want %q", name, r.Verdict, r.Why, r.Value, test.want)
			}
		}
	}
	if _, err := asker.Ask(t.Context(), Question{Stage: "beta"}); err == nil || !strings.Contains(err.Error(), "no model") || !strings.Contains(err.Error(), "beta") {
		t.Errorf("a question without model, window and references: %v", err)
	}
}

// auto chooses once a day and reports the training set beside it.
func auto(t *testing.T, asker *Asker) {
	q := Question{Model: "pay", From: end.Add(-day), To: end, References: references(t, "auto"), Series: []plumbline.Series{"feature:amount"}}
	first, err := asker.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.References) != 2 || first.References[1].Asked.Kind != Training || first.References[0].Choice.Windows == 0 {
		t.Fatalf("%+v", first.References)
	}
	choice := *first.References[0].Choice
	if !choice.From.Equal(end.Add(-day)) || !choice.To.Equal(end) || first.References[0].Chosen.String() != choice.Kind {
		t.Errorf("the choice %+v is not one for the day before %s", choice, end)
	}
	q.From, q.To = end.Add(-30*time.Hour), end.Add(-6*time.Hour)
	again, err := asker.Ask(t.Context(), q)
	if err != nil || *again.References[0].Choice != choice {
		t.Errorf("later the same day: %+v, %v, want %+v", again.References[0].Choice, err, choice)
	}
}

// kept: a reference is read once, and anew when it is old.
func kept(t *testing.T, asker *Asker, q Question) {
	queries := []drift.Query{{Model: "pay", Stage: plumbline.StageTraining}}
	start := time.Now()
	asker.now = func() time.Time { return start }
	defer func() { asker.now = time.Now }()
	if _, err := asker.Window(t.Context(), queries); err != nil {
		t.Fatal(err)
	}
	key := keyOfQueries(queries...)
	if _, ok := asker.kept.get(key, start.Add(DefaultConfig().KeepFor-1)); !ok {
		t.Error("a reference is not kept")
	}
	if _, ok := asker.kept.get(key, start.Add(DefaultConfig().KeepFor)); ok {
		t.Error("a reference is kept for ever")
	}
	asker.Forget("pa")
	if _, ok := asker.kept.get(key, start); !ok {
		t.Error("what is kept of a model is forgotten with another")
	}
	asker.Forget("pay")
	if _, ok := asker.kept.get(key, start); ok {
		t.Error("what was to be forgotten is kept")
	}
	each := sizeOf("a", drift.Window{})
	small := &windows{cfg: Config{KeepFor: time.Hour, KeepCounts: 3 * each}, kept: map[string]keptWindow{}}
	for _, name := range []string{"a", "b", "c", "d", "d"} {
		small.put(name, drift.Window{}, start)
	}
	if _, ok := small.get("b", start); !ok {
		t.Error("a small window is not kept")
	}
	small.put("e", drift.Window{}, start)
	if _, ok := small.get("c", start); ok || slices.Contains(small.order, "c") || !slices.Contains(small.order, "b") {
		t.Errorf("%v are kept: c was not used for longest", small.order)
	}
	if _, ok := small.get("a", start); ok || small.size != 3*each || len(small.kept) != 3 {
		t.Errorf("%d counts of %v are kept, %d are allowed", small.size, small.order, 3*each)
	}
}
