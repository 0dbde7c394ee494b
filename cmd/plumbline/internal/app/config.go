package app

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/duty"
	"github.com/plumbline-slo/plumbline/alerting/email"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/relay"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/alerting/watchdog"
	"github.com/plumbline-slo/plumbline/alerting/webhook"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/dial"
	ingesthttp "github.com/plumbline-slo/plumbline/ingest/http"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/broker"
)

// Config is the whole configuration: one file, each part's section declared
// beside its code.
type Config struct {
	// DataDir holds the embedded parts' data and alerting's state. Default
	// data, beside the configuration file.
	DataDir    string         `yaml:"data_dir"`
	Web        WebConfig      `yaml:"web"`
	Kafka      Kafka          `yaml:"kafka"`
	ClickHouse storage.Config `yaml:"clickhouse"`
	Engine     EngineConfig   `yaml:"engine"`
	Ingest     ingest.Config  `yaml:"ingest"`
	// HTTPIngest lets producers without a Kafka client send events.
	HTTPIngest ingesthttp.Config `yaml:"http_ingest"`
	Join       join.Config       `yaml:"join"`
	Analyze    analyze.Config    `yaml:"analyze"`
	Rules      Rules             `yaml:"rules"`
	Alerting   Alerting          `yaml:"alerting"`
	Watchdog   watchdog.Config   `yaml:"watchdog"`
	Dashboards Dashboards        `yaml:"dashboards"`
	// Models are those that somebody answers for. A model that sends events without
	// being declared is stored and shown as undeclared; it makes no rule, page or
	// route.
	Models []DeclaredModel `yaml:"models"`

	file *mistakes // that it was loaded from, nil if it was not
}

// Kafka says which Kafka the events come from.
type Kafka struct {
	// Brokers are addresses of a Kafka, host:port; empty starts the embedded one.
	Brokers []string `yaml:"brokers"`
	// TLS and SASL of the connections to Brokers; the embedded one knows neither.
	dial.Config `yaml:",inline"`
	Embedded    broker.Config `yaml:"embedded"`
}

func (k Kafka) validate() error {
	errs := []error{k.Config.Validate()}
	for _, b := range k.Brokers {
		if _, port, err := net.SplitHostPort(b); err != nil || !isPort(port) {
			errs = append(errs, fmt.Errorf("kafka.brokers: %q is not host:port", b))
		}
	}
	if len(k.Brokers) == 0 {
		if k.Config != dial.DefaultConfig() {
			errs = append(errs, errors.New("kafka.brokers: empty, but kafka.tls or kafka.sasl is set; name your Kafka, because the embedded one is plain and on loopback"))
		}
		errs = append(errs, k.Embedded.Validate())
	}
	return errors.Join(errs...)
}

// isPort reports whether a connection can be made to a port.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// EngineConfig configures the embedded ClickHouse. It means nothing where
// clickhouse.dsn names a real one, whose address and disk are its operator's.
type EngineConfig struct {
	// Listen is the address of its HTTP interface, for Grafana and others who read
	// (docs/dashboards.md). Port 0 takes a free one at every start. An address that is
	// not this machine's own needs allowed_hosts. Default 127.0.0.1:0.
	Listen string `yaml:"listen"`
	// AllowedHosts are the names and addresses by which clients elsewhere call it, as
	// they stand in their Host header.
	AllowedHosts []string `yaml:"allowed_hosts"`
	// DiskLimit is the used share of the data directory's disk, in (0, 1),
	// above which raw rows of predictions are left out and people are told.
	// Default 0.85.
	DiskLimit float64 `yaml:"disk_limit"`
	// DiskUse looks at the disk; nil asks the file system.
	DiskUse func(path string) (float64, error) `yaml:"-"`
}

// Rules names the SLO files and configures their evaluation.
type Rules struct {
	// SLOFiles are OpenSLO files or patterns, relative to the configuration.
	SLOFiles []string `yaml:"slo_files"`
	// QueryDSNFile holds the address of a ClickHouse user that may only read, with
	// caps and without table functions: SLOs on SQL run as it, and metrics that
	// owners write as SQL expressions. The embedded ClickHouse has one already.
	QueryDSNFile string `yaml:"query_dsn_file"`
	rules.Config `yaml:",inline"`
}

// Alerting configures the alerts and the channels they leave by.
type Alerting struct {
	alerting.Config `yaml:",inline"`
	Slack           slack.Config     `yaml:"slack"`
	PagerDuty       pagerduty.Config `yaml:"pagerduty"`
	Webhook         webhook.Config   `yaml:"webhook"`
	Email           email.Config     `yaml:"email"`
	// CanaryWindow is how long after a deployment event of stage canary or shadow
	// the tickets of that deploy are not told. Default 1 h.
	CanaryWindow time.Duration `yaml:"canary_window"`
	// Relay names every replica's API when there are several, this one's too;
	// Duty shares the rule groups among them. Without peers this process
	// evaluates everything and tells itself.
	Relay relay.Config `yaml:"relay"`
	Duty  duty.Config  `yaml:"duty"`
}

// Dashboards says where the generated dashboards go.
type Dashboards struct {
	// Dir receives the files for Grafana's provisioning; empty writes none.
	Dir string `yaml:"dir"`
	// GrafanaURL is where people reach the Grafana that shows them; empty
	// leaves its links out.
	GrafanaURL string `yaml:"grafana_url"`
}

func (d Dashboards) validate() error {
	if d.GrafanaURL == "" {
		return nil
	}
	return absolute("dashboards.grafana_url", d.GrafanaURL)
}

// DeclaredModel is a model that somebody answers for. A model that sends events
// without being declared is stored and shown as undeclared; it makes no rule,
// page or route.
type DeclaredModel struct {
	Name plumbline.Model `yaml:"name"`
	// Segments are the slices of its traffic that are counted apart.
	Segments []segment.Segment `yaml:"segments"`
	// SegmentBudget is how many segments it may have at most, counting each
	// value and each combination. Default 200.
	SegmentBudget int `yaml:"segment_budget"`
	// Cluster says what events belong together by, such as user: a key of their
	// segments, declared or not, or else a feature. Drift then takes them as that
	// much less evidence; see docs/drift.md.
	Cluster cluster.Key `yaml:"cluster"`
	// Quality says what its answers and labels mean, and which segments fairness
	// compares.
	Quality qualityask.Declaration `yaml:"quality"`
	// Estimate says how it is estimated before its labels are in, Feedback which
	// of its predictions ever get one.
	Estimate analyze.EstimateModel `yaml:"estimate"`
	Feedback analyze.Feedback      `yaml:"feedback"`
}

func (m DeclaredModel) segments() segment.Model {
	return segment.Model{Segments: m.Segments, Budget: m.SegmentBudget}
}

// segmentNames are the names of its marginal segments.
func (m DeclaredModel) segmentNames() []string {
	var names []string
	for _, s := range m.Segments {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// DeclaredQuality is what the models declare of their answers and labels.
func (c Config) DeclaredQuality() map[plumbline.Model]qualityask.Declaration {
	declared := map[plumbline.Model]qualityask.Declaration{}
	for _, m := range c.Models {
		quality := m.Quality
		quality.Partial = m.Feedback.Partial()
		declared[m.Name] = quality
	}
	return declared
}

// declareSegments tells those who count what the models declare; what is
// declared wrongly is left out, validateModels says why.
func (c *Config) declareSegments() {
	declared, clusters := segment.Declared{}, cluster.Keys{}
	c.Analyze.Models = map[plumbline.Model]analyze.ModelConfig{}
	for _, m := range c.Models {
		if m.analyzed().Validate() == nil {
			c.Analyze.Models[m.Name] = m.analyzed()
		}
		if len(m.Segments) > 0 && m.segments().Validate() == nil {
			declared[m.Name] = m.segments()
		}
		if m.Cluster != "" {
			clusters[m.Name] = m.Cluster
		}
	}
	c.Analyze.Clusters = clusters
	c.Ingest.Segments, c.Join.Segments = declared, declared
	c.Join.ScoreNumbers = c.Ingest.NumberModels()
}

// analyzed is what its estimates need to know of the model.
func (m DeclaredModel) analyzed() analyze.ModelConfig {
	return analyze.ModelConfig{Estimate: m.Estimate, Feedback: m.Feedback, Task: m.Quality.Task, Positive: m.Quality.Positive}
}

func (c Config) validateModels() error {
	var errs []error
	seen := map[plumbline.Model]bool{}
	for i, m := range c.Models {
		at := fmt.Sprintf("models[%d]", i)
		if m.Name == "" {
			errs = append(errs, fmt.Errorf("%s.name: is empty; write the field model of its events", at))
			continue
		}
		if seen[m.Name] {
			errs = append(errs, fmt.Errorf("%s.name: %q stands twice", at, m.Name))
		}
		seen[m.Name] = true
		errs = append(errs, prefixed(at, m.analyzed().Validate()))
		errs = append(errs, prefixed(at, m.segments().Validate()), prefixed(at, m.Quality.Validate(m.segmentNames()...)))
	}
	return errors.Join(errs...)
}

// DefaultConfig returns the defaults of every section.
func DefaultConfig() Config {
	cfg := Config{
		DataDir:    "data",
		Web:        WebConfig{Listen: "127.0.0.1:9470"},
		Kafka:      Kafka{Embedded: broker.DefaultConfig()},
		ClickHouse: storage.DefaultConfig(),
		Engine:     EngineConfig{Listen: engine.DefaultConfig().Listen, DiskLimit: engine.DefaultConfig().DiskLimit},
		Ingest:     ingest.DefaultConfig(),
		HTTPIngest: ingesthttp.DefaultConfig(),
		Join:       join.DefaultConfig(),
		Analyze:    analyze.DefaultConfig(),
		Rules:      Rules{Config: rules.DefaultConfig()},
		Alerting: Alerting{
			Config: alerting.DefaultConfig(), Relay: relay.DefaultConfig(), Duty: duty.DefaultConfig(), CanaryWindow: time.Hour,
			Slack: slack.DefaultConfig(), PagerDuty: pagerduty.DefaultConfig(),
			Webhook: webhook.DefaultConfig(), Email: email.DefaultConfig(),
		},
		Watchdog: watchdog.DefaultConfig(),
	}
	// Placed below DataDir once that is known.
	cfg.Rules.RulesDir, cfg.Rules.StateFile = "", ""
	return cfg
}

// resolve makes paths of the file relative to the file.
func (c *Config) resolve(dir string) {
	paths := []*string{&c.DataDir, &c.Dashboards.Dir, &c.Web.ConfigFile, &c.ClickHouse.DSNFile, &c.HTTPIngest.TokenFile, &c.Ingest.Privacy.KeysFile,
		&c.Alerting.Slack.TokenFile, &c.Rules.RulesDir, &c.Rules.StateFile, &c.Rules.QueryDSNFile, &c.Alerting.DataDir, &c.Kafka.Embedded.DataDir}
	paths = append(paths, c.Kafka.Files()...)
	for i := range c.ClickHouse.Shards {
		paths = append(paths, &c.ClickHouse.Shards[i].DSNFile)
	}
	paths = append(paths, c.Alerting.channelFiles()...)
	paths = append(paths, &c.Watchdog.HeartbeatURLFile)
	for i := range c.Alerting.Owners {
		paths = append(paths, &c.Alerting.Owners[i].PagerDutyKeyFile, &c.Alerting.Owners[i].WebhookSecretFile)
	}
	for i := range c.Ingest.Sources {
		paths = append(paths, &c.Ingest.Sources[i].MappingFile, &c.Ingest.Sources[i].SchemaFile)
		if registry := c.Ingest.Sources[i].SchemaRegistry; registry != nil {
			paths = append(paths, registry.Files()...)
		}
	}
	for i := range c.Rules.SLOFiles {
		paths = append(paths, &c.Rules.SLOFiles[i])
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// placed puts what is kept on disk and has no path of its own below DataDir.
func (c Config) placed() Config {
	place := func(p *string, below ...string) {
		if *p == "" {
			*p = filepath.Join(append([]string{c.DataDir}, below...)...)
		}
	}
	place(&c.Kafka.Embedded.DataDir, "kafka")
	place(&c.Alerting.DataDir, "alerting")
	place(&c.Rules.StateFile, "rules", "state.json")
	place(&c.Rules.RulesDir, "rules", "files")
	return c
}

func (c Config) engineConfig() engine.Config {
	cfg := engine.DefaultConfig()
	cfg.DataDir = filepath.Join(c.DataDir, "clickhouse")
	cfg.Database = c.ClickHouse.Database
	cfg.Listen, cfg.AllowedHosts = c.Engine.Listen, c.Engine.AllowedHosts
	cfg.DiskLimit, cfg.DiskUse = c.Engine.DiskLimit, c.Engine.DiskUse
	return cfg
}

// embedsClickHouse reports whether the service runs its own ClickHouse.
func (c Config) embedsClickHouse() bool { return c.ClickHouse.Embedded() }

// validate returns every mistake that only the whole file shows, each naming the
// field.
func (c Config) validate() error {
	errs := []error{c.Web.validate(), c.Kafka.validate(), c.ClickHouse.Validate()}
	if c.embedsClickHouse() {
		errs = append(errs, c.engineConfig().Validate())
	}
	return errors.Join(append(errs,
		prefixed("ingest", c.Ingest.Validate()),
		prefixed("http_ingest", c.HTTPIngest.Validate()),
		c.validateModels(),
		c.Join.Validate(),
		c.Analyze.Validate(),
		prefixed("rules", c.Rules.Validate()),
		prefixed("alerting", c.Alerting.Validate()),
		c.validateReplicas(),
		prefixed("alerting.slack", c.Alerting.Slack.Validate()),
		prefixed("alerting.pagerduty", c.Alerting.PagerDuty.Validate()),
		prefixed("alerting", c.Alerting.validateChannels()),
		c.Dashboards.validate())...)
}

// prefixed names the section in each of its mistakes.
func prefixed(section string, err error) error {
	if err == nil {
		return nil
	}
	var errs []error
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			errs = append(errs, prefixed(section, e))
		}
		return errors.Join(errs...)
	}
	return fmt.Errorf("%s.%w", section, err)
}
