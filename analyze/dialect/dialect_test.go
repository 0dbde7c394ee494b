package dialect_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
)

// The literals of these tests were printed by the peers on series and words
// below, spelled the same in Python:
//
//	def series(n, mult, mod, scale, shift):
//	    return np.array([(i*i + i*mult) % mod / scale + shift for i in range(n)], dtype=float)
//	def words(n, mult, k):
//	    return ["w%d" % (x*(x+1)//2 % k) for x in ((i*i*3 + i*mult) % 1009 % k for i in range(n))]
//
// NannyML 0.13.1 by UnivariateDriftCalculator and CBPE with chunk_size, as in
// testenv/dialects; Evidently 0.7.23 by calling the functions of
// evidently.legacy.calculations.stattests with their default thresholds.

func series(n, mult, mod int, scale, shift float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64((i*i+i*mult)%mod)/scale + shift
	}
	return x
}

func texts(n, mult, k int) []string {
	w := make([]string, n)
	for i := range w {
		x := (i*i*3 + i*mult) % 1009 % k
		w[i] = fmt.Sprintf("w%d", x*(x+1)/2%k)
	}
	return w
}

func words(t *testing.T, parts ...[]string) dialect.Column {
	t.Helper()
	c, err := dialect.Categorical(slices.Concat(parts...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func withNulls(x []float64, every int) []float64 {
	for i := 0; i < len(x); i += every {
		x[i] = math.NaN()
	}
	return x
}

func floor(x []float64, by float64) dialect.Column {
	for i := range x {
		x[i] = math.Floor(x[i] / by)
	}
	return dialect.Numeric(x)
}

// near compares to twelve digits: sums differ in their order.
func near(got, want float64) bool {
	if math.IsNaN(want) {
		return math.IsNaN(got)
	}
	return math.Abs(got-want) <= 1e-12*math.Max(1, math.Abs(want))
}

func TestNannyMLDrift(t *testing.T) {
	const ks, js, w1, hell = dialect.KolmogorovSmirnov, dialect.JensenShannon, dialect.Wasserstein, dialect.Hellinger
	const chi, linf = dialect.ChiSquare, dialect.LInfinity
	nan := math.NaN()
	type table struct {
		reference, chunks dialect.Column
		size              int
	}
	tables := map[string]table{
		"small": {dialect.Numeric(series(1500, 7919, 1009, 10, 0)), dialect.Numeric(series(450, 104729, 997, 9, 3)), 150},
		"large": {dialect.Numeric(series(12000, 7919, 1009, 10, 0)), dialect.Numeric(slices.Concat(series(800, 104729, 997, 9, -4), series(350, 13, 97, 1, 60))), 800},
		"nulls": {dialect.Numeric(withNulls(series(1500, 7919, 1009, 10, 0), 7)), dialect.Numeric(withNulls(series(300, 104729, 997, 9, 3), 5)), 150},
		"words": {words(t, texts(1500, 7919, 5)), words(t, texts(150, 1, 5), texts(150, 2, 4), texts(150, 5, 7)), 150},
		"pair":  {words(t, texts(1500, 7919, 2)), words(t, texts(150, 1, 2), texts(150, 3, 2)), 150},
	}
	tests := []struct {
		table     string
		measure   dialect.Measure
		values    []float64
		threshold float64
		alerts    []bool
	}{
		{"small", ks, []float64{0.126, 0.15066666666666667, 0.12266666666666666}, 0.14417719548221447, []bool{false, true, false}},
		{"small", js, []float64{0.2628240489652567, 0.2625931506206731, 0.2709942419971056}, 0.15939218148182227, []bool{true, true, true}},
		{"small", w1, []float64{7.7217777777777785, 8.993629629629629, 7.541037037037037}, 5.224285230102347, []bool{true, true, true}},
		{"small", hell, []float64{0.2574981702535145, 0.25339950545941553, 0.257838952355504}, 0.13300902112407303, []bool{true, true, true}},
		{"large", ks, []float64{0.05575000000001051, 0.6412380952380967}, 0.030276495040910047, []bool{true, true}},
		{"large", js, []float64{0.22145936604918293, 0.7854866843262515}, 0.04259188098652114, []bool{true, true}},
		{"large", w1, []float64{2.6704321133336135, 61.1646005535715}, 1.045401383937143, []bool{true, true}},
		{"large", hell, []float64{0.21689752782271654, 0.7823317804671556}, 0.0354727786079509, []bool{true, true}},
		{"nulls", ks, []float64{0.12425421530479897, 0.15512321660181583}, 0.138187974902065, []bool{false, true}},
		{"nulls", js, []float64{0.2831608528320801, 0.26857136776820023}, 0.15869873562632744, []bool{true, true}},
		{"nulls", w1, []float64{7.7331625594466065, 9.239644040928086}, 5.127814582567448, []bool{true, true}},
		{"nulls", hell, []float64{0.2689691187167739, 0.25574736120538877}, 0.1324996867594685, []bool{true, true}},
		{"words", chi, []float64{1.2865675403225811, 372.48810429208305, 238.92034152044937}, nan, []bool{false, true, true}},
		{"words", js, []float64{0.04119206446848183, 0.37308746031956513, 0.2990246732770572}, 0.06485891267292107, []bool{false, true, true}},
		{"words", linf, []float64{0.04666666666666669, 0.24, 0.15333333333333332}, 0.06828011171055534, []bool{false, true, true}},
		{"words", hell, []float64{0.03429891182128605, 0.3651682260553268, 0.29243569982323486}, 0.05401349220759715, []bool{false, true, true}},
		{"pair", chi, []float64{0.5956944196826529, 0.09241005149172751}, nan, []bool{false, false}},
		{"pair", js, []float64{0.03125412323454633, 0.014184173393729141}, 0.07148025248750031, []bool{false, false}},
		{"pair", linf, []float64{0.036666666666666736, 0.01666666666666672}, 0.08383849933496128, []bool{false, false}},
		{"pair", hell, []float64{0.026022274429222073, 0.011809238425574301}, 0.05951851153702101, []bool{false, false}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.table, " ", tt.measure), func(t *testing.T) {
			data := tables[tt.table]
			drift, err := dialect.FitNannyMLDrift(data.reference, tt.measure, chunks(t, data.reference.Len(), data.size))
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range chunks(t, data.chunks.Len(), data.size) {
				got := drift.Score(data.chunks.Rows(c.From, c.To))
				if !near(got.Value, tt.values[i]) || !near(got.Threshold, tt.threshold) || got.Alert != tt.alerts[i] {
					t.Errorf("chunk %s: %+v, NannyML prints %v against %v, alert %v", c.Key(), got, tt.values[i], tt.threshold, tt.alerts[i])
				}
			}
		})
	}
}

func chunks(t *testing.T, rows, size int) []dialect.Chunk {
	t.Helper()
	c, err := dialect.ChunksOf(rows, size)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNannyMLOfNothing(t *testing.T) {
	reference := dialect.Numeric(series(100, 3, 31, 1, 0))
	drift, err := dialect.FitNannyMLDrift(reference, dialect.JensenShannon, chunks(t, 100, 10))
	if err != nil {
		t.Fatal(err)
	}
	if s := drift.Score(dialect.Numeric([]float64{math.NaN()})); !math.IsNaN(s.Value) || s.Alert {
		t.Errorf("a chunk of nulls scores %+v", s)
	}
	for _, m := range []dialect.Measure{dialect.ChiSquare, dialect.PSI} {
		if _, err := dialect.FitNannyMLDrift(reference, m, nil); !errors.Is(err, dialect.ErrUndefined) {
			t.Errorf("%s of numbers: error %v", m, err)
		}
	}
	if _, err := dialect.FitNannyMLDrift(dialect.Numeric(nil), dialect.JensenShannon, nil); !errors.Is(err, dialect.ErrUndefined) {
		t.Errorf("a reference without rows: error %v", err)
	}
	if _, err := dialect.FitNannyMLDrift(words(t, texts(9, 1, 3)), dialect.Wasserstein, nil); !errors.Is(err, dialect.ErrUndefined) {
		t.Errorf("wasserstein of words: error %v", err)
	}
}

func TestChunks(t *testing.T) {
	got := chunks(t, 25, 10)
	want := []dialect.Chunk{{From: 0, To: 10}, {From: 10, To: 20}, {From: 20, To: 25}}
	if !slices.Equal(got, want) || got[2].Key() != "[20:24]" {
		t.Errorf("chunks %v, key %s", got, got[2].Key())
	}
	if got, err := dialect.NannyMLChunking(105); err != nil || len(got) != 11 {
		t.Errorf("105 rows make %d chunks by default, error %v; NannyML makes 11", len(got), err)
	}
	for _, bad := range [][2]int{{0, 10}, {10, 0}, {-1, 1}} {
		if _, err := dialect.ChunksOf(bad[0], bad[1]); err == nil {
			t.Errorf("ChunksOf(%d, %d) is accepted", bad[0], bad[1])
		}
	}
}

// bookings are 3,000 scores with labels drawn below score (calibrated) or below
// its square, and three chunks of 300 scores without labels.
func bookings(calibrated bool) (reference dialect.Predictions, truth []bool, monitoring dialect.Predictions) {
	reference.Scores = series(3000, 7919, 101, 101, 0)
	for i, lot := range series(3000, 104729, 1009, 1009, 0) {
		s := reference.Scores[i]
		reference.Chosen = append(reference.Chosen, s >= 0.5)
		if !calibrated {
			s *= s
		}
		truth = append(truth, lot < s)
	}
	monitoring.Scores = series(900, 13, 101, 101, 0)
	for _, s := range monitoring.Scores {
		monitoring.Chosen = append(monitoring.Chosen, s >= 0.5)
	}
	return reference, truth, monitoring
}

func TestCBPE(t *testing.T) {
	tests := []struct {
		calibrated   bool
		metric       dialect.Performance
		values       []float64
		sampling     float64
		lower, upper float64
		alerts       []bool
	}{
		{false, dialect.ROCAUC, []float64{0.8756791149248497, 0.8768906469675694, 0.8768906469675694}, 0.014862948684556003, 0.8486356404005365, 0.9336994278031944, []bool{false, false, false}},
		{false, dialect.Accuracy, []float64{0.726464521781498, 0.7290167026595383, 0.7290167026595383}, 0.024197306247382776, 0.7286666666666666, 0.8166666666666667, []bool{true, false, false}},
		{false, dialect.F1, []float64{0.6815176624091199, 0.6854239916200137, 0.6854239916200137}, 0.05203921526831548, 0.6376669536619156, 0.7823838362529515, []bool{false, false, false}},
		{true, dialect.ROCAUC, []float64{0.8473184551655197, 0.8489253553327848, 0.8489253553327848}, 0.016389019182573086, 0.8085945306630107, 0.8857206610279644, []bool{false, false, false}},
		{true, dialect.Accuracy, []float64{0.7636774860114046, 0.76566664220312, 0.7656666422031201}, 0.024284418110446106, 0.7147545604069724, 0.8259121062596942, []bool{false, false, false}},
		{true, dialect.F1, []float64{0.7688378911063233, 0.7712287364402581, 0.7712287364402581}, 0.0456487779672036, 0.6919638177485178, 0.8220848518008367, []bool{false, false, false}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.metric, " ", tt.calibrated), func(t *testing.T) {
			reference, truth, monitoring := bookings(tt.calibrated)
			cbpe, err := dialect.FitCBPE(reference, truth, chunks(t, 3000, 300))
			if err != nil {
				t.Fatal(err)
			}
			if !cbpe.Calibrates() {
				t.Error("the scores are used as they are; NannyML calibrates them")
			}
			for i, c := range chunks(t, 900, 300) {
				got, err := cbpe.Estimate(tt.metric, monitoring.Rows(c.From, c.To))
				if err != nil {
					t.Fatal(err)
				}
				if !near(got.Value, tt.values[i]) || !near(got.SamplingError, tt.sampling) ||
					!near(got.Lower, tt.lower) || !near(got.Upper, tt.upper) || got.Alert != tt.alerts[i] {
					t.Errorf("chunk %s: %+v, NannyML prints %v, error %v, thresholds %v and %v, alert %v",
						c.Key(), got, tt.values[i], tt.sampling, tt.lower, tt.upper, tt.alerts[i])
				}
				if got.Low > got.Value || got.High < got.Value || got.Low < 0 || got.High > 1 {
					t.Errorf("chunk %s: band %v to %v around %v", c.Key(), got.Low, got.High, got.Value)
				}
			}
		})
	}
}

func TestCBPERefuses(t *testing.T) {
	reference, truth, monitoring := bookings(true)
	if _, err := dialect.FitCBPE(reference, truth[:10], nil); err == nil {
		t.Error("fewer labels than scores are accepted")
	}
	null := reference
	null.Scores = withNulls(slices.Clone(reference.Scores), 100)
	if _, err := dialect.FitCBPE(null, truth, nil); err == nil {
		t.Error("a null score is accepted")
	}
	few := reference.Rows(0, 3)
	if _, err := dialect.FitCBPE(few, []bool{true, false, true}, chunks(t, 3, 3)); err == nil {
		t.Error("three rows are accepted")
	}
	cbpe, err := dialect.FitCBPE(reference, truth, chunks(t, 3000, 300))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cbpe.Estimate("recall", monitoring); !errors.Is(err, dialect.ErrUndefined) {
		t.Errorf("recall: error %v", err)
	}
	if _, err := cbpe.Estimate(dialect.F1, null); err == nil {
		t.Error("a null score is estimated")
	}
	if _, err := cbpe.Estimate(dialect.F1, dialect.Predictions{Scores: []float64{1}}); err == nil {
		t.Error("a score without a choice is estimated")
	}
	for i := range truth {
		truth[i] = reference.Chosen[i]
	}
	if perfect, err := dialect.FitCBPE(reference, truth, chunks(t, 3000, 300)); err != nil || perfect.Calibrates() {
		t.Errorf("a perfect ranking is calibrated, error %v", err)
	}
}

// NannyML's decision to calibrate on forty references of about 600 calibrated
// scores, where it is a matter of lots: its splits must be drawn as it draws
// them. needs_calibration(y, s, IsotonicCalibrator()) for multiplier 1 to 40
// with s = series(600+m, 37*m, 101, 101, 0), y = series(600+m, 104729*m, 1009,
// 1009, 0) < s, without vector sorting; with AVX-512 11 of the 40 are decided otherwise.
func TestCBPECalibratesWhereNannyMLDoes(t *testing.T) {
	const printed = "1011100100111000110000100111110000110110"
	for i, want := range printed {
		m := i + 1
		n := 600 + m
		rows := dialect.Predictions{Scores: series(n, 37*m, 101, 101, 0), Chosen: make([]bool, n)}
		truth := make([]bool, n)
		for row, lot := range series(n, 104729*m, 1009, 1009, 0) {
			truth[row] = lot < rows.Scores[row]
		}
		cbpe, err := dialect.FitCBPE(rows, truth, chunks(t, n, 100))
		if err != nil {
			t.Fatal(err)
		}
		if cbpe.Calibrates() != (want == '1') {
			t.Errorf("multiplier %d: calibrates %v, NannyML %c", m, cbpe.Calibrates(), want)
		}
	}
}

// Five chunks, four of 0 and one of 1: mean plus three deviations is 1.04.
func TestNannyMLThresholdStopsAtOne(t *testing.T) {
	values := make([]float64, 500)
	for i := 400; i < 500; i++ {
		values[i] = 1
	}
	drift, err := dialect.FitNannyMLDrift(dialect.Numeric(values), dialect.KolmogorovSmirnov, chunks(t, 500, 100))
	if err != nil {
		t.Fatal(err)
	}
	if s := drift.Score(dialect.Numeric(values[400:])); s.Threshold != 1 || s.Alert || !near(s.Value, 0.8) {
		t.Errorf("%+v, NannyML prints .8 against 1", s)
	}
}

// A positive below all negatives has rank 0, which NannyML does not see.
func TestCBPEPositiveOfLeastScore(t *testing.T) {
	rows := dialect.Predictions{Scores: make([]float64, 1000), Chosen: make([]bool, 1000)}
	truth := make([]bool, 1000)
	for i := range truth {
		rows.Scores[i] = float64((i*7919+i*i)%101)/101 + 0.001
		truth[i] = float64((i*i+104729*i)%1009)/1009 < rows.Scores[i]
	}
	rows.Scores[0], truth[0] = 0.0005, true
	cbpe, err := dialect.FitCBPE(rows, truth, chunks(t, 1000, 100))
	if err != nil {
		t.Fatal(err)
	}
	e, err := cbpe.Estimate(dialect.ROCAUC, rows.Rows(0, 100))
	if err != nil || !near(e.SamplingError, 0.02893016789514159) {
		t.Errorf("sampling error %v, error %v; NannyML prints .02893016789514159", e.SamplingError, err)
	}
}
