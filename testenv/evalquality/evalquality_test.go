package evalquality

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// made is a made-up world: 30 predictions a day, labels late by a lead that also
// drives how often the model is right.
func made(t *testing.T, mutate func(*Row)) *World {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	rows := func(from, days int) []Row {
		var out []Row
		for d := range days {
			for range 30 {
				lead := math.Floor(100 * rng.Float64() * rng.Float64())
				score := rng.Float64()
				p := score * (1 - lead/200)
				r := Row{At: float64(from + d), Score: score, Chosen: score > 0.5, Driver: lead, truth: rng.Float64() < p}
				r.knownAt = r.At + lead
				out = append(out, r)
			}
		}
		return out
	}
	reference, monitored := rows(17000, 120), rows(17120, 200)
	if mutate != nil {
		for i := range monitored {
			mutate(&monitored[i])
		}
	}
	w, err := NewWorld(reference, monitored)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func madeStudy(t *testing.T, w *World) *Study {
	t.Helper()
	c := DefaultConfig()
	c.Draws, c.TuneDraws, c.Sample, c.StepDays = 40, 5, 0.05, 10
	s, err := NewStudy(t.Context(), w, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answers are everything that was said up to a day.
func answers(t *testing.T, w *World, asOf float64) []Answer {
	t.Helper()
	s := madeStudy(t, w)
	var given []Answer
	var past earlier
	for end := 17150.0; end <= asOf; end += s.WindowDays {
		a, err := s.answer(w.AsOf(end+10), end, past)
		if err != nil {
			t.Fatal(err)
		}
		past = append(past, a)
		given = append(given, a)
	}
	for i := range given {
		given[i].events = nil
	}
	return given
}

// Every label that became known after the last answer is turned round, and every
// prediction after it is another: whatever had looked at them answers otherwise.
func TestNobodyLooksAhead(t *testing.T) {
	const last = 17240.0 // windows end at 17150, 17180, 17210, 17240, each asked 10 days later
	want := answers(t, made(t, nil), last)
	got := answers(t, made(t, func(r *Row) {
		if r.knownAt > last+10 {
			r.truth = !r.truth
		}
		if r.At >= last+10 {
			r.Score, r.Chosen, r.Driver = 1-r.Score, !r.Chosen, 99-r.Driver
		}
	}), last)
	if len(want) != 4 || !reflect.DeepEqual(got, want) {
		t.Errorf("answers change with the future:\n%+v\nwant\n%+v", got, want)
	}
	// The same change one day earlier must show: the test can fail.
	seen := answers(t, made(t, func(r *Row) {
		if r.knownAt > last-40 {
			r.truth = !r.truth
		}
	}), last)
	if reflect.DeepEqual(seen, want) {
		t.Error("labels that were known change nothing")
	}
}

// forecasts are what delay curves said up to a day, without what is held against
// it.
func forecasts(t *testing.T, w *World, last float64) (said []Forecast) {
	t.Helper()
	for _, f := range madeStudy(t, w).Forecasts() {
		if f.Known, f.InTruth = 0, 0; f.End <= last {
			if math.IsNaN(f.Mature) {
				f.Mature = -1
			}
			said = append(said, f)
		}
	}
	return said
}

// A label that became known after the last window, of the reference too, becomes so
// half a year later, and every prediction after that window is another: no delay
// curve of its day knows.
func TestNoDelayCurveLooksAhead(t *testing.T) {
	const last = 17210.0
	later := func(after float64) *World {
		w := made(t, nil)
		for _, rows := range [][]Row{w.reference, w.monitored} {
			for i := range rows {
				r := &rows[i]
				if r.knownAt > after {
					r.truth, r.knownAt = !r.truth, r.knownAt+180
				}
				if r.At >= last {
					r.Score, r.Chosen, r.Driver = 1-r.Score, !r.Chosen, 99-r.Driver
				}
			}
		}
		return w
	}
	want := forecasts(t, made(t, nil), last)
	if got := forecasts(t, later(last), last); len(want) != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("forecasts change with the future:\n%+v\nwant\n%+v", got, want)
	}
	if got := forecasts(t, later(last-10), last); reflect.DeepEqual(got, want) {
		t.Error("labels that were known change nothing")
	}
}

// Every label that no draw had is turned round: what a draw says stays.
func TestNoDrawSeesMoreThanItsSample(t *testing.T) {
	random := func(w *World) []Sampled {
		s := madeStudy(t, w)
		s.Draws = 2
		all, err := s.Random(t.Context())
		if err != nil || len(all) != 6 {
			t.Fatalf("%d windows, %v", len(all), err)
		}
		return all
	}
	want := random(made(t, nil))
	turned := func(had bool) *World {
		w := made(t, nil)
		n := 0
		for _, s := range want {
			rows := between(w.monitored, s.End-30, s.End)
			for i := range rows {
				if s.asked[i] == had {
					rows[i].truth = !rows[i].truth
					n++
				}
			}
		}
		if n < 100 {
			t.Fatalf("%d labels are turned", n)
		}
		return w
	}
	for i, got := range random(turned(false)) {
		if !slices.Equal(got.said, want[i].said) || !slices.Equal(got.wilson, want[i].wilson) || got.Truth == want[i].Truth {
			t.Errorf("the window to day %g: said %+v of %g, want %+v", got.End, got.said, got.Truth, want[i].said)
		}
	}
	for i, got := range random(turned(true)) {
		if slices.Equal(got.said, want[i].said) {
			t.Errorf("the window to day %g: labels that were drawn change nothing", got.End)
		}
	}
}

func TestWindowsThatOverlapMakeNoRecord(t *testing.T) {
	w := made(t, nil)
	s := madeStudy(t, w)
	a, err := s.answer(w.AsOf(17160), 17150, nil)
	if err != nil {
		t.Fatal(err)
	}
	for before, want := range map[float64]bool{17149: false, 17150: true} {
		past, residuals, err := earlier{a}.matured(s, w.AsOf(17300), before)
		if err != nil || (len(past) > 0) != want || (len(residuals) > 0) != want {
			t.Errorf("before day %g: %d windows, %d residuals, %v", before, len(past), len(residuals), err)
		}
	}
}

func TestTuningDoesNotSeeWhatIsMonitored(t *testing.T) {
	want := madeStudy(t, made(t, nil))
	got := madeStudy(t, made(t, func(r *Row) { r.truth, r.Score = !r.truth, 1-r.Score }))
	if got.Choice != want.Choice || got.prior != want.prior || !slices.Equal(got.cuts, want.cuts) ||
		!slices.Equal(got.past, want.past) || !slices.Equal(got.residuals, want.residuals) || !slices.Equal(got.Targets(), want.Targets()) {
		t.Errorf("tuned to %+v and to %+v", got, want)
	}
}

func TestAViewHidesWhatIsNotKnown(t *testing.T) {
	w := made(t, nil)
	v := w.AsOf(17200)
	seen, err := v.Window(17150, 17200)
	if err != nil {
		t.Fatal(err)
	}
	rows := between(w.monitored, 17150, 17200)
	known := 0
	for i, s := range seen {
		if s.Known != (rows[i].knownAt <= 17200) || s.Known && s.Truth != rows[i].truth || !s.Known && (s.Truth || s.Right || s.KnownAt != 0) || s.Known && s.KnownAt != rows[i].knownAt || s.truth || !math.IsNaN(s.knownAt) {
			t.Fatalf("row %d is seen as %+v, and is %+v", i, s, rows[i])
		}
		if s.Known {
			known++
		}
	}
	if known == 0 || known == len(seen) {
		t.Errorf("%d of %d are known: the test tests nothing", known, len(seen))
	}
	if _, err := v.Window(17180, 17201); err == nil {
		t.Error("a window that is not over is shown")
	}
	for _, s := range v.Labelled(17190, 17220) {
		if s.At >= 17190 {
			t.Fatalf("a prediction of day %g is learnt from for a window from day 17190", s.At)
		}
	}
}

func TestTheWholeReport(t *testing.T) {
	c := DefaultConfig()
	c.Draws, c.TuneDraws, c.Sample, c.StepDays = 40, 5, 0.05, 10
	r, err := Run(t.Context(), "made up", made(t, nil), c, true, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Random) != 6 || len(r.Delayed) != 18 || len(r.Nowcast) != 18 || r.Reconsidered != 6 {
		t.Errorf("%d windows sampled, %d and %d asked about, %d reconsidered", len(r.Random), len(r.Delayed), len(r.Nowcast), r.Reconsidered)
	}
	values := make(map[string]float64)
	for _, f := range r.Figures() {
		if _, twice := values[f.Name]; twice {
			t.Errorf("%q is printed twice", f.Name)
		}
		values[f.Name] = f.Value
	}
	const when = ", 30 days with 30 % of labels"
	if ours, labels := values["made up: MAE of the estimate"+when], values["made up: MAE of labels only"+when]; !(ours > 0 && ours < 3 && ours < labels) {
		t.Errorf("the estimate is wrong by %g points, labels alone by %g", ours, labels)
	}
	if covered := values["made up: coverage, 5 % random labels"]; !(covered > 85) {
		t.Errorf("random labels cover %g %%", covered)
	}
	dir := t.TempDir()
	if err := r.Draw(dir); err != nil {
		t.Fatal(err)
	}
	drawn, err := filepath.Glob(filepath.Join(dir, "quality-made-up-*.svg"))
	if err != nil || len(drawn) != 4 {
		t.Fatalf("drew %v, %v", drawn, err)
	}
	for _, path := range drawn {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for in := xml.NewDecoder(bytes.NewReader(text)); ; {
			if _, err := in.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		if strings.Contains(string(text), "NaN") {
			t.Errorf("%s holds NaN", path)
		}
	}
}

// Each choice is made otherwise once, and only the figures that rest on it move.
func TestSensitivityChangesOneChoiceAtATime(t *testing.T) {
	c := DefaultConfig()
	c.Draws, c.TuneDraws, c.Sample, c.StepDays = 5, 5, 0.05, 30
	w := made(t, nil)
	r, err := Run(t.Context(), "made up", w, c, true, false)
	if err != nil {
		t.Fatal(err)
	}
	figures, err := Sensitivity(t.Context(), "made up", w, c, true)
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range figures {
		values[f.Name] = f.Value
	}
	if len(values) != 5*len(others()) {
		t.Errorf("%d figures of %d studies", len(values), len(others()))
	}
	want := ErrorsOf(r.Delayed, estimated)
	if got := values["made up, as it is: MAE"]; got != want.MAE {
		t.Errorf("as it is, MAE %g, want %g as the study has it", got, want.MAE)
	}
	for name, moves := range map[string]bool{"1 strata": true, "10 strata": true, "spread of 0 at least": false} {
		if got := values["made up, "+name+": MAE"] != want.MAE; got != moves {
			t.Errorf("%s: MAE %g, as it is %g", name, values["made up, "+name+": MAE"], want.MAE)
		}
	}
}

func TestBreachesAreJudgedByRuns(t *testing.T) {
	s := madeStudy(t, made(t, nil))
	s.StepDays = 1
	var points []Point
	for i, truth := range []float64{0.9, 0.7, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9} {
		p := Point{Truth: truth}
		p.End = 17150 + float64(i)
		points = append(points, p)
	}
	at := func(days ...int) func(Point) bool {
		return func(p Point) bool { return slices.Contains(days, int(p.End)-17150) }
	}
	b := s.Breached(points, 0.8, at(2, 3, 12))
	if b.Episodes != 1 || b.Found != 1 || b.False != 1 || b.FalseDays != 2 || b.Late != 1 {
		t.Errorf("judged %+v", b)
	}
	if b := s.Breached(points, 0.8, at()); b.Found != 0 || !math.IsNaN(b.Lead) {
		t.Errorf("no alarm is judged %+v", b)
	}
}

const table = "id,when,p,hat,y,wait,size\n1,2020-01-01,0.25,0,1,2.5,7\n2,2020-01-02 12:00:00,0.75,1,0,0,\n"

func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func columns() Columns {
	return Columns{Timestamp: "when", Score: "p", Chosen: "hat", Label: "y", Delay: "wait"}
}

func TestTablesAreRead(t *testing.T) {
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	if _, err := gz.Write([]byte(table)); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	want := []Row{
		{At: 18262, Score: 0.25, Driver: 2.5, truth: true, knownAt: 18264.5},
		{At: 18263.5, Score: 0.75, Chosen: true, knownAt: 18263.5},
	}
	for name, path := range map[string]string{
		"CSV": write(t, "t.csv", []byte(table)), "gzip": write(t, "t.csv.gz", packed.Bytes()), "Parquet": write(t, "t.parquet", parquetTable(t)),
	} {
		got, err := Read(path, columns())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read %+v, %v", name, got, err)
		}
	}
}

func parquetTable(t *testing.T) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "when", Type: arrow.FixedWidthTypes.Timestamp_us}, {Name: "p", Type: arrow.PrimitiveTypes.Float64},
		{Name: "hat", Type: arrow.PrimitiveTypes.Int32}, {Name: "y", Type: arrow.FixedWidthTypes.Boolean}, {Name: "wait", Type: arrow.PrimitiveTypes.Float32},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.TimestampBuilder).AppendValues([]arrow.Timestamp{18262 * 86400e6, 18263.5 * 86400e6}, nil)
	b.Field(1).(*array.Float64Builder).AppendValues([]float64{0.25, 0.75}, nil)
	b.Field(2).(*array.Int32Builder).AppendValues([]int32{0, 1}, nil)
	b.Field(3).(*array.BooleanBuilder).AppendValues([]bool{true, false}, nil)
	b.Field(4).(*array.Float32Builder).AppendValues([]float32{2.5, 0}, nil)
	record := b.NewRecord()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(record), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	for name, broken := range map[string]string{
		"a score over 1":     strings.Replace(table, "0.75", "1.5", 1),
		"a class of 2":       strings.Replace(table, ",1,0,0,", ",2,0,0,", 1),
		"an unknown label":   strings.Replace(table, ",1,0,0,", ",1,maybe,0,", 1),
		"a negative delay":   strings.Replace(table, "2.5", "-2.5", 1),
		"a time without one": strings.Replace(table, "2020-01-01", "soon", 1),
		"a missing column":   strings.Replace(table, "hat", "cap", 1),
		"a ragged row":       table + "3,4\n",
		"nothing":            "",
	} {
		if _, err := Read(write(t, "t.csv", []byte(broken)), columns()); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if _, err := Read(write(t, "t.parquet", []byte(table)), columns()); err == nil {
		t.Error("text is read as Parquet")
	}
	c := columns()
	c.Driver = "size"
	if _, err := Read(write(t, "t.csv", []byte(table)), c); err == nil {
		t.Error("an empty driver is read as a number")
	}
	if _, err := NewWorld(nil, []Row{{}}); err == nil {
		t.Error("a world without a reference")
	}
	if err := (Config{}).Validate(); err == nil {
		t.Error("an empty configuration is valid")
	}
}

func FuzzRow(f *testing.F) {
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		w := strings.Split(line, ",")
		f.Add(w[1], w[2], w[3], w[4], w[5], "7")
	}
	f.Add("1600000000", "1", "True", "0.0", "1e5", "NaN")
	f.Fuzz(func(t *testing.T, when, score, hat, label, wait, size string) {
		words := map[string]string{"when": when, "p": score, "hat": hat, "y": label, "wait": wait, "size": size}
		c := columns()
		c.Driver = "size"
		r, err := rowOf(func(name string) string { return words[name] }, c)
		if err != nil {
			return
		}
		if !(r.Score >= 0 && r.Score <= 1) || !(r.knownAt >= r.At) || math.IsInf(r.knownAt, 0) || math.IsInf(r.Driver, 0) {
			t.Errorf("%q is read as %+v", words, r)
		}
	})
}
