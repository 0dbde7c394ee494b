package bench

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Numbers and Categories are how many features of each kind an event has.
const (
	Numbers    = 20
	Categories = 3
)

// Start returns the event time of the first event, midnight UTC two days ago:
// retention, which goes by event time, must not drop what is measured.
func Start() time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -2) }

// Model and Deploy are those of every event.
const (
	Model  = "flight-delay"
	Deploy = "3f9c81d2"
)

// Event is one prediction. Its text fields are valid until the next event.
type Event struct {
	ID         []byte
	TS         int64 // Unix milliseconds
	Numbers    [Numbers]float64
	Categories [Categories]int // number of the value
	Score      float64
	Late       bool
	Latency    float64 // milliseconds
}

// Events makes predictions of one model with 20 numbers and 3 categories: 8
// normal, 4 log-normal, 4 uniform and 4 small whole numbers; 300, 300 and 15
// different categories. The same seed always makes the same events.
type Events struct {
	random *rand.Rand
	start  int64 // Unix milliseconds
	count  int64
	gap    float64 // milliseconds
	event  Event
}

// NewEvents returns a source of events that are evenly spread from start on, at
// rate a second.
func NewEvents(seed uint64, start time.Time, rate float64) *Events {
	return &Events{random: rand.New(rand.NewPCG(seed, 0)), start: start.UnixMilli(), gap: 1000 / rate}
}

// Next makes the next event. It is overwritten by the one after.
func (s *Events) Next() *Event {
	e, r := &s.event, s.random
	e.ID = strconv.AppendUint(e.ID[:0], r.Uint64()|1<<63, 16)
	e.ID = append(e.ID, '-')
	e.ID = strconv.AppendUint(e.ID, r.Uint64()|1<<63, 16)
	e.TS = s.start + int64(float64(s.count)*s.gap)
	s.count++
	for i := range e.Numbers {
		e.Numbers[i] = s.number(i)
	}
	e.Categories = [Categories]int{r.IntN(300), r.IntN(300), r.IntN(15)}
	e.Score = round(r.Float64(), 1e6)
	e.Late = e.Score > 0.7
	e.Latency = round(math.Exp(2.5+0.5*r.NormFloat64()), 1e3)
	return e
}

func (s *Events) number(i int) float64 {
	switch {
	case i < 8:
		return round(float64(i+1)*100*s.random.NormFloat64(), 1e3)
	case i < 12:
		return round(math.Exp(float64(i-6)+s.random.NormFloat64()), 1e2)
	case i < 16:
		return round(s.random.Float64(), 1e4)
	default:
		return float64(s.random.IntN(100 * (i - 15)))
	}
}

func round(v, scale float64) float64 { return math.Round(v*scale) / scale }

// AppendJSON appends the event in Plumbline's own JSON, about 620 bytes.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(append(append(b, `{"prediction_id":"`...), e.ID...), `","model":"`+Model+`","deploy_hash":"`+Deploy+`","ts":`...)
	b = strconv.AppendInt(b, e.TS, 10)
	b = append(b, `,"features":{`...)
	for i, v := range e.Numbers {
		b = append(append(append(b, '"'), NumberName(i)...), `":`...)
		b = append(strconv.AppendFloat(b, v, 'f', -1, 64), ',')
	}
	for i, v := range e.Categories {
		b = append(append(append(b, '"'), CategoryName(i)...), `":"`...)
		b = append(append(b, CategoryValue(i, v)...), `",`...)
	}
	b = append(b[:len(b)-1], `},"score":`...)
	b = strconv.AppendFloat(b, e.Score, 'f', -1, 64)
	b = append(append(append(b, `,"predicted":"`...), e.Predicted()...), `","latency_ms":`...)
	return append(strconv.AppendFloat(b, e.Latency, 'f', -1, 64), '}')
}

// Predicted returns the predicted class.
func (e *Event) Predicted() string {
	if e.Late {
		return "late"
	}
	return "on_time"
}

// NumberName names a numeric feature.
func NumberName(i int) string { return "feature_" + string(rune('a'+i)) }

// CategoryName names a categorical feature.
func CategoryName(i int) string { return [Categories]string{"origin", "destination", "carrier"}[i] }

// CategoryValue returns a value of a categorical feature.
func CategoryValue(feature, v int) string {
	code := []byte{byte('A' + v/26%26), byte('A' + v%26)}
	if feature < 2 {
		code = append(code, byte('A'+v/7%26))
	}
	return string(code)
}
