// Package kafkatest gives a test a Kafka: an embedded one of its own, or its share
// of the Apache Kafka that make test-real runs. It is for tests, imports no
// ingest, and so serves ingest's own.
package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/testenv/broker"
)

// Real is where the Apache Kafka is that PLUMBLINE_TEST_KAFKA names, and empty
// without one.
func Real() []string {
	if addresses := os.Getenv("PLUMBLINE_TEST_KAFKA"); addresses != "" {
		return strings.Split(addresses, ",")
	}
	return nil
}

// Any is where the test's Kafka is: the real one, else an embedded one. For tests
// that need no faults.
func Any(tb testing.TB) []string {
	tb.Helper()
	if real := Real(); real != nil {
		return real
	}
	return Embedded(tb).Addresses()
}

// Embedded starts a broker on a free port that ends with the test.
func Embedded(tb testing.TB, change ...func(*broker.Config)) *broker.Broker {
	tb.Helper()
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.Listen = tb.TempDir(), "127.0.0.1:0"
	for _, f := range change {
		f(&cfg)
	}
	b, err := broker.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err := b.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	return b
}

// Create makes topics and returns when every partition of them takes records: an
// Apache Kafka says that it has made a topic before its leaders know of it, and
// answers "Not Leader For Partition" until they do. They are deleted with the test.
func Create(tb testing.TB, addresses []string, topics ...kafka.TopicConfig) {
	tb.Helper()
	made, err := admin(addresses).CreateTopics(tb.Context(), &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		tb.Fatal(err)
	}
	for name, err := range made.Errors {
		if err != nil {
			tb.Fatalf("create %s: %v", name, err)
		}
	}
	for _, topic := range topics {
		tb.Cleanup(func() { Remove(tb, addresses, topic.Topic) })
		for partition := range topic.NumPartitions {
			await(tb, fmt.Sprintf("%s/%d takes records", topic.Topic, partition), func(ctx context.Context) error {
				conn, err := kafka.DialLeader(ctx, "tcp", addresses[0], topic.Topic, partition)
				if err != nil {
					return err
				}
				_, err = conn.ReadLastOffset()
				return errors.Join(err, conn.Close())
			})
		}
	}
}

// Remove deletes a topic, unless the test has, and returns when no broker knows it
// any more, so that the next of its name is not taken for it.
func Remove(tb testing.TB, addresses []string, topic string) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	gone, err := admin(addresses).DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err == nil {
		err = gone.Errors[topic]
	}
	if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
		tb.Errorf("delete %s: %v", topic, err)
		return
	}
	await(tb, topic+" is gone", func(ctx context.Context) error {
		known, err := admin(addresses).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil {
			return err
		}
		if len(known.Topics) > 0 && known.Topics[0].Error == nil {
			return errors.New("it is still known")
		}
		return nil
	})
}

// admin asks on a connection of its own each time: a transport remembers for
// seconds which topics there are.
func admin(addresses []string) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(addresses...), Timeout: time.Minute, Transport: &kafka.Transport{IdleTimeout: time.Second}}
}

func await(tb testing.TB, what string, ask func(context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("waited in vain until %s: %v", what, err)
		}
	}
}
