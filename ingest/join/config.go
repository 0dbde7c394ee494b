package join

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/storage"
)

// Config says how often the join looks and how much it takes at once.
type Config struct {
	// Interval is the pause after a step that found nothing more to do. Default
	// 2 s.
	Interval time.Duration `yaml:"interval"`
	// MaxBatchOffsets bounds the offsets of one topic partition that one step
	// follows; a single stored batch is never split. Default 100,000, which
	// bounds the memory of a step to some hundred megabytes in the engine.
	MaxBatchOffsets int64 `yaml:"max_batch_offsets"`
	// MemberTimeout is how long after its last sign of life a process that joins
	// counts as gone, and its topic partitions as the others'. It gives a sign
	// every sixth of it. Default 15 s, at least 1 s.
	MemberTimeout time.Duration `yaml:"member_timeout"`
	// Segments are those that models declare: outcomes are counted in them as
	// predictions are.
	Segments segment.Declared `yaml:"-"`
	// ScoreNumbers are the models whose score is a number and no probability: it
	// is counted on the grid of numbers, and has no log loss.
	ScoreNumbers []plumbline.Model `yaml:"-"`
}

// scoreNumbers is the query parameter of that name.
func (c Config) scoreNumbers() driver.NamedValue {
	names := make([]string, len(c.ScoreNumbers))
	for i, m := range c.ScoreNumbers {
		names[i] = string(m)
	}
	return clickhouse.Named("score_numbers", names)
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{Interval: 2 * time.Second, MaxBatchOffsets: 100_000, MemberTimeout: 15 * time.Second}
}

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	var errs []error
	if c.Interval <= 0 {
		errs = append(errs, fmt.Errorf("join.interval: %s is not positive", c.Interval))
	}
	if c.MaxBatchOffsets < 1 {
		errs = append(errs, fmt.Errorf("join.max_batch_offsets: %d is less than 1", c.MaxBatchOffsets))
	}
	if c.MemberTimeout < time.Second {
		errs = append(errs, fmt.Errorf("join.member_timeout: %s is less than 1s", c.MemberTimeout))
	}
	return errors.Join(append(errs, c.Segments.Validate())...)
}

// Dependencies are what the join works with.
type Dependencies struct {
	DB *storage.DB
	// Registerer gets the join's metrics; nil registers them nowhere.
	Registerer prometheus.Registerer
	// Log gets the error of a step that will be repeated; nil drops it.
	Log *slog.Logger
}
