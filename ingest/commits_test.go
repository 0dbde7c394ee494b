package ingest_test

import (
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv"
)

// commit sets offsets of a group that rests from outside, as Kafka's own tool does.
func commit(t *testing.T, env *testenv.Env, cfg ingest.Config, commits map[string][]kafka.OffsetCommit) {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(env.Brokers...), Transport: &kafka.Transport{}}
	r, err := client.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{GroupID: cfg.Group, GenerationID: -1, Topics: commits})
	if err != nil {
		t.Fatal(err)
	}
	for topic, partitions := range r.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				t.Fatalf("commit of %s/%d: %v", topic, p.Partition, p.Error)
			}
		}
	}
}

// commitAs commits one offset for all partitions.
func commitAs(t *testing.T, env *testenv.Env, cfg ingest.Config, offset int64, metadata string) {
	t.Helper()
	var commits []kafka.OffsetCommit
	for p := range cfg.Partitions {
		commits = append(commits, kafka.OffsetCommit{Partition: p, Offset: offset, Metadata: metadata})
	}
	commit(t, env, cfg, map[string][]kafka.OffsetCommit{cfg.Topics.Predictions: commits, cfg.Topics.Labels: commits})
}

// committed is what the group has committed.
func committed(t *testing.T, env *testenv.Env, cfg ingest.Config) map[string][]kafka.OffsetFetchPartition {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(env.Brokers...), Transport: &kafka.Transport{}}
	request := &kafka.OffsetFetchRequest{GroupID: cfg.Group, Topics: map[string][]int{}}
	for _, topic := range []string{cfg.Topics.Predictions, cfg.Topics.Labels} {
		for p := range cfg.Partitions {
			request.Topics[topic] = append(request.Topics[topic], p)
		}
	}
	r, err := client.OffsetFetch(t.Context(), request)
	if err := errors.Join(err, r.Error); err != nil {
		t.Fatal(err)
	}
	return r.Topics
}
