package storage

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Config says which ClickHouse holds the data and for how long.
type Config struct {
	// DSN is an address in clickhouse-go's form, "http://user:password@host:8123".
	// Empty means the embedded engine.
	DSN string `yaml:"dsn"`
	// DSNFile names a file that holds the DSN, for passwords that must not
	// stand in the configuration.
	DSNFile string `yaml:"dsn_file"`
	// Database is created if it does not exist. Default plumbline.
	Database string `yaml:"database"`
	// Cluster, if set, makes tables replicated and DDL run ON CLUSTER: the rows
	// are in the tables named with the suffix _local, and a Distributed table
	// over each has the plain name, for readers.
	Cluster string `yaml:"cluster"`
	// Shards are the servers to which ingest writes, one address each, so that
	// every partition of Kafka has its rows on one shard. Empty means the one
	// that DSN names. With Cluster the addresses are of one replica a shard and
	// DSN, if set, is the readers'; without it each shard is on its own and
	// readers see what DSN names, else the first shard. List first the one that
	// DSN named before there were shards: what was begun there is finished there.
	Shards []Shard `yaml:"shards"`
	// InsertQuorum is how many replicas of a shard must have an insert before it
	// is acknowledged, "auto" for more than half; only with Cluster. Default auto.
	InsertQuorum string    `yaml:"insert_quorum"`
	Retention    Retention `yaml:"retention"`
	// DedupWindow is how many inserts x partitions ClickHouse remembers tokens
	// of, per table. It is only the fast path of exactly once; 0 turns it off.
	// Default 10,000.
	DedupWindow int `yaml:"dedup_window"`
	// Fence makes ingest write in sessions of the HTTP interface, so that a
	// statement of a former owner of a partition is refused however late it
	// arrives. It needs a DSN that leads to one server: turn it off, or set
	// one address a shard, where a load balancer stands between. Default true.
	Fence bool `yaml:"fence"`
	// MaxConnections bounds the connections of the pool. Default 16.
	MaxConnections int `yaml:"max_connections"`
}

// maxRetention is the longest retention. ClickHouse's DateTime ends in 2106 and begins
// anew in 1970: a row that is kept until after that is taken for expired, and dropped.
const maxRetention = 50 * 365 * day

// Retention says after which age, by event time, a row may be dropped: a day at least,
// 438000h (50 years) at most.
type Retention struct {
	// Raw is that of single events. Default 90 days.
	Raw time.Duration `yaml:"raw"`
	// Minutes is that of counts by minute. Default 400 days.
	Minutes time.Duration `yaml:"minutes"`
	// Hours is that of counts and histograms by hour. Default 800 days.
	Hours time.Duration `yaml:"hours"`
}

const day = 24 * time.Hour

// DefaultConfig returns the embedded engine with the default retention.
func DefaultConfig() Config {
	return Config{
		Database:       "plumbline",
		InsertQuorum:   "auto",
		Retention:      Retention{Raw: 90 * day, Minutes: 400 * day, Hours: 800 * day},
		DedupWindow:    10_000,
		Fence:          true,
		MaxConnections: 16,
	}
}

// identifier is what Database and Cluster must look like, since both stand in
// DDL where no parameter can.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

var quorum = regexp.MustCompile(`^(auto|[0-9]{1,3})$`)

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	var errs []error
	if !identifier.MatchString(c.Database) {
		errs = append(errs, fmt.Errorf("clickhouse.database: %q is not an identifier; use letters, digits and _", c.Database))
	}
	if c.Cluster != "" && !identifier.MatchString(c.Cluster) {
		errs = append(errs, fmt.Errorf("clickhouse.cluster: %q is not an identifier; use letters, digits and _", c.Cluster))
	}
	if c.Cluster != "" && c.DSN == "" && c.DSNFile == "" {
		errs = append(errs, errors.New("clickhouse.cluster: the embedded ClickHouse is in none; give the dsn of one of its servers"))
	}
	if c.DSN != "" && c.DSNFile != "" {
		errs = append(errs, errors.New("clickhouse: dsn and dsn_file are both set; keep one"))
	}
	if !quorum.MatchString(c.InsertQuorum) {
		errs = append(errs, fmt.Errorf("clickhouse.insert_quorum: %q is neither auto nor a number of replicas", c.InsertQuorum))
	}
	errs = append(errs, c.validateAddresses(), c.validateShards())
	if c.DedupWindow < 0 {
		errs = append(errs, fmt.Errorf("clickhouse.dedup_window: %d is negative", c.DedupWindow))
	}
	if c.MaxConnections < 1 {
		errs = append(errs, fmt.Errorf("clickhouse.max_connections: %d is less than 1", c.MaxConnections))
	}
	for name, d := range map[string]time.Duration{"raw": c.Retention.Raw, "minutes": c.Retention.Minutes, "hours": c.Retention.Hours} {
		if d < day {
			errs = append(errs, fmt.Errorf("clickhouse.retention.%s: %s is less than a day", name, d))
		}
		if d > maxRetention {
			errs = append(errs, fmt.Errorf("clickhouse.retention.%s: %s is more than 438000h, 50 years; write that to keep everything", name, d))
		}
	}
	return errors.Join(errs...)
}

func (r Retention) of(level plumbline.RetentionLevel) time.Duration {
	switch level {
	case plumbline.RetainRaw:
		return r.Raw
	case plumbline.RetainMinutes:
		return r.Minutes
	case plumbline.RetainHours:
		return r.Hours
	}
	return 0
}
