package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// EnsureTopics creates the configured topics that do not exist. Topics that
// exist are left as they are.
func EnsureTopics(ctx context.Context, cfg Config) error {
	l := newLink(cfg, cfg.InsertTimeout)
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
	// kafka-go says why it cannot connect only to who asks for metadata. Who may
	// not create topics can work with those that somebody else has made.
	client := l.get()
	known, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	wanted = slices.DeleteFunc(wanted, func(w kafka.TopicConfig) bool {
		return slices.ContainsFunc(known.Topics, func(t kafka.Topic) bool { return t.Name == w.Topic && t.Error == nil })
	})
	if len(wanted) == 0 {
		return nil
	}
	r, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: wanted})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	var errs []error
	for name, err := range r.Errors {
		switch {
		case err == nil || errors.Is(err, kafka.TopicAlreadyExists):
		case errors.Is(err, kafka.TopicAuthorizationFailed) || errors.Is(err, kafka.ClusterAuthorizationFailed):
			errs = append(errs, fmt.Errorf("create topic %s: %w; create it, or let this service's user create and describe it", name, err))
		default:
			errs = append(errs, fmt.Errorf("create topic %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
