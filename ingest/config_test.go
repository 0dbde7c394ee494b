package ingest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"
	"gopkg.in/yaml.v3"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/segment"
)

func TestDefaultConfigIsValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"dead_letter":     func(c *Config) { c.DeadLetterRetention = time.Minute },
		"group":           func(c *Config) { c.Group = "" },
		"topics":          func(c *Config) { c.Topics.Labels = c.Topics.Predictions },
		"topic name":      func(c *Config) { c.Topics.Labels = "a b" },
		"partitions":      func(c *Config) { c.Partitions = 0 },
		"max_event_bytes": func(c *Config) { c.Limits.MaxBytes = 0 },
		"max_features":    func(c *Config) { c.Limits.MaxFeatures = 0 },
		"max_event_age":   func(c *Config) { c.Limits.MaxAge = 0 },
		"segments[0]":     func(c *Config) { c.Segments = segment.Declared{"m": {Segments: []segment.Segment{{Name: "a"}}}} },
		"score_kinds":     func(c *Config) { c.ScoreKinds = map[plumbline.Model]ScoreKind{"m": "odd"} },
		"flush_rows":      func(c *Config) { c.FlushRows = 2 << 20 },
		"flush_bytes":     func(c *Config) { c.FlushBytes = 1 },
		"flush_interval":  func(c *Config) { c.FlushInterval = 0 },
		"session_timeout": func(c *Config) { c.SessionTimeout = 0 },
		"retry_min":       func(c *Config) { c.RetryMax = 0 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestConfigReadsYAML(t *testing.T) {
	cfg := DefaultConfig()
	dec := yaml.NewDecoder(strings.NewReader("flush_interval: 2s\nmax_event_bytes: 5\nscore_kinds: {m: number}\ntopics: {labels: l}\n"))
	dec.KnownFields(true)
	if err := dec.Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.FlushInterval.Seconds() != 2 || cfg.Limits.MaxBytes != 5 || cfg.ScoreKinds["m"] != ScoreNumber || cfg.Topics.Labels != "l" || cfg.Topics.Predictions != "predictions" {
		t.Errorf("%+v", cfg)
	}
}

func TestPlanChangesWithWhatDecidesRows(t *testing.T) {
	base := DefaultConfig()
	plan := base.plan("predictions", nil)
	same := base
	same.FlushRows, same.RetryMax, same.Group = 1, 1, "other"
	if same.plan("predictions", nil) != plan {
		t.Error("batching changes the plan")
	}
	limits, kinds := base, base
	limits.Limits.MaxAge++
	kinds.ScoreKinds = map[plumbline.Model]ScoreKind{"m": ScoreNumber}
	sliced := base
	sliced.Segments = segment.Declared{"m": {Segments: []segment.Segment{{Name: "a", Values: []string{"b"}}}}}
	if other := sliced.plan("predictions", nil); other != plan+"+"+sliced.Segments.ID() {
		t.Errorf("declared segments change the plan %s to %s", plan, other)
	}
	for name, other := range map[string]string{"limits": limits.plan("predictions", nil), "score kinds": kinds.plan("predictions", nil), "topic": base.plan("labels", nil)} {
		if other == plan {
			t.Errorf("%s do not change the plan", name)
		}
	}
}

func TestIntentSurvivesItsEncoding(t *testing.T) {
	last := int64(1) << 60
	text := intent{Epoch: "abc", Last: &last, Plan: "def"}.encode()
	if len(text) > 200 {
		t.Errorf("%d bytes of metadata", len(text))
	}
	got, ok, err := parseIntent(text)
	if err != nil || !ok || got.Epoch != "abc" || *got.Last != last || got.Plan != "def" {
		t.Errorf("%+v %v %v", got, ok, err)
	}
	for metadata, want := range map[string]int{intent{Last: &last, Done: 7}.encode(): 7, text: 0, "": 0, "pend:7": 0} {
		if got := Done(metadata); got != want {
			t.Errorf("of %s %d statements are done, want %d", metadata, got, want)
		}
	}
	if _, ok, err := parseIntent(""); ok || err != nil {
		t.Error("a foreign commit is taken for ours")
	}
	for _, bad := range []string{"pend:7", `{"v":2}`} {
		if _, _, err := parseIntent(bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestClassification(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("insert: %w", err) }
	for name, err := range map[string]error{
		"too many parts": wrap(&clickhouse.HTTPError{StatusCode: 500, Err: &clickhouse.Exception{Code: 252}}),
		"memory":         wrap(&clickhouse.Exception{Code: 241}),
		"cut":            wrap(io.ErrUnexpectedEOF),
		"proxy":          wrap(&clickhouse.HTTPError{StatusCode: 502, Err: errors.New("bad gateway")}),
	} {
		if !retryable(err) {
			t.Errorf("%s is not tried again", name)
		}
	}
	for name, err := range map[string]error{
		"no such column": wrap(&clickhouse.HTTPError{StatusCode: 404, Err: &clickhouse.Exception{Code: 16}}),
		"type":           wrap(&clickhouse.Exception{Code: 53}),
		"our own":        errors.New("column x is not declared"),
		"parked":         park("rows differ"),
	} {
		if retryable(err) {
			t.Errorf("%s is tried again", name)
		}
	}
	if !fenced(wrap(kafka.IllegalGeneration)) || fenced(wrap(kafka.RequestTimedOut)) {
		t.Error("fencing")
	}
}
