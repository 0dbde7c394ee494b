package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// EnsureTopics is PrepareTopics for who does not log.
func EnsureTopics(ctx context.Context, cfg Config) error {
	return PrepareTopics(ctx, cfg, slog.New(slog.DiscardHandler))
}

// PrepareTopics creates the configured topics that do not exist, or refuses them
// where it may not, and brings the retention of the dead letters to the configured
// one. Other topics that exist are left as they are. It logs what it creates: a
// name that is misspelt makes a topic, too.
func PrepareTopics(ctx context.Context, cfg Config, log *slog.Logger) error {
	l := newLink(cfg, cfg.InsertTimeout)
	defer l.close()
	wanted := cfg.wantedTopics()
	// kafka-go says why it cannot connect only to who asks for metadata. Who may
	// not create topics can work with those that somebody else has made.
	client := l.get()
	known, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	exists := func(name string) bool {
		return slices.ContainsFunc(known.Topics, func(t kafka.Topic) bool { return t.Name == name && t.Error == nil })
	}
	if exists(cfg.Topics.DeadLetters) {
		if err := cfg.retainLetters(ctx, client); err != nil {
			return err
		}
	}
	missing := slices.DeleteFunc(wanted, func(w wantedTopic) bool { return exists(w.Topic) })
	if !cfg.CreateTopics {
		return refuseMissing(missing)
	}
	return createTopics(ctx, client, missing, len(known.Brokers), log)
}

// wantedTopic is a topic that must be there, with the key of the configuration
// that names it.
type wantedTopic struct {
	key string
	kafka.TopicConfig
}

// wantedTopics returns every topic that ingest reads or writes, the dead letters
// first.
func (c Config) wantedTopics() []wantedTopic {
	topic := func(key, name string, entries ...kafka.ConfigEntry) wantedTopic {
		return wantedTopic{key, kafka.TopicConfig{Topic: name, NumPartitions: c.Partitions, ReplicationFactor: c.Replication, ConfigEntries: entries}}
	}
	letters := topic("ingest.topics.dead_letters", c.Topics.DeadLetters, append(c.letterRetention(), letterSize())...)
	letters.NumPartitions = 1
	wanted := []wantedTopic{letters}
	for _, s := range c.AllSources() {
		wanted = append(wanted, topic(c.topicKey(s.Topic), s.Topic))
	}
	return wanted
}

// topicKey returns the key of the configuration that names a consumed topic.
func (c Config) topicKey(name string) string {
	for i, s := range c.Sources {
		if s.Topic == name {
			return fmt.Sprintf("ingest.sources[%d].topic", i)
		}
	}
	for key, is := range map[string]string{"predictions": c.Topics.Predictions, "labels": c.Topics.Labels, "deployments": c.Topics.Deployments, "kpis": c.Topics.KPIs} {
		if is == name {
			return "ingest.topics." + key
		}
	}
	return "ingest.topics"
}

// refuseMissing is the error of topics that are not there and must not be created.
func refuseMissing(missing []wantedTopic) error {
	var errs []error
	for _, m := range missing {
		errs = append(errs, fmt.Errorf("%s: Kafka has no topic %q that this service may see; mend the name or create the topic, because ingest.create_topics is false", m.key, m.Topic))
	}
	return errors.Join(errs...)
}

func createTopics(ctx context.Context, client *kafka.Client, missing []wantedTopic, brokers int, log *slog.Logger) error {
	if len(missing) == 0 {
		return nil
	}
	var wanted []kafka.TopicConfig
	for _, m := range missing {
		wanted = append(wanted, m.TopicConfig)
	}
	r, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: wanted})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, m := range missing {
		if err, ok := r.Errors[m.Topic]; ok && err == nil {
			m.tell(brokers, log)
		}
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

// tell logs that the topic was created.
func (t wantedTopic) tell(brokers int, log *slog.Logger) {
	log.Info("topic created", "topic", t.Topic, "key", t.key, "partitions", t.NumPartitions, "replication", t.ReplicationFactor)
	if t.ReplicationFactor == 1 && brokers > 1 {
		log.Warn("topic created with one replica: what it holds is gone if its broker is; raise its replication in Kafka, and set ingest.replication for the next ones", "topic", t.Topic, "brokers", brokers)
	}
}

// letterRetention returns what makes Kafka drop dead letters in time. It drops
// whole segments, when the youngest letter of one is old enough: a segment spans
// a seventh of the retention, so no letter outlives it by more than that.
func (c Config) letterRetention() []kafka.ConfigEntry {
	if c.DeadLetterRetention == 0 {
		return nil
	}
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return []kafka.ConfigEntry{
		{ConfigName: "retention.ms", ConfigValue: ms(c.DeadLetterRetention)},
		{ConfigName: "segment.ms", ConfigValue: ms(c.DeadLetterRetention / 7)},
	}
}

// letterSize is what the topic must take in one request.
func letterSize() kafka.ConfigEntry {
	return kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: strconv.Itoa(maxLetterBatch)}
}

// takesLetters reports whether a topic takes what letterSize asks for, or more.
func takesLetters(setting string) bool {
	n, err := strconv.Atoi(setting)
	return err == nil && n >= maxLetterBatch
}

// retainLetters brings the dead-letter topic to the configured retention. That
// it may not do so is an error: what is personal would be kept for longer than
// somebody has promised.
func (c Config) retainLetters(ctx context.Context, client *kafka.Client) error {
	wanted := c.letterRetention()
	if wanted == nil {
		return nil
	}
	wanted = append(wanted, letterSize())
	wrong := func(doing string, err error) error {
		if errors.Is(err, kafka.TopicAuthorizationFailed) || errors.Is(err, kafka.ClusterAuthorizationFailed) {
			return fmt.Errorf("%s of topic %s: %w; let this service's user describe and alter it, or set dead_letter_retention to 0 and the topic's retention.ms by hand", doing, c.Topics.DeadLetters, err)
		}
		return fmt.Errorf("%s of topic %s: %w", doing, c.Topics.DeadLetters, err)
	}
	is, err := topicSettings(ctx, client, c.Topics.DeadLetters)
	if err != nil {
		return wrong("read the retention", err)
	}
	var change []kafka.IncrementalAlterConfigsRequestConfig
	for _, w := range wanted {
		if is[w.ConfigName] != w.ConfigValue && !(w == letterSize() && takesLetters(is[w.ConfigName])) {
			change = append(change, kafka.IncrementalAlterConfigsRequestConfig{Name: w.ConfigName, Value: w.ConfigValue, ConfigOperation: kafka.ConfigOperationSet})
		}
	}
	if len(change) == 0 {
		return nil
	}
	r, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: c.Topics.DeadLetters, Configs: change},
	}})
	if err != nil {
		return wrong("set the retention", err)
	}
	for _, resource := range r.Resources {
		if resource.Error != nil {
			return wrong("set the retention", resource.Error)
		}
	}
	return nil
}

// TopicRetention returns for how long Kafka keeps the records of a topic;
// negative is for ever. A segment that is still written to is kept whole, so the
// oldest records may stay for as long as one spans beyond it.
func TopicRetention(ctx context.Context, cfg Config, topic string) (time.Duration, error) {
	l := newLink(cfg, 10*time.Second)
	defer l.close()
	settings, err := topicSettings(ctx, l.get(), topic)
	if err != nil {
		return 0, fmt.Errorf("read the retention of topic %s: %w", topic, err)
	}
	ms, err := strconv.ParseInt(settings["retention.ms"], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the retention of topic %s: retention.ms is %q", topic, settings["retention.ms"])
	}
	if ms > math.MaxInt64/int64(time.Millisecond) {
		ms = -1
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// topicSettings returns the settings of a topic that say how long it keeps
// records.
func topicSettings(ctx context.Context, client *kafka.Client, topic string) (map[string]string, error) {
	r, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms", "segment.ms", "max.message.bytes"}},
	}})
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	for _, resource := range r.Resources {
		if resource.Error != nil {
			return nil, resource.Error
		}
		for _, entry := range resource.ConfigEntries {
			settings[entry.ConfigName] = entry.ConfigValue
		}
	}
	return settings, nil
}
