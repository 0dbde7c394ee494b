package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/plumbline-slo/plumbline/analyze/serve"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/chaos"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/demo"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/footprint"
	"github.com/plumbline-slo/plumbline/storage/engine"
)

// command does what one subcommand is for; flags are in its closure.
type command func(context.Context) error

// cli collects the subcommands with their flags.
type cli struct {
	app            *kingpin.Application
	stdout, stderr io.Writer
	level          *string
	commands       map[string]command
}

// register declares every subcommand.
func register(application *kingpin.Application, stdout, stderr io.Writer) map[string]command {
	c := &cli{app: application, stdout: stdout, stderr: stderr, commands: make(map[string]command)}
	c.level = application.Flag("log.level", "What is logged: debug, info, warn, error.").Default("info").Enum("debug", "info", "warn", "error")
	c.serve()
	c.demo()
	c.check()
	c.checkProducer()
	c.rollup()
	c.replay()
	c.slo()
	c.sql()
	c.drift()
	c.incident()
	c.watchdog()
	c.quality()
	c.maturity()
	c.dlq()
	c.erase()
	c.baseline()
	c.rules()
	c.dashboards()
	c.generate()
	c.chaosSmoke()
	c.chaosIngest()
	c.fuzzIngest()
	c.footprint()
	return c.commands
}

func (c *cli) add(clause *kingpin.CmdClause, run command) { c.commands[clause.FullCommand()] = run }

// log returns the logger of the whole process.
func (c *cli) log() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(*c.level)); err != nil {
		level = slog.LevelInfo // the flag is an enum, so this cannot be
	}
	return slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: level}))
}

// usualConfig is where the configuration is unless a flag says otherwise.
const usualConfig = "plumbline.yml"

func configFlag(clause *kingpin.CmdClause) *string {
	return clause.Flag("config.file", "Configuration file.").Default(usualConfig).String()
}

// where says which service a command asks: by its configuration, or by its data
// directory alone.
type where struct{ config, dataDir *string }

func whereFlags(clause *kingpin.CmdClause) where {
	return where{
		config:  configFlag(clause),
		dataDir: clause.Flag("data-dir", "Data directory of the running service, instead of a configuration file.").String(),
	}
}

func (w where) load() (app.Config, error) {
	if *w.dataDir != "" {
		return app.OfDataDir(*w.dataDir)
	}
	cfg, err := app.Load(*w.config)
	if err != nil {
		return app.Config{}, usageError{err}
	}
	return cfg, nil
}

func (c *cli) serve() {
	clause := c.app.Command("serve", "Run the service.")
	file := configFlag(clause)
	c.add(clause, func(ctx context.Context) error {
		cfg, err := app.Load(*file)
		if err != nil {
			return usageError{err}
		}
		service, err := app.New(cfg, c.log())
		if err != nil {
			return err
		}
		// Before anything takes time: unheeded, the signal ends a process.
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		go reloadOn(ctx, hangups, service.Reload, c.log())
		return service.Run(ctx)
	})
}

// reloadOn reads again what can be read again at every signal, until ctx is done.
func reloadOn(ctx context.Context, hangups <-chan os.Signal, reload func() error, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			if err := reload(); err != nil {
				log.Error("SIGHUP: what was read before stays in force", "err", err)
				continue
			}
			log.Info("SIGHUP: the rule files were read again; a changed configuration or SLO file needs a restart")
		}
	}
}

func (c *cli) demo() {
	clause := c.app.Command("demo", "Show the whole path on real flights: a broken deploy, one page.")
	file := clause.Flag("config.file", "Configuration of the service.").Default("examples/flights/plumbline.yml").String()
	once := clause.Flag("once", "End after the page and print one JSON line.").Bool()
	data := flightsFlag(clause)
	brokers := clause.Flag("kafka.brokers", "A Kafka to use instead of the embedded one.").Strings()
	clickhouse := clause.Flag("clickhouse.dsn", "A ClickHouse to use instead of the embedded one, http://user:password@host:8123.").String()
	c.add(clause, func(ctx context.Context) error {
		cfg, err := app.Load(*file)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; run the demo in the repository, or name the file with --config.file", err)
		}
		if err != nil {
			return usageError{err}
		}
		return demo.Run(ctx, demo.Options{
			Config: cfg, Flights: *data, Once: *once, Brokers: *brokers, ClickHouse: *clickhouse,
			Out: c.stdout, Text: c.stderr, Log: c.demoLog(),
		})
	})
}

// demoLog keeps the demo's story readable: only what went wrong, unless asked.
func (c *cli) demoLog() *slog.Logger {
	if *c.level == "info" {
		return slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	return c.log()
}

func flightsFlag(clause *kingpin.CmdClause) *string {
	fallback := "flights-3m.parquet" // here, for a user without a cache directory
	if dir, err := engine.CacheDir(); err == nil {
		fallback = filepath.Join(filepath.Dir(dir), "flights", "node_modules", "vega-datasets", "data", fallback)
	}
	return clause.Flag("flights", "Parquet file of npm's vega-datasets (make data fetches it).").Envar("PLUMBLINE_FLIGHTS").Default(fallback).String()
}

func (c *cli) check() {
	clause := c.app.Command("check", "Check files and say every mistake.")
	config := clause.Command("config", "Check configuration files, and the files with secrets and certificates that they name, as serve opens them.")
	bare := config.Flag("without-secrets", "Do not open the files with secrets and certificates: for machines that have none, such as the CI of a pull request.").Bool()
	files := config.Arg("file", "Configuration file.").Required().Strings()
	c.add(config, func(context.Context) error {
		if *bare {
			return c.checkEach(*files, app.CheckWithoutSecrets)
		}
		return c.checkEach(*files, app.Check)
	})
	slo := clause.Command("slo", "Check OpenSLO files.")
	sloFiles := slo.Arg("file", "OpenSLO file.").Required().Strings()
	c.add(slo, func(context.Context) error {
		return c.checkSLOs(*sloFiles)
	})
}

// checkEach checks every file and reports all of them before it fails.
func (c *cli) checkEach(files []string, check func(string) (app.Checked, error)) error {
	var errs []error
	for _, file := range files {
		found, err := check(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, w := range found.Warnings {
			fmt.Fprintln(c.stderr, w)
		}
		fmt.Fprintf(c.stdout, "%s: ok: %s\n", file, found.Found)
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

func (c *cli) rollup() {
	clause := c.app.Command("rollup", "Look after the rollups.")
	verify := clause.Command("verify", "Recompute the rollups from raw rows and compare them, bit for bit.")
	where := whereFlags(verify)
	from := verify.Flag("from", "First event time, RFC 3339 or a day. Default: all there is.").String()
	to := verify.Flag("to", "Event time to end before, RFC 3339 or a day. Default: all there is.").String()
	c.add(verify, func(ctx context.Context) error {
		span, err := parseSpan(*from, *to)
		if err != nil {
			return usageError{err}
		}
		return verifyRollups(ctx, where, span, c.stdout, c.stderr)
	})
}

// span is a range of event time.
type span struct{ from, to time.Time }

func parseSpan(from, to string) (s span, err error) {
	s.to = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	s.from = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, p := range []struct {
		flag, text string
		into       *time.Time
	}{{"--from", from, &s.from}, {"--to", to, &s.to}} {
		if p.text == "" {
			continue
		}
		if *p.into, err = serve.ParseTime(p.text); err != nil {
			return span{}, fmt.Errorf("%s: %w", p.flag, err)
		}
	}
	if !s.from.Before(s.to) {
		return span{}, fmt.Errorf("--from %s is not before --to %s", s.from.Format(time.RFC3339), s.to.Format(time.RFC3339))
	}
	return s, nil
}

func (c *cli) sql() {
	clause := c.app.Command("sql", "Ask ClickHouse, read-only; the answer is a table.")
	where := whereFlags(clause)
	format := clause.Flag("format", "ClickHouse output format.").Default("PrettyCompactMonoBlock").String()
	query := clause.Arg("query", "One SELECT.").Required().String()
	c.add(clause, func(ctx context.Context) error { return askSQL(ctx, where, *query, *format, c.stdout) })
}

func (c *cli) rules() {
	clause := c.app.Command("rules", "Prometheus rules from SLO files.")
	generate := clause.Command("generate", "Write the rule file for Prometheus, Mimir or vmalert.")
	file := configFlag(generate)
	dir := generate.Flag("out", "Folder to write to.").Default("rules").String()
	c.add(generate, func(context.Context) error { return generateRules(*file, *dir, c.stdout) })
}

func (c *cli) dashboards() {
	clause := c.app.Command("dashboards", "Grafana dashboards from the catalogue of signals.")
	generate := clause.Command("generate", "Write the dashboards and the provisioning file.")
	file := configFlag(generate)
	dir := generate.Flag("out", "Folder to write to.").Default("dashboards").String()
	seenAs := generate.Flag("grafana.dir", "Where Grafana finds that folder, if elsewhere (a container).").String()
	c.add(generate, func(context.Context) error { return generateDashboards(*file, *dir, *seenAs, c.stdout) })
	push := clause.Command("push", "Push the dashboards to a Grafana; the token is read from GRAFANA_TOKEN.")
	pushFile := configFlag(push)
	url := push.Flag("grafana.url", "Base URL of the Grafana.").Required().String()
	c.add(push, func(ctx context.Context) error {
		return pushDashboards(ctx, *pushFile, *url, os.Getenv("GRAFANA_TOKEN"))
	})
}

func (c *cli) generate() {
	clause := c.app.Command("generate", "Regenerate what the repository keeps of the catalogue: docs and the example's rules and dashboards.").Hidden()
	c.add(clause, func(context.Context) error { return generateRepository(c.stdout) })
}

func (c *cli) chaosSmoke() {
	clause := c.app.Command("chaos-smoke", "Kill -9 the service during the flights' backfill, and count.").Hidden()
	kills := clause.Flag("kills", "How many times.").Default("20").Int()
	window := clause.Flag("dedup-window", "ClickHouse's deduplication window.").Default("10000").Int()
	seed := clause.Flag("seed", "Seed of the moments; 0 takes one and prints it.").Uint64()
	data := flightsFlag(clause)
	brokers := clause.Flag("kafka.brokers", "Address of a Kafka to use instead of the embedded one; may be repeated.").Strings()
	c.add(clause, func(ctx context.Context) error {
		return chaos.Run(ctx, chaos.Options{Kills: *kills, DedupWindow: *window, Seed: *seed, Flights: *data, Brokers: *brokers, Lines: c.stdout, Text: c.stderr})
	})
}

func (c *cli) footprint() {
	clause := c.app.Command("footprint", "Measure the idle memory of the service and the size of this binary.").Hidden()
	c.add(clause, func(ctx context.Context) error { return footprint.Run(ctx, c.stdout, c.stderr) })
}
