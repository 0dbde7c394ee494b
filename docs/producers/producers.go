// Package producers is the Go example of a producer: how a model endpoint sends
// its events so that they are counted exactly. It is compiled and tested like
// the rest, and meant to be copied; nothing of ours imports it, and it imports
// nothing of ours. Its neighbours producer.py and Producer.java say the same in
// their languages.
package producers

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// Prediction is one prediction event, with the fields most endpoints have;
// ../events.schema.json has all of them.
type Prediction struct {
	ID       string         `json:"prediction_id"`
	Model    string         `json:"model"`
	Deploy   string         `json:"deploy_hash"`
	Stage    string         `json:"stage"`
	Time     time.Time      `json:"ts"` // when the model answered
	Features map[string]any `json:"features"`
	Score    float64        `json:"score"`
	// Weight is how many requests the event stands for: 1/p where only a share
	// p of the traffic is sent.
	Weight float64 `json:"weight"`
}

// Label is what turned out to be true of a prediction; nil withdraws it.
type Label struct {
	ID    string    `json:"prediction_id"`
	Model string    `json:"model"`
	Time  time.Time `json:"ts"` // when it became true
	Value any       `json:"label"`
}

// NewWriter returns a producer that waits for all replicas: kafka-go's own
// default waits for none. The key decides the partition, so that a prediction
// and what corrects it stay in order.
func NewWriter(brokers ...string) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP(brokers...), RequiredAcks: kafka.RequireAll,
		Balancer: &kafka.Hash{}, BatchTimeout: 10 * time.Millisecond,
	}
}

// SendPrediction returns when the event is stored. The record's timestamp is
// left to the writer: it says when the event became known, ts when it happened.
func SendPrediction(ctx context.Context, w *kafka.Writer, p Prediction) error {
	return send(ctx, w, "predictions", p.ID, p)
}

// SendLabel returns when the event is stored.
func SendLabel(ctx context.Context, w *kafka.Writer, l Label) error {
	return send(ctx, w, "labels", l.ID, l)
}

func send(ctx context.Context, w *kafka.Writer, topic, key string, event any) error {
	value, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", key, err)
	}
	if err := w.WriteMessages(ctx, kafka.Message{Topic: topic, Key: []byte(key), Value: value}); err != nil {
		return fmt.Errorf("send event %s to %s: %w", key, topic, err)
	}
	return nil
}
