package flights

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
)

// Columns of the design: the intercept, three powers of the standardised
// distance, and one column for each origin, destination, hour and weekday.
const (
	columnIntercept = iota
	columnZ
	columnZ2
	columnZ3
	columnsBeforeAirports
)

const (
	hours    = 24
	weekdays = 7
	// ridge is the penalty on squared weights, scikit-learn's default (C = 1).
	// It makes the one-hot columns, which add up to the intercept, identifiable.
	ridge = 1
	// cubicScale keeps the cube of the standardised distance of the order of
	// the other columns.
	cubicScale = 0.1
	// weightDigits is the precision of the parameters that are served: rounding
	// makes the model's hash the same on machines that fuse multiply and add.
	weightDigits = 1e6
	// threshold is the score from which a flight is called late.
	threshold = 0.5
)

// Model is a logistic regression of "the flight lands more than LateAfter
// minutes late" on distance, origin, destination, hour and weekday. The cubic
// in the distance fits better than a line: the shortest and the middle flights
// are late less often than those between.
type Model struct {
	mean, deviation float64 // of the distance in training, miles
	airports        int
	weights         []float64
	// Trained is the number of flights the model was trained on, Late how
	// many of them were late.
	Trained, Late int
}

// Train fits the model to the flights of data that depart in the span.
func Train(data *Data, span Span) (*Model, error) {
	lo, hi := data.between(minuteOf(span.From), minuteOf(span.To))
	if lo == hi {
		return nil, fmt.Errorf("train: no flight departs from %s to %s", span.From, span.To)
	}
	m := &Model{airports: data.Airports(), Trained: hi - lo}
	m.mean, m.deviation = meanAndDeviation(data.distance[lo:hi])
	m.mean, m.deviation = rounded(m.mean), rounded(m.deviation)
	if m.deviation == 0 {
		return nil, fmt.Errorf("train: all %d flights are equally long", hi-lo)
	}
	for i := lo; i < hi; i++ {
		if data.late(i) {
			m.Late++
		}
	}
	weights, err := fitLogistic(samples{rows: hi - lo, columns: m.columns(), row: func(i int, x *design) bool {
		m.fill(x, data.features(lo+i))
		return data.late(lo + i)
	}}, ridge)
	if err != nil {
		return nil, fmt.Errorf("train on %d flights: %w", hi-lo, err)
	}
	for j, w := range weights {
		weights[j] = rounded(w)
	}
	m.weights = weights
	return m, nil
}

func rounded(v float64) float64 { return math.Round(v*weightDigits) / weightDigits }

func meanAndDeviation(values []uint16) (mean, deviation float64) {
	for _, v := range values {
		mean += float64(v)
	}
	mean /= float64(len(values))
	for _, v := range values {
		deviation += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(values)))
}

// features is what the model is asked about one flight.
type features struct {
	distance            float64 // miles, if the pipeline is right
	origin, destination airport
	hour, weekday       int
}

func (d *Data) features(i int) features {
	return features{
		distance: float64(d.distance[i]), origin: d.origin[i], destination: d.destination[i],
		hour: d.departure[i].hour(), weekday: d.departure[i].weekday(),
	}
}

func (m *Model) columns() int { return columnsBeforeAirports + 2*m.airports + hours + weekdays }

func (m *Model) fill(x *design, f features) {
	z := (f.distance - m.mean) / m.deviation
	x.add(columnIntercept, 1)
	x.add(columnZ, z)
	x.add(columnZ2, z*z)
	x.add(columnZ3, z*z*z*cubicScale)
	at := columnsBeforeAirports
	x.add(at+int(f.origin), 1)
	at += m.airports
	x.add(at+int(f.destination), 1)
	at += m.airports
	x.add(at+f.hour, 1)
	at += hours
	x.add(at+f.weekday, 1)
}

// score returns the probability that the flight is late. An airport unknown in
// training has weight 0, because the ridge leaves it there.
func (m *Model) score(f features) float64 {
	var x design
	m.fill(&x, f)
	return sigmoid(x.dot(m.weights))
}

// hash returns forty hexadecimal digits, as git would name a commit that holds
// the model's parameters and the given version of its feature pipeline.
func (m *Model) hash(pipeline string) string {
	h := sha256.New()
	for _, w := range append([]float64{m.mean, m.deviation}, m.weights...) {
		h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(w)))
	}
	h.Write([]byte(pipeline))
	return hex.EncodeToString(h.Sum(nil))[:40]
}
