package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/configdoc"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/docsgen"
	"github.com/plumbline-slo/plumbline/dashboards"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "plumbline, built without module information"
	}
	return fmt.Sprintf("plumbline %s, %s", info.Main.Version, info.GoVersion)
}

// openStorage connects to the ClickHouse of a configuration; an embedded one
// must be held by a running service.
func openStorage(cfg app.Config) (_ *storage.DB, err error) {
	if cfg.ClickHouse.DSN, err = cfg.DiscoverDSN(); err != nil {
		return nil, err
	}
	return storage.New(cfg.ClickHouse)
}

// asking connects to the ClickHouse of a service for one answer.
func asking[T any](w where, ask func(app.Config, *storage.DB) (T, error)) (answer T, err error) {
	cfg, err := w.load()
	if err != nil {
		return answer, err
	}
	err = withStorage(cfg, func(db *storage.DB) error {
		answer, err = ask(cfg, db)
		return err
	})
	return answer, err
}

// withStorage connects to the ClickHouse of a configuration for as long as do takes.
func withStorage(cfg app.Config, do func(*storage.DB) error) (err error) {
	db, err := openStorage(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db)
}

// verifyRollups prints what differs for people and two figures for programs.
// A difference is exit status 1.
func verifyRollups(ctx context.Context, w where, s span, stdout, stderr io.Writer) error {
	report, err := asking(w, func(cfg app.Config, db *storage.DB) (report verify.Report, err error) {
		slos, err := cfg.SLOs()
		if err == nil {
			report, err = verify.Run(ctx, db.Conn(), verify.Options{From: s.from, To: s.to, NumberModels: cfg.Ingest.NumberModels(), Segments: cfg.Ingest.Segments, SLOs: slos})
		}
		if err != nil {
			return report, fmt.Errorf("rollup verify: %w", err)
		}
		return report, nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "compared with %d raw rows, %s to %s\n", report.Rows, report.From.Format(time.RFC3339), report.To.Format(time.RFC3339))
	if report.InFlight > 0 {
		fmt.Fprintf(stderr, "%d raw rows belong to batches under way; differences may be theirs: stop the producers to be sure\n", report.InFlight)
	}
	if report.HoursWithoutSegments > 0 {
		fmt.Fprintf(stderr, "segments are not compared in %d hours (of each model apart): rows of theirs were stored before the segments were declared as they are now\n", report.HoursWithoutSegments)
	}
	tellIndicators(stderr, report.Indicators)
	var figures []figure.Figure
	for _, t := range report.Tables {
		for _, d := range t.Differences {
			fmt.Fprintf(stderr, "%s: %s\n", t.Table, d)
		}
		figures = append(figures,
			figure.AtLeast(string(t.Table)+" rows compared with raw", float64(t.Keys), "rows", 1),
			figure.Exactly(string(t.Table)+" rows that differ from raw", float64(t.Differing), "rows", 0))
	}
	if err := figure.Print(stdout, stderr, figures...); err != nil {
		return err
	}
	if !report.Equal() {
		return errors.New("rollup verify: the rollups differ from the raw rows")
	}
	return nil
}

// tellIndicators says what of the table sli was not compared, and why.
func tellIndicators(stderr io.Writer, i verify.IndicatorsReport) {
	if i.NotCounted > 0 {
		fmt.Fprintf(stderr, "sli: nothing is counted yet of %d indicators\n", i.NotCounted)
	}
	if i.Open+i.Late > 0 {
		fmt.Fprintf(stderr, "sli: not compared: %d minutes of batches that were completed since indicators were counted, %d with events about seven days late\n", i.Open, i.Late)
	}
	if len(i.Otherwise) > 0 {
		fmt.Fprintf(stderr, "sli: not compared, because predictions alone do not say it: %v\n", i.Otherwise)
	}
}

// askSQL sends one statement to ClickHouse's HTTP interface and copies the
// answer. It is a GET, which ClickHouse and the embedded engine run read-only.
func askSQL(ctx context.Context, w where, query, format string, stdout io.Writer) error {
	cfg, err := w.load()
	if err != nil {
		return err
	}
	dsn, err := cfg.DiscoverDSN()
	if err != nil {
		return err
	}
	target, err := url.Parse(dsn)
	if err != nil {
		return fmt.Errorf("sql: address of ClickHouse: %w", err)
	}
	user := target.User
	target.User, target.Path = nil, "/"
	target.RawQuery = url.Values{"database": {cfg.ClickHouse.Database}, "default_format": {format}, "query": {query}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return fmt.Errorf("sql: %w", err)
	}
	password, _ := user.Password()
	req.SetBasicAuth(user.Username(), password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("sql: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return errors.Join(fmt.Errorf("sql: %s", strings.TrimSpace(string(text))), err)
	}
	if _, err := io.Copy(stdout, resp.Body); err != nil {
		return fmt.Errorf("sql: read the answer: %w", err)
	}
	return nil
}

func generateRules(file, dir string, stdout io.Writer) error {
	cfg, err := app.Load(file)
	if err != nil {
		return usageError{err}
	}
	slos, err := cfg.SLOs()
	if err != nil {
		return usageError{err}
	}
	path, err := rules.WriteFile(dir, slos, cfg.GenerateRules(cfg.Web.URLAt(cfg.Web.Listen)))
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: rules of %d SLOs\n", path, len(slos))
	return nil
}

// generateDashboards writes to dir; seenAs is where Grafana finds it, dir itself
// if empty.
func generateDashboards(file, dir, seenAs string, stdout io.Writer) error {
	options, err := dashboardOptions(file)
	if err != nil {
		return err
	}
	written, err := dashboards.Write(dir, append(options, dashboards.WithDirectory(seenAs))...)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d dashboards\n", dir, written)
	return nil
}

func pushDashboards(ctx context.Context, file, grafanaURL, token string) error {
	if token == "" {
		return usageError{errors.New("dashboards push: GRAFANA_TOKEN is empty; make a service account token with the role Editor")}
	}
	options, err := dashboardOptions(file)
	if err != nil {
		return err
	}
	return dashboards.Push(ctx, grafanaURL, token, options...)
}

func dashboardOptions(file string) ([]dashboards.Option, error) {
	cfg, err := app.Load(file)
	if err != nil {
		return nil, usageError{err}
	}
	objectives, err := cfg.Objectives()
	if err != nil {
		return nil, usageError{err}
	}
	return cfg.DashboardOptions(objectives, cfg.Web.URLAt(cfg.Web.Listen)), nil
}

// generateRepository rewrites what the repository keeps of the catalogue and of
// the example, from the repository's root.
func generateRepository(stdout io.Writer) error {
	if _, err := os.Stat("tables.go"); err != nil {
		return usageError{errors.New("generate: run it in the repository's root")}
	}
	if err := docsgen.Generate("docs"); err != nil {
		return err
	}
	if err := configdoc.Generate(".", "github.com/plumbline-slo/plumbline", app.DefaultConfig()); err != nil {
		return err
	}
	const example = "examples/flights"
	config := filepath.Join(example, "plumbline.yml")
	if err := generateRules(config, filepath.Join(example, "rules"), stdout); err != nil {
		return err
	}
	return generateDashboards(config, filepath.Join(example, "dashboards"), "/etc/grafana/dashboards/plumbline", stdout)
}
