package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// EnsureTopics creates the configured topics that do not exist. Topics that
// exist are left as they are.
func EnsureTopics(ctx context.Context, cfg Config) error {
	l := newLink(cfg.Brokers, cfg.InsertTimeout)
	defer l.close()
	topic := func(name string, entries ...kafka.ConfigEntry) kafka.TopicConfig {
		return kafka.TopicConfig{Topic: name, NumPartitions: cfg.Partitions, ReplicationFactor: cfg.Replication, ConfigEntries: entries}
	}
	letters := topic(cfg.Topics.DeadLetters, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: strconv.Itoa(maxLetterBatch)})
	letters.NumPartitions = 1
	wanted := []kafka.TopicConfig{letters}
	for _, s := range cfg.AllSources() {
		wanted = append(wanted, topic(s.Topic))
	}
	r, err := l.get().CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: wanted})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	var errs []error
	for name, err := range r.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("create topic %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
