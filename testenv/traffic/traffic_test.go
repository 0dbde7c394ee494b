package traffic_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

func options() traffic.Options {
	return traffic.Options{
		Seed: 7, Model: "m", Deploy: "d1", Predictions: 2000, Start: time.UnixMilli(1_750_000_000_000), Span: 6 * time.Hour,
		Bad: 0.05, Duplicate: 0.05, Unlabelled: 0.1, Corrected: 0.05, EarlyLabel: 0.05, MeanLabelDelay: 20 * time.Minute,
	}
}

func TestTheSameSeedMakesTheSameTraffic(t *testing.T) {
	a, _, err := traffic.Generate(options())
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ := traffic.Generate(options())
	if len(a) != len(b) {
		t.Fatalf("%d and %d messages", len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i].Value, b[i].Value) || !a[i].Time.Equal(b[i].Time) {
			t.Fatalf("message %d differs", i)
		}
	}
}

// The expected counts are recounted from the messages by another way: reading
// the JSON back.
func TestExpectedCountsMatchTheMessages(t *testing.T) {
	messages, want, err := traffic.Generate(options())
	if err != nil {
		t.Fatal(err)
	}
	var got traffic.Expected
	predicted, winner, winnerAt := map[string]string{}, map[string]string{}, map[string]int64{}
	for i, m := range messages {
		if i > 0 && m.Time.Before(messages[i-1].Time) {
			t.Fatalf("message %d is out of order", i)
		}
		var e struct {
			ID        any    `json:"prediction_id"`
			TS        int64  `json:"ts"`
			Predicted string `json:"predicted"`
			Label     string `json:"label"`
		}
		id, ok := "", json.Unmarshal(m.Value, &e) == nil
		if ok {
			id, ok = e.ID.(string)
		}
		if !ok || e.TS == 0 {
			got.Dead++
			continue
		}
		if m.Topic == "predictions" {
			got.Predictions++
			predicted[id] = e.Predicted
			continue
		}
		got.Labels++
		if e.TS >= winnerAt[id] {
			winner[id], winnerAt[id] = e.Label, e.TS
		}
	}
	got.Distinct = len(predicted)
	for id, label := range winner {
		got.Labelled++
		if predicted[id] == label {
			got.Correct++
		}
	}
	if got != want {
		t.Fatalf("recounted %+v, expected %+v", got, want)
	}
}
