// Package traffic makes the events of a model endpoint with the faults that
// real ones have, and says what a correct system must have counted: bad JSON,
// events without an id, double deliveries, labels before their prediction,
// corrections, labels that never come, a feature that breaks. The same options
// always make the same events. It imports only the root package.
package traffic

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Options say how much traffic and how faulty. Shares lie between 0 and 1.
type Options struct {
	Seed   uint64
	Model  plumbline.Model
	Deploy plumbline.DeployHash
	// Stage is the stage of the predictions; empty sends none, which means
	// production.
	Stage plumbline.Stage
	// Predictions is the number of distinct predictions, evenly spread over
	// [Start, Start+Span).
	Predictions int
	Start       time.Time
	Span        time.Duration
	Bad         float64 // share of extra events that cannot be stored
	Duplicate   float64 // share of predictions delivered twice
	Unlabelled  float64 // share of predictions whose label never comes
	Corrected   float64 // share of labels that a later one contradicts
	EarlyLabel  float64 // share of labels that arrive before their prediction
	// MeanLabelDelay is the mean of the exponential label delay.
	MeanLabelDelay time.Duration
	// BrokenFrom is when the feature amount is multiplied by 1,000 and the
	// model answers "yes" to everything; zero never.
	BrokenFrom time.Time
}

// Message is one Kafka record.
type Message struct {
	Topic string // predictions or labels
	Key   string
	Value []byte
	Time  time.Time // Kafka timestamp: when it becomes known
}

// Expected is what must be counted once every message is stored and joined.
type Expected struct {
	Predictions int // deliveries
	Distinct    int // distinct prediction ids
	Labels      int // label deliveries
	Dead        int // events that can only be dead letters
	Labelled    int // distinct predictions with a label
	Correct     int // of those, predicted right by the winning label
}

type generator struct {
	opts     Options
	random   *rand.Rand
	messages []Message
	expected Expected
}

// Generate returns the messages in the order in which they become known, and
// what must be counted of them.
func Generate(opts Options) ([]Message, Expected, error) {
	g := &generator{opts: opts, random: rand.New(rand.NewPCG(opts.Seed, 0))}
	for i := range opts.Predictions {
		if err := g.prediction(i); err != nil {
			return nil, Expected{}, err
		}
	}
	slices.SortStableFunc(g.messages, func(a, b Message) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	return g.messages, g.expected, nil
}

func (g *generator) chance(share float64) bool { return g.random.Float64() < share }

func (g *generator) prediction(i int) error {
	at := g.opts.Start.Add(time.Duration(i) * g.opts.Span / time.Duration(g.opts.Predictions)).Truncate(time.Millisecond)
	id := fmt.Sprintf("p-%d-%06d", g.opts.Seed, i)
	amount := math.Round(math.Exp(4+g.random.NormFloat64())*100) / 100
	truth := amount > 60
	predicted := truth != g.chance(0.15) // right in 85 % of cases
	if !g.opts.BrokenFrom.IsZero() && !at.Before(g.opts.BrokenFrom) {
		amount, predicted = amount*1000, true
	}
	event := map[string]any{
		"prediction_id": id, "model": g.opts.Model, "deploy_hash": g.opts.Deploy, "ts": at.UnixMilli(),
		"features": map[string]any{"amount": amount, "channel": []string{"web", "app", "shop"}[g.random.IntN(3)]},
		"score":    math.Round(g.random.Float64()*1e6) / 1e6, "predicted": class(predicted),
	}
	if g.opts.Stage != "" {
		event["stage"] = g.opts.Stage
	}
	value, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode prediction %s: %w", id, err)
	}
	deliveries := 1
	if g.chance(g.opts.Duplicate) {
		deliveries = 2
	}
	for d := range deliveries {
		g.add("predictions", id, value, at.Add(time.Duration(d)*time.Second))
	}
	g.expected.Predictions += deliveries
	g.expected.Distinct++
	if g.chance(g.opts.Bad) {
		g.add("predictions", id, g.badEvent(value), at)
		g.expected.Dead++
	}
	return g.label(id, at, predicted, truth)
}

// badEvent returns an event that no decoder may store.
func (g *generator) badEvent(good []byte) []byte {
	switch g.random.IntN(4) {
	case 0:
		return good[:len(good)/2]
	case 1:
		return []byte(`{"model":"` + string(g.opts.Model) + `","deploy_hash":"x","ts":1700000000000}`)
	case 2:
		return []byte(`{"prediction_id":"x","model":"m","deploy_hash":"d","ts":0}`)
	default:
		return []byte(`{"prediction_id":7,"model":"m","deploy_hash":"d","ts":1700000000000}`)
	}
}

func (g *generator) label(id string, at time.Time, predicted, truth bool) error {
	if g.chance(g.opts.Unlabelled) {
		return nil
	}
	delay := time.Duration(g.random.ExpFloat64() * float64(g.opts.MeanLabelDelay)).Truncate(time.Millisecond)
	known := at.Add(delay)
	if g.chance(g.opts.EarlyLabel) {
		known = at.Add(-time.Second)
	}
	first := truth
	if g.chance(g.opts.Corrected) {
		first = !truth
		if err := g.addLabel(id, truth, known.Add(time.Minute)); err != nil {
			return err
		}
	}
	g.expected.Labelled++
	if predicted == truth {
		g.expected.Correct++
	}
	return g.addLabel(id, first, known)
}

func (g *generator) addLabel(id string, truth bool, known time.Time) error {
	value, err := json.Marshal(map[string]any{"prediction_id": id, "model": g.opts.Model, "ts": known.UnixMilli(), "label": class(truth)})
	if err != nil {
		return fmt.Errorf("encode label of %s: %w", id, err)
	}
	g.add("labels", id, value, known)
	g.expected.Labels++
	return nil
}

func (g *generator) add(topic, key string, value []byte, known time.Time) {
	g.messages = append(g.messages, Message{Topic: topic, Key: key, Value: value, Time: known})
}

func class(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
