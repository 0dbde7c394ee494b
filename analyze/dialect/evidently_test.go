package dialect_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
)

func TestEvidently(t *testing.T) {
	const ks, js, w1, psi = dialect.KolmogorovSmirnov, dialect.JensenShannon, dialect.Wasserstein, dialect.PSI
	const chi, z = dialect.ChiSquare, dialect.ZTest
	reference, current := series(800, 7919, 1009, 10, 0), series(450, 104729, 997, 10, 3)
	pairs := map[string][2]dialect.Column{
		"numbers":  {dialect.Numeric(reference), dialect.Numeric(current)},
		"long":     {dialect.Numeric(reference), dialect.Numeric(series(11000, 13, 997, 10, 0.5))},
		"equal":    {dialect.Numeric(reference[:300]), dialect.Numeric(current[:300])},
		"words":    {words(t, texts(800, 7919, 5)), words(t, texts(450, 1, 5))},
		"new word": {words(t, texts(800, 7919, 5)), words(t, texts(450, 5, 7))},
		"pair":     {words(t, texts(800, 7919, 2)), words(t, texts(450, 1, 2))},
		"few":      {floor(series(800, 7919, 1009, 10, 0), 30), floor(series(450, 104729, 997, 10, 3), 30)},
	}
	tests := []struct {
		pair    string
		measure dialect.Measure
		score   float64
		drifted bool
	}{
		{"numbers", ks, 0.5430505505266875, false},
		{"long", ks, 0.4744130700550778, false},
		{"equal", ks, 0.21005749381264038, false},
		{"numbers", w1, 0.08405037240031606, false},
		{"numbers", js, 0.06410013645981018, false},
		{"numbers", psi, 0.032999141812416206, false},
		{"words", chi, 0.44431395034217425, false},
		{"words", js, 0.021367390549155076, false},
		{"words", psi, 0.0036532300511806274, false},
		{"new word", chi, 0.0, true},
		{"new word", psi, 1.0797059700518241, true},
		{"new word", js, 0.24749426052583398, true},
		{"pair", z, 0.48734699526981773, false},
		{"few", js, 0.036392481217536084, false},
		{"few", psi, 0.010606427314628752, false},
		{"few", chi, 0.17776115770711207, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.pair, " ", tt.measure), func(t *testing.T) {
			pair := pairs[tt.pair]
			got, err := dialect.EvidentlyScore(pair[0], pair[1], tt.measure)
			if err != nil {
				t.Fatal(err)
			}
			// The long pair has more than 10,000 rows: scipy's approximation
			// of the one-sample distribution carries an error of its own.
			tolerance := 1e-12
			if tt.pair == "long" {
				tolerance = 1e-6
			}
			if math.Abs(got.Value-tt.score) > tolerance || got.Alert != tt.drifted {
				t.Errorf("%+v, Evidently prints %v, drifted %v", got, tt.score, tt.drifted)
			}
		})
	}
}

func TestEvidentlyDefault(t *testing.T) {
	current := dialect.Numeric(series(450, 104729, 997, 10, 3))
	small, large := series(800, 7919, 1009, 10, 0), series(1001, 7919, 1009, 10, 0)
	few := floor(series(450, 104729, 997, 10, 3), 30)
	tests := []struct {
		name               string
		reference, current dialect.Column
		want               dialect.Measure
	}{
		{"800 rows of numbers", dialect.Numeric(small), current, dialect.KolmogorovSmirnov},
		{"1,001 rows of numbers", dialect.Numeric(large), current, dialect.Wasserstein},
		{"1,001 rows, one null", dialect.Numeric(withNulls(series(1001, 7919, 1009, 10, 0), 1001)), current, dialect.KolmogorovSmirnov},
		{"4 distinct numbers", floor(series(800, 7919, 1009, 10, 0), 30), few, dialect.ChiSquare},
		{"2 distinct numbers", floor(series(800, 7919, 1009, 10, 0), 60), floor(series(450, 104729, 997, 10, 3), 60), dialect.ZTest},
		{"4 distinct numbers in 1,001 rows", floor(series(1001, 7919, 1009, 10, 0), 30), few, dialect.JensenShannon},
		{"words", words(t, texts(800, 7919, 5)), words(t, texts(450, 1, 5)), dialect.ChiSquare},
		{"two words", words(t, texts(800, 7919, 2)), words(t, texts(450, 1, 2)), dialect.ZTest},
		{"1,001 rows of words", words(t, texts(1001, 7919, 5)), words(t, texts(450, 1, 5)), dialect.JensenShannon},
	}
	for _, tt := range tests {
		if got := dialect.EvidentlyDefault(tt.reference, tt.current); got != tt.want {
			t.Errorf("%s: %s, Evidently chooses %s", tt.name, got, tt.want)
		}
	}
}

func TestEvidentlyIgnoresInfinities(t *testing.T) {
	reference, current := series(800, 7919, 1009, 10, 0), series(450, 104729, 997, 10, 3)
	current = append(current, math.Inf(1), math.NaN(), math.Inf(-1))
	got, err := dialect.EvidentlyScore(dialect.Numeric(reference), dialect.Numeric(current), dialect.PSI)
	if err != nil || !near(got.Value, 0.032999141812416206) {
		t.Errorf("PSI %+v with infinities, error %v", got, err)
	}
}

func TestEvidentlyDataset(t *testing.T) {
	yes, no := dialect.Score{Alert: true}, dialect.Score{}
	if !dialect.EvidentlyDataset([]dialect.Score{yes, no}) || dialect.EvidentlyDataset([]dialect.Score{yes, no, no}) || dialect.EvidentlyDataset(nil) {
		t.Error("a data set is drifted at half of its columns, not below, and not without any")
	}
}

// Two samples of 100 rows half of which are apart, by hand: .5 less
// 1.8 * sqrt(200/10000), or less sqrt(-ln(.025)/2) times the same.
func TestDeequ(t *testing.T) {
	low, high := make([]float64, 100), make([]float64, 100)
	for i := range low {
		low[i], high[i] = float64(i), float64(i+50)
	}
	a, b := dialect.Numeric(low), dialect.Numeric(high)
	twos := make([]string, 100)
	threes := make([]string, 100)
	for i := range twos {
		twos[i], threes[i] = fmt.Sprint(i%2), fmt.Sprint(i%4)
	}
	tests := []struct {
		name     string
		from, to dialect.Column
		measure  dialect.Measure
		alpha    float64
		want     float64
	}{
		{"simple", a, b, dialect.LInfinity, 0, 0.5},
		{"robust", a, b, dialect.LInfinityRobust, 0, 0.5 - 1.8*math.Sqrt(200)/100},
		{"robust at .05", a, b, dialect.LInfinityRobust, 0.05, 0.5 - 1.3581015157406195*math.Sqrt(200)/100},
		{"robust of nothing", a, a, dialect.LInfinityRobust, 0, 0},
		{"words", words(t, twos), words(t, threes), dialect.LInfinity, 0, 0.25},
		{"words, robust", words(t, twos), words(t, threes), dialect.LInfinityRobust, 0, 0},
	}
	for _, tt := range tests {
		got, err := dialect.DeequScore(tt.from, tt.to, tt.measure, dialect.DeequOptions{Alpha: tt.alpha})
		if err != nil || !near(got.Value, tt.want) || got.Alert {
			t.Errorf("%s: %+v, error %v, want %v", tt.name, got, err, tt.want)
		}
	}
	if s, err := dialect.SageMakerScore(a, b, dialect.LInfinityRobust); err != nil || !s.Alert || s.Threshold != 0.1 {
		t.Errorf("SageMaker: %+v, error %v", s, err)
	}
}

func TestDocumentedPeers(t *testing.T) {
	numbers, moved := dialect.Numeric([]float64{0, 0, 0, 2, 2, 2}), dialect.Numeric([]float64{1, 1, 1, 3, 3, 3})
	half, all := words(t, []string{"a", "b"}), words(t, []string{"a", "a"})
	// Half against all: M = (3/4, 1/4), JSD = (.5 log2(2/3) + .5 log2 2 + log2(4/3)) / 2.
	js := math.Sqrt((0.5*math.Log2(2.0/3) + 0.5 + math.Log2(4.0/3)) / 2)
	type score = func(a, b dialect.Column, m dialect.Measure) (dialect.Score, error)
	tests := []struct {
		name     string
		score    score
		from, to dialect.Column
		measure  dialect.Measure
		want     float64
		alert    bool
	}{
		{"azure", dialect.AzureScore, numbers, moved, dialect.Wasserstein, 1, true},
		{"azure", dialect.AzureScore, half, all, dialect.JensenShannon, js, true},
		{"vertex", dialect.VertexScore, half, all, dialect.LInfinity, 0.5, true},
		{"vertex", dialect.VertexScore, numbers, moved, dialect.JensenShannon, 1, true},
		{"vertex", dialect.VertexScore, numbers, numbers, dialect.JensenShannon, 0, false},
		{"databricks", dialect.DatabricksScore, numbers, moved, dialect.Wasserstein, 1, false},
		{"databricks", dialect.DatabricksScore, numbers, moved, dialect.KolmogorovSmirnov, 0.5, false},
		{"databricks", dialect.DatabricksScore, half, all, dialect.TotalVariation, 0.5, false},
		{"databricks", dialect.DatabricksScore, half, all, dialect.LInfinity, 0.5, false},
		{"databricks", dialect.DatabricksScore, half, all, dialect.JensenShannon, js, false},
	}
	for _, tt := range tests {
		got, err := tt.score(tt.from, tt.to, tt.measure)
		if err != nil || !near(got.Value, tt.want) || got.Alert != tt.alert {
			t.Errorf("%s %s: %+v, error %v, want %v", tt.name, tt.measure, got, err, tt.want)
		}
	}
	for name, s := range map[string]score{
		"azure": dialect.AzureScore, "vertex": dialect.VertexScore, "databricks": dialect.DatabricksScore,
		"sagemaker": dialect.SageMakerScore, "evidently": dialect.EvidentlyScore,
	} {
		if _, err := s(numbers, half, dialect.Wasserstein); !errors.Is(err, dialect.ErrUndefined) {
			t.Errorf("%s compares numbers with words: error %v", name, err)
		}
		if _, err := s(numbers, dialect.Numeric([]float64{math.NaN()}), dialect.Wasserstein); !errors.Is(err, dialect.ErrUndefined) {
			t.Errorf("%s compares with nothing: error %v", name, err)
		}
		if _, err := s(half, all, dialect.Hellinger); !errors.Is(err, dialect.ErrUndefined) {
			t.Errorf("%s knows hellinger: error %v", name, err)
		}
	}
}

// Every measure that a peer is listed with is computed for a column of at
// least one kind.
func TestPeersSpeakTheirMeasures(t *testing.T) {
	numbers := [2]dialect.Column{dialect.Numeric(series(60, 7, 31, 1, 0)), dialect.Numeric(series(40, 3, 29, 1, 1))}
	texts := [2]dialect.Column{words(t, texts(60, 7, 5)), words(t, texts(40, 3, 5))}
	speak := map[dialect.Name]func(a, b dialect.Column, m dialect.Measure) (dialect.Score, error){
		dialect.NannyML: func(a, b dialect.Column, m dialect.Measure) (dialect.Score, error) {
			drift, err := dialect.FitNannyMLDrift(a, m, chunks(t, a.Len(), 10))
			if err != nil {
				return dialect.Score{}, err
			}
			return drift.Score(b), nil
		},
		dialect.Evidently: dialect.EvidentlyScore, dialect.SageMaker: dialect.SageMakerScore, dialect.Azure: dialect.AzureScore,
		dialect.Vertex: dialect.VertexScore, dialect.Databricks: dialect.DatabricksScore,
		dialect.Deequ: func(a, b dialect.Column, m dialect.Measure) (dialect.Score, error) {
			return dialect.DeequScore(a, b, m, dialect.DeequOptions{})
		},
	}
	for _, peer := range dialect.Peers() {
		if peer.Version == "" || peer.Source == "" || (peer.Fidelity != dialect.Exact && peer.Fidelity != dialect.Documented) {
			t.Errorf("peer %+v is incomplete", peer)
		}
		for _, m := range peer.Measures {
			s, err := speak[peer.Name](numbers[0], numbers[1], m)
			if err != nil {
				s, err = speak[peer.Name](texts[0], texts[1], m)
			}
			if err != nil || math.IsNaN(s.Value) || s.Measure != m {
				t.Errorf("%s %s: %+v, error %v", peer.Name, m, s, err)
			}
		}
	}
}

func TestEvidentlyEdges(t *testing.T) {
	rare := make([]string, 20_000)
	for i := range rare {
		rare[i] = "a"
	}
	rare[0] = "b"
	current := words(t, []string{"a", "c"})
	if s, err := dialect.EvidentlyScore(words(t, rare), current, dialect.PSI); err != nil || !near(s.Value, 11.859474055973951) {
		t.Errorf("PSI with a share below 1e-4: %+v, error %v, Evidently prints 11.859474055973951", s, err)
	}
	s, err := dialect.EvidentlyScore(dialect.Numeric([]float64{0, 20}), dialect.Numeric([]float64{1, 21}), dialect.Wasserstein)
	if err != nil || s.Value != 0.1 || !s.Alert {
		t.Errorf("a distance of exactly .1: %+v, error %v; Evidently reports drift", s, err)
	}
}
