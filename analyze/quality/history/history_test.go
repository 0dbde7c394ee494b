package history_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
)

var byLead = history.Strata{Kind: history.Number, Name: "lead", Cuts: estimate.Cuts{10, 25}}

type cellKey struct {
	part    int
	deploy  plumbline.DeployHash
	stratum estimate.Stratum
	class   string
}

// bruteForce counts from the predictions themselves what was known before at.
func bruteForce(all []prediction, asked history.Range) map[cellKey]history.Cell {
	out := map[cellKey]history.Cell{}
	for _, p := range all {
		if p.at.Before(asked.From) || !p.at.Before(asked.To) {
			continue
		}
		k := cellKey{int(p.at.Truncate(time.Hour).Sub(asked.From) / asked.Part), plumbline.DeployHash(p.deploy), byLead.Cuts.Of(p.lead), p.predicted}
		c := out[k]
		w := float64(p.requests())
		c.Predictions++
		c.All.Add(estimate.Weight{Requests: w, Squares: w * w})
		c.Score += w * p.score
		known := func(at time.Time) bool {
			soon := asked.Within == 0 || at.Truncate(time.Hour).Sub(p.at.Truncate(time.Hour)) < asked.Within
			return !at.IsZero() && at.Truncate(time.Hour).Before(asked.At) && soon
		}
		if known(p.known) {
			label := p.label
			if known(p.corrected) {
				label = map[string]string{"yes": "no", "no": "yes"}[p.label]
			}
			if !known(p.withdrawn) {
				hit := right(p.predicted, label)
				c.Labelled++
				c.Known.Add(estimate.Weight{Requests: w, Squares: w * w})
				c.Correct += int64(hit)
				c.Right.Add(estimate.Weight{Requests: w * float64(hit), Squares: w * w * float64(hit)})
				if p.predicted == "" {
					loss := p.loss(known(p.corrected))
					c.Loss, c.LossSquares = c.Loss+w*loss, c.LossSquares+w*loss*loss
				}
			}
		}
		out[k] = c
	}
	return out
}

func TestCellsAreTheBruteForceAtAnyHour(t *testing.T) {
	binary := []string{"no", "yes"}
	t.Run("all", func(t *testing.T) {
		cellsAreTheBruteForce(t, binary, func(all []prediction) []prediction { return all })
	})
	t.Run("sampled", func(t *testing.T) { cellsAreTheBruteForce(t, binary, sampled) })
	t.Run("sampled regression", func(t *testing.T) {
		cellsAreTheBruteForce(t, nil, func(all []prediction) []prediction { return regression(sampled(all)) })
	})
}

func cellsAreTheBruteForce(t *testing.T, classes []string, of func([]prediction) []prediction) {
	db := startDB(t)
	from := now.Add(-4 * day)
	random := rand.New(rand.NewPCG(51, 51))
	all := of(world(random, 3000, from, now))
	store(t, db, "m", all, now)
	s := history.Scope{Model: "m", Strata: byLead, Classes: classes, From: from.Add(-day), To: now}
	roll(t, db, s)
	r := history.Reader{Conn: db.Conn()}
	for i := range 40 {
		at := from.Add(time.Duration(1+random.IntN(96)) * time.Hour)
		asked := history.Range{From: from, To: from.Add(time.Duration(1+random.IntN(int(at.Sub(from)/time.Hour))) * time.Hour), At: at, Part: 10 * time.Hour}
		if i%2 == 1 {
			asked.Within = time.Duration(1+random.IntN(30)) * time.Hour
		}
		cells, err := r.Cells(t.Context(), s, asked)
		if err != nil {
			t.Fatal(err)
		}
		got := map[cellKey]history.Cell{}
		for _, c := range cells {
			k := cellKey{c.Part, c.Deploy, c.Stratum, c.Predicted}
			sum := got[k]
			sum.Predictions, sum.Labelled, sum.Correct, sum.Score = sum.Predictions+c.Predictions, sum.Labelled+c.Labelled, sum.Correct+c.Correct, sum.Score+c.Score
			sum.Loss, sum.LossSquares = sum.Loss+c.Loss, sum.LossSquares+c.LossSquares
			sum.All.Add(c.All)
			sum.Known.Add(c.Known)
			sum.Right.Add(c.Right)
			got[k] = sum
		}
		want := bruteForce(all, asked)
		if len(got) != len(want) {
			t.Fatalf("%d cells, want %d", len(got), len(want))
		}
		for k, w := range want {
			g := got[k]
			if g.Predictions != w.Predictions || g.Labelled != w.Labelled || g.Correct != w.Correct || g.All != w.All || g.Known != w.Known || g.Right != w.Right || !sums(g.Score, w.Score) || !sums(g.Loss, w.Loss) || !sums(g.LossSquares, w.LossSquares) {
				t.Fatalf("%+v at %s: %+v, want %+v", k, asked.At, g, w)
			}
		}
	}
	if _, err := r.Cells(t.Context(), s, history.Range{From: from, To: now, At: now.Add(-time.Hour)}); err == nil {
		t.Error("a window that is not over is handed out")
	}
}

// What came early and what came later is all there is, and the mean score stays.
func TestLaterIsWhatIsLeft(t *testing.T) {
	c := history.Cell{
		Predictions: 10, Labelled: 7, Correct: 4, Score: 6,
		All: estimate.Weight{Requests: 20, Squares: 50}, Known: estimate.Weight{Requests: 14, Squares: 36}, Right: estimate.Weight{Requests: 8, Squares: 20},
		Loss: 5, LossSquares: 9,
	}
	early := c
	early.Labelled, early.Known, early.Correct, early.Right = 3, estimate.Weight{Requests: 5, Squares: 11}, 3, estimate.Weight{Requests: 5, Squares: 11}
	early.Loss, early.LossSquares = 2, 3
	later := c.Later(early)
	if later.Predictions != 4 || later.Labelled != 4 || later.Correct != 1 || later.Known != (estimate.Weight{Requests: 9, Squares: 25}) || later.All != later.Known ||
		later.Right != (estimate.Weight{Requests: 3, Squares: 9}) || later.Loss != 3 || later.LossSquares != 6 || math.Abs(later.Mean()-c.Mean()) > 1e-15 {
		t.Errorf("%+v", later)
	}
	// A label that was withdrawn leaves none.
	if none := early.Later(c); none.Labelled != 0 || none.Correct != 0 || none.Waiting().Count != 0 {
		t.Errorf("%+v", none)
	}
}

// sums reports whether two sums of the same numbers are equal, in whatever order they
// were added.
func sums(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

// Hours that a version without weights counted are read as of weight 1, and where
// they are sampled and their raw rows are there, they are counted again.
func TestHoursThatWereNotWeighedAreCountedAgain(t *testing.T) {
	db := startDB(t)
	from := now.Add(-3 * day)
	all := sampled(world(rand.New(rand.NewPCG(54, 54)), 600, from, now))
	store(t, db, "m", all, now)
	s := history.Scope{Model: "m", Strata: byLead, Classes: []string{"no", "yes"}, From: from, To: now}
	roll(t, db, s)
	asked := history.Range{From: from, To: now, At: now}
	total := func() (sum history.Cell) {
		cells, err := history.Reader{Conn: db.Conn()}.Cells(t.Context(), s, asked)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cells {
			sum.Predictions, sum.Labelled, sum.Correct = sum.Predictions+c.Predictions, sum.Labelled+c.Labelled, sum.Correct+c.Correct
			sum.All.Add(c.All)
			sum.Known.Add(c.Known)
			sum.Right.Add(c.Right)
		}
		return sum
	}
	want := total()
	exec := func(statement string) {
		if err := db.Conn().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	// What that version left behind: no such columns, and no bit in its marks.
	exec("CREATE TABLE kept AS score_cells")
	exec(`INSERT INTO kept SELECT * FROM score_cells`)
	exec("TRUNCATE TABLE score_cells")
	exec(`INSERT INTO score_cells (model, deploy_hash, stage, strata, time, known, stratum, predicted, bucket, delay, predictions, score, labelled, correct, loss, loss_squares, source, version)
		SELECT model, deploy_hash, stage, strata, time, known, stratum, predicted, bucket, delay, predictions, score, labelled, correct, loss, loss_squares, bitAnd(source, bitShiftLeft(toUInt64(1), 63) - 1), version FROM kept`)
	old := total()
	if ones := float64(old.Predictions); old.All != (estimate.Weight{Requests: ones, Squares: ones}) || old.Predictions != want.Predictions {
		t.Errorf("rows that were not weighed are read as %+v", old)
	}
	// Raw rows of two days are kept, and those that are older are going, with the
	// wall clock and not with the hour: what they cannot tell stands as it is.
	exec("CREATE TABLE raw AS predictions")
	exec("INSERT INTO raw SELECT * FROM predictions")
	exec("ALTER TABLE predictions DELETE WHERE ts < toDateTime('" + now.Add(30*time.Minute-2*day).Format(time.DateTime) + "', 'UTC') SETTINGS mutations_sync = 2")
	part := history.Roller{Conn: db.Conn(), To: db.Conn(), Raw: 2 * day}
	if p, err := part.Roll(t.Context(), s); err != nil || p.Hours != 24 || p.More {
		t.Errorf("%+v, %v, want the hours of one day counted again", p, err)
	}
	if got := total(); got.Predictions != want.Predictions || got.Labelled != want.Labelled {
		t.Errorf("of %d predictions and %d labels %d and %d are left", want.Predictions, want.Labelled, got.Predictions, got.Labelled)
	}
	exec("TRUNCATE TABLE predictions")
	exec("INSERT INTO predictions SELECT * FROM raw")
	if hours, known := roll(t, db, s); hours != 48 || known == 0 {
		t.Errorf("%d hours of predictions and %d of labels are counted again, want those of the two days before and of labels about them", hours, known)
	}
	if got := total(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if hours, known := roll(t, db, s); hours != 0 || known != 0 {
		t.Errorf("%d and %d hours that are weighed are counted again", hours, known)
	}
}

// What is new is counted, what is not stays as it is, and killed anywhere the same
// comes out.
func TestRollFollowsWhatIsNew(t *testing.T) {
	db := startDB(t)
	from, middle := now.Add(-2*day), now.Add(-day)
	all := world(rand.New(rand.NewPCG(52, 52)), 800, from, now)
	store(t, db, "m", all, middle)
	s := history.Scope{Model: "m", Strata: byLead, Classes: []string{"no", "yes"}, From: from, To: middle}
	reader := history.Reader{Conn: db.Conn()}
	if u, err := reader.Uncounted(t.Context(), s); err != nil || u.Hours != 24 || u.Known < 20 || u.Open != 0 || !u.Labels() {
		t.Errorf("before anything is counted, %+v is not, %v", u, err)
	}
	hours, known := roll(t, db, s)
	if u, err := reader.Uncounted(t.Context(), s); err != nil || u.Hours != 0 || u.Known != 0 {
		t.Errorf("when all is counted, %+v is not, %v", u, err)
	}
	if hours != 24 || known < 20 || known > 24 {
		t.Errorf("%d hours of predictions and %d of labels were counted, want those of a day", hours, known)
	}
	for _, since := range []time.Time{{}, middle.Add(-time.Hour)} {
		if newest, err := reader.Newest(t.Context(), "m", since, now); err != nil || !newest.Equal(middle) {
			t.Errorf("since %s predictions are in up to %s, %v, want %s", since, newest, err, middle)
		}
	}
	if newest, err := reader.Newest(t.Context(), "m", middle, now); err != nil || !newest.IsZero() {
		t.Errorf("since %s predictions are in up to %s, %v, want none", middle, newest, err)
	}
	if hours, known = roll(t, db, s); hours != 0 || known != 0 {
		t.Errorf("without anything new %d and %d hours are counted again", hours, known)
	}
	for _, table := range []string{"predictions", "outcomes", "outcome_cells"} {
		if err := db.Conn().Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	store(t, db, "m", all, now)
	s.To = now
	if hours, _ = roll(t, db, s); hours != 24 {
		t.Errorf("%d hours of predictions are counted, want those of the second day", hours)
	}
	asked := history.Range{From: from, To: now, At: now, Part: 48 * time.Hour}
	cells, err := reader.Cells(t.Context(), s, asked)
	if err != nil {
		t.Fatal(err)
	}
	var got, want history.Cell // but for what they weigh
	for _, c := range cells {
		got.Predictions, got.Labelled, got.Correct = got.Predictions+c.Predictions, got.Labelled+c.Labelled, got.Correct+c.Correct
	}
	for _, c := range bruteForce(all, asked) {
		want.Predictions, want.Labelled, want.Correct = want.Predictions+c.Predictions, want.Labelled+c.Labelled, want.Correct+c.Correct
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestDelaysMakeCurves(t *testing.T) {
	db := startDB(t)
	from := now.Add(-6 * day)
	all := world(rand.New(rand.NewPCG(53, 53)), 4000, from, now)
	store(t, db, "m", all, now)
	s := history.Scope{Model: "m", Strata: byLead, Classes: []string{"no", "yes"}, From: from, To: now}
	roll(t, db, s)
	d, err := history.Reader{Conn: db.Conn()}.Delays(t.Context(), s, history.Range{From: from, To: now, At: now})
	if err != nil {
		t.Fatal(err)
	}
	curves := d.Curves()
	if len(curves) != 3 {
		t.Fatalf("%d curves, want 3", len(curves))
	}
	for stratum, c := range curves {
		// Nine of ten labels come, up to one of twenty of them is withdrawn.
		if ever := c.Ever(); ever < 0.82 || ever > 0.94 || !c.Settled() {
			t.Errorf("%s: %.3f ever come (settled %v), want 0.9", s.Strata.Title(stratum), ever, c.Settled())
		}
	}
	// Of leads 0 to 10 the label takes between 0 and 11 hours, of 11 to 25 so many.
	for _, tt := range []struct {
		stratum estimate.Stratum
		hours   time.Duration
		share   float64
	}{{0, 5, 0.43}, {0, 12, 0.88}, {1, 10, 0}, {1, 27, 0.88}, {2, 24, 0}, {2, 41, 0.88}} {
		if got := curves[tt.stratum].Share(tt.hours * time.Hour); math.Abs(got-tt.share) > 0.08 {
			t.Errorf("%s within %d h: %.3f, want %.3f", s.Strata.Title(tt.stratum), tt.hours, got, tt.share)
		}
	}
}

func TestStrataAreChosenByWhatDrivesTheDelay(t *testing.T) {
	db := startDB(t)
	all := world(rand.New(rand.NewPCG(54, 54)), 3000, now.Add(-5*day), now)
	store(t, db, "m", all, now)
	r := history.Reader{Conn: db.Conn()}
	s, evidence, err := r.Choose(t.Context(), "m", nil, history.Strata{}, now.Add(-5*day), now, 3000)
	if err != nil {
		t.Fatal(err)
	}
	if s.Kind != history.Number || s.Name != "lead" || len(s.Cuts) < 3 || evidence.Explained < 0.3 {
		t.Errorf("%s explains %.2f, want the feature lead", s, evidence.Explained)
	}
	again, _, err := r.Choose(t.Context(), "m", nil, byLead, now.Add(-5*day), now, 3000)
	if err != nil || again.String() != s.String() && again.String() != byLead.String() {
		t.Errorf("%s, %v", again, err)
	}
	open := history.Strata{Kind: history.Category, Name: "weekday"}
	if s, _, err = r.Choose(t.Context(), "m", &open, history.Strata{}, now.Add(-5*day), now, 3000); err != nil || s.Name != "weekday" || len(s.Values) < 5 {
		t.Errorf("a declared feature gives %s, %v", s, err)
	}
	// Where the delay has nothing to do with anything, there is one stratum.
	random := rand.New(rand.NewPCG(55, 55))
	for i := range all {
		if !all[i].known.IsZero() {
			all[i].known = all[i].at.Add(time.Duration(random.IntN(2000)) * time.Minute)
		}
	}
	store(t, db, "quiet", all, now)
	if s, evidence, err = r.Choose(t.Context(), "quiet", nil, history.Strata{}, now.Add(-5*day), now, 3000); err != nil || s.Kind != history.None {
		t.Errorf("%s explains %.3f where nothing drives the delay, %v", s, evidence.Explained, err)
	}
}

func TestParseStrata(t *testing.T) {
	for _, text := range []string{"none", "score", "score:0.1,0.5", "predicted", "number:lead", "number:lead:1,2.5,1e+06", "category:a%3Ab:x,y%2Cz", "segment:tier:gold,%25"} {
		s, err := history.ParseStrata(text)
		if err != nil || s.String() != text {
			t.Errorf("%q is read as %q, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "lead", "number", "number:", "number:lead:2,1", "number:lead:x", "score:1:2", "category:a:x,x", "category:a:,", "none:1", "number:lead:NaN", "score:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20"} {
		if s, err := history.ParseStrata(text); err == nil {
			t.Errorf("%q is read as %q", text, s)
		}
	}
}

func FuzzParseStrata(f *testing.F) {
	for _, seed := range []string{"none", "score:0.1", "number:a:1,2", "category:x%2Cy:z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := history.ParseStrata(text)
		if err != nil {
			return
		}
		again, err := history.ParseStrata(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q is read as %q and that as %q, %v", text, s, again, err)
		}
		if s.Title(0) == "" || s.Title(1) == "" {
			t.Errorf("%q has strata without a title", text)
		}
	})
}

// The view computes what the curves do.
func TestTheViewOfDelaysIsTheCurve(t *testing.T) {
	db := startDB(t)
	from := now.Add(-4 * day)
	store(t, db, "m", world(rand.New(rand.NewPCG(56, 56)), 2000, from, now), now)
	s := history.Scope{Model: "m", Strata: byLead, Classes: []string{"no", "yes"}, From: from, To: now}
	roll(t, db, s)
	d, err := history.Reader{Conn: db.Conn()}.Delays(t.Context(), s, history.Range{From: from, To: now, At: now})
	if err != nil {
		t.Fatal(err)
	}
	curves := d.Curves()
	rows, err := db.Conn().Query(t.Context(), `SELECT stratum, seconds, share FROM label_delay(model = 'm', since = '`+from.Format(time.DateTime)+`', at = '`+now.Format(time.DateTime)+`')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	steps := 0
	for rows.Next() {
		var (
			stratum int32
			seconds int64
			share   float64
		)
		if err := rows.Scan(&stratum, &seconds, &share); err != nil {
			t.Fatal(err)
		}
		if want := curves[estimate.Stratum(stratum)].Share(time.Duration(seconds) * time.Second); math.Abs(share-want) > 1e-9 {
			t.Fatalf("stratum %d at %d s: %.9f, want %.9f", stratum, seconds, share, want)
		}
		steps++
	}
	if err := rows.Err(); err != nil || steps < 40 {
		t.Errorf("%d steps, %v", steps, err)
	}
	former, err := history.Reader{Conn: db.Conn()}.Former(t.Context(), "m")
	if err != nil || former.Definition() != s.Definition() || !former.To.Equal(now) {
		t.Errorf("%+v, %v; want %s to %s", former, err, s.Definition(), now)
	}
}
