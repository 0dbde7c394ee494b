package ingest

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/ingest/fetch"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/ingest/segment"
)

// Config says where events come from and how they are batched.
type Config struct {
	// Brokers are the addresses of kafka.brokers, or of the embedded broker. They
	// must be filled in before New.
	Brokers []string `yaml:"-"`
	// Dialer connects to them; nil connects without TLS and SASL.
	Dialer *dial.Dialer `yaml:"-"`
	// Group is the consumer group. Default plumbline-ingest.
	Group  string `yaml:"group"`
	Topics Topics `yaml:"topics"`
	// Sources are further topics, and topics of Topics whose records have
	// another shape than our own JSON.
	Sources []decode.Source `yaml:"sources"`
	// CreateTopics says whether a topic that Kafka does not have is created at the
	// start, with a line in the log. If not, the start ends in an error that names
	// the key and the topic: so a misspelt name is seen. Default true.
	CreateTopics bool `yaml:"create_topics"`
	// Partitions and Replication are those of topics that the service creates.
	// Default 4 and 1.
	Partitions  int `yaml:"partitions"`
	Replication int `yaml:"replication"`
	// DeadLetterRetention is how long Kafka keeps dead letters, at least 1 h; the
	// topic is brought to it at each start. 0 leaves the topic as it is. Default
	// 168 h.
	DeadLetterRetention time.Duration `yaml:"dead_letter_retention"`

	Limits decode.Limits `yaml:",inline"`
	// ScoreKinds says by model what its score is: probability (the default) or
	// number.
	ScoreKinds map[plumbline.Model]ScoreKind `yaml:"score_kinds"` // part of the plan hash

	// Segments are those that models declare. Part of the plan hash.
	Segments segment.Declared `yaml:"-"`

	// Privacy says what is personal in the events, and what becomes of it.
	Privacy privacy.Config `yaml:"privacy"`

	// A batch of a partition is flushed at FlushRows events, FlushBytes bytes of
	// events or FlushInterval, whichever comes first. Defaults 65,536, 40 MiB
	// and 1 s.
	FlushRows     int           `yaml:"flush_rows"`
	FlushBytes    int           `yaml:"flush_bytes"`
	FlushInterval time.Duration `yaml:"flush_interval"`
	// FetchBytes bounds one fetch of a partition. Default 4 MiB.
	FetchBytes int `yaml:"fetch_bytes"`

	// SessionTimeout is after how long a silent member loses its partitions;
	// brokers usually accept 6 s to 5 min. Default 10 s.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// InsertTimeout bounds one attempt at an INSERT, and at every other step that is
	// tried again: a look at what is stored, a deletion, a commit, a dead letter; and
	// each request that prepares the topics. Default 1 min.
	InsertTimeout time.Duration `yaml:"insert_timeout"`
	// RetryMin and RetryMax bound the pause before a retry, which doubles.
	// Defaults 100 ms and 10 s.
	RetryMin time.Duration `yaml:"retry_min"`
	RetryMax time.Duration `yaml:"retry_max"`
	// ParkRetry is after how long a parked partition is tried again. Default
	// 1 min.
	ParkRetry time.Duration `yaml:"park_retry"`

	// BadShare is the share of refused events, in (0, 1], above which a
	// partition is paused and people are told; 1 never pauses. Default 0.05.
	BadShare float64 `yaml:"bad_share"`
	// BadPause is after how long a paused partition is tried again. Default
	// 5 min.
	BadPause time.Duration `yaml:"bad_pause"`
}

// Topics names the Kafka topics.
type Topics struct {
	Predictions string `yaml:"predictions"`
	Labels      string `yaml:"labels"`
	Deployments string `yaml:"deployments"`
	// KPIs is the topic of business figures; without one there are none.
	KPIs        string `yaml:"kpis"`
	DeadLetters string `yaml:"dead_letters"`
}

// DefaultConfig returns the defaults; Brokers is empty.
func DefaultConfig() Config {
	return Config{
		Group:        "plumbline-ingest",
		Topics:       Topics{Predictions: "predictions", Labels: "labels", Deployments: "deployments", KPIs: "kpis", DeadLetters: "plumbline.dead-letters"},
		CreateTopics: true, Partitions: 4, Replication: 1, DeadLetterRetention: 7 * 24 * time.Hour,
		Limits:    decode.DefaultLimits(),
		FlushRows: 65_536, FlushBytes: 40 << 20, FlushInterval: time.Second,
		FetchBytes:     4 << 20,
		SessionTimeout: 10 * time.Second, InsertTimeout: time.Minute,
		RetryMin: 100 * time.Millisecond, RetryMax: 10 * time.Second, ParkRetry: time.Minute,
		BadShare: 0.05, BadPause: 5 * time.Minute,
	}
}

// fetch configures the reading connections.
func (c Config) fetch() fetch.Config {
	f := fetch.DefaultConfig()
	f.Brokers, f.Dial, f.MaxBytes = c.Brokers, c.Dialer.DialContext, c.FetchBytes
	f.MaxBatchBytes = max(f.MaxBatchBytes, c.FetchBytes)
	return f
}

// AllSources returns what every consumed topic holds: the configured sources,
// and our own JSON on the topics that are left.
func (c Config) AllSources() []decode.Source {
	var all []decode.Source
	seen := map[string]bool{}
	for _, s := range c.Sources {
		all = append(all, s.WithDefaults())
		seen[s.Topic] = true
	}
	for _, s := range []decode.Source{
		{Topic: c.Topics.Predictions, Holds: []decode.Kind{decode.KindPredictions}},
		{Topic: c.Topics.Labels, Holds: []decode.Kind{decode.KindLabels}},
		{Topic: c.Topics.Deployments, Holds: []decode.Kind{decode.KindDeployments}},
		{Topic: c.Topics.KPIs, Holds: []decode.Kind{decode.KindKPIs}},
	} {
		if s.Topic != "" && !seen[s.Topic] {
			all = append(all, s.WithDefaults())
		}
	}
	return all
}

func (c Config) validateSources() error {
	var errs []error
	seen := map[string]bool{c.Topics.DeadLetters: true}
	for i, s := range c.Sources {
		at := fmt.Sprintf("sources[%d]", i)
		if !topicName.MatchString(s.Topic) {
			errs = append(errs, fmt.Errorf("%s.topic: %q is not a topic name; use letters, digits, '.', '_' and '-'", at, s.Topic))
		}
		if seen[s.Topic] {
			errs = append(errs, fmt.Errorf("%s.topic: %q stands twice, or is the dead-letter topic", at, s.Topic))
		}
		seen[s.Topic] = true
		if err := s.WithDefaults().Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s (topic %s): %w", at, s.Topic, err))
		}
	}
	return errors.Join(errs...)
}

// topicName is what Kafka accepts as a topic.
var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// Validate returns every mistake of the configuration, by field. Brokers may be
// empty: New demands them.
func (c Config) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Group == "" {
		add("group: empty; name the consumer group")
	}
	seen := map[string]bool{}
	topics := []string{c.Topics.Predictions, c.Topics.Labels, c.Topics.Deployments, c.Topics.DeadLetters}
	if c.Topics.KPIs != "" {
		topics = append(topics, c.Topics.KPIs)
	}
	for _, t := range topics {
		if !topicName.MatchString(t) {
			add("topics: %q is not a topic name; use letters, digits, '.', '_' and '-'", t)
		}
		if seen[t] {
			add("topics: %q stands twice", t)
		}
		seen[t] = true
	}
	if c.Partitions < 1 || c.Replication < 1 {
		add("partitions and replication: must be at least 1")
	}
	if c.DeadLetterRetention != 0 && c.DeadLetterRetention < time.Hour {
		add("dead_letter_retention: %s is under 1h; 0 leaves the topic as it is", c.DeadLetterRetention)
	}
	errs = append(errs, c.Limits.Validate(), c.validateSources(), c.Segments.Validate())
	if err := c.Privacy.Validate(); err != nil {
		add("privacy: %w", err)
	}
	for model, kind := range c.ScoreKinds {
		if kind != ScoreProbability && kind != ScoreNumber {
			add("score_kinds: %s: %q is neither probability nor number", model, kind)
		}
	}
	if c.FlushRows < 1 || c.FlushRows > 1<<20 {
		add("flush_rows: %d is not between 1 and 1,048,576, the largest single block of an insert", c.FlushRows)
	}
	if c.FlushBytes < 1<<10 || c.FlushBytes > 1<<30 || c.FetchBytes < 1<<10 || c.FetchBytes > 1<<30 {
		add("flush_bytes and fetch_bytes: must be between 1 KiB and 1 GiB")
	}
	if c.FlushInterval < time.Millisecond || c.FlushInterval > time.Hour {
		add("flush_interval: %s is not between 1ms and 1h", c.FlushInterval)
	}
	if c.SessionTimeout < time.Second || c.InsertTimeout < time.Second || c.ParkRetry < time.Millisecond {
		add("session_timeout, insert_timeout and park_retry: too short")
	}
	if !(c.BadShare > 0 && c.BadShare <= 1) || c.BadPause < time.Millisecond {
		add("bad_share and bad_pause: the share must be above 0 and at most 1, which never pauses, and the pause at least 1ms")
	}
	if c.RetryMin < time.Millisecond || c.RetryMax < c.RetryMin {
		add("retry_min and retry_max: must be at least 1ms and in order")
	}
	return errors.Join(errs...)
}
