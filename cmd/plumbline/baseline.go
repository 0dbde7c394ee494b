package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/serve"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/baseline"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

func (c *cli) baseline() {
	clause := c.app.Command("baseline", "The training set as the reference of drift.")
	c.baselineImport(clause)
}

// importFlags are the flags that do not fit an option as they are.
type importFlags struct {
	kafkaFlags
	model, deploy, format, at, sql *string
	// Lists of columns: repeated, or separated by commas.
	features, skip, segments, texts *[]string
}

func (c *cli) baselineImport(parent *kingpin.CmdClause) {
	clause := parent.Command("import", "Produce the rows of a file or of a SELECT as events of the stage training. Prints what the columns hold and which the grid does not resolve.")
	o := baseline.DefaultOptions()
	f := importFlags{
		kafkaFlags: newKafkaFlags(clause),

		model:    clause.Flag("model", "The model.").Required().String(),
		deploy:   clause.Flag("deploy-hash", "The deploy that was trained on it.").Required().String(),
		format:   clause.Flag("format", "csv, tsv, jsonl, parquet or arrow, where the file's name does not tell.").Default("auto").Enum("auto", "csv", "tsv", "jsonl", "parquet", "arrow"),
		sql:      clause.Flag("sql", "A SELECT with ORDER BY, run on the configured ClickHouse, instead of a file.").String(),
		features: clause.Flag("features", "Columns that are features, separated by commas. Default: all that have no other role.").Strings(),
		skip:     clause.Flag("skip", "Columns to leave out, separated by commas.").Strings(),
		segments: clause.Flag("segment-columns", "Columns that are segments, separated by commas.").Strings(),
		texts:    clause.Flag("text-columns", "Columns of a text file that are counted by value even if they look like numbers, separated by commas.").Strings(),
		at:       clause.Flag("at", "Event time of all rows, RFC 3339 or a day. Default: the hour in which the import begins.").String(),
	}
	clause.Flag("file", "The training set.").StringVar(&o.File)
	clause.Flag("id-column", "Column that tells rows apart, for prediction ids. Default: the number of the row.").StringVar(&o.ID)
	clause.Flag("time-column", "Column with the event time of each row, instead of --at.").StringVar(&o.Time)
	clause.Flag("score-column", "Column with the model's score.").StringVar(&o.Score)
	clause.Flag("predicted-column", "Column with what the model predicted.").StringVar(&o.Predicted)
	clause.Flag("label-column", "Column with the truth; it is sent as labels.").StringVar(&o.Label)
	clause.Flag("classes", "Numbers in the predicted and label columns are classes, not values of a regression.").BoolVar(&o.Classes)
	clause.Flag("null-value", "Text of a text file that means null, beside the empty cell; may be repeated.").StringsVar(&o.Nulls)
	clause.Flag("times-as-seconds", "Count features that are points in time as seconds since 1970.").BoolVar(&o.TimesAsSeconds)
	clause.Flag("batch", "Rows that are sent before the progress is committed.").Default("10000").IntVar(&o.Batch)
	clause.Flag("dry-run", "Read and report, and send nothing.").BoolVar(&o.DryRun)
	clause.Flag("again", "Import what was imported before once more; it is counted twice.").BoolVar(&o.Again)
	c.add(clause, func(ctx context.Context) error { return c.importBaseline(ctx, f, o) })
}

// columns splits lists of columns.
func columns(lists []string) []string {
	var all []string
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

func (c *cli) importBaseline(ctx context.Context, f importFlags, o baseline.Options) (err error) {
	o.Model, o.Deploy, o.Format = plumbline.Model(*f.model), plumbline.DeployHash(*f.deploy), baseline.Format(*f.format)
	o.Features, o.Skip, o.Segments, o.TextColumns = columns(*f.features), columns(*f.skip), columns(*f.segments), columns(*f.texts)
	o.Report, o.Progress = c.stdout, c.stderr
	if *f.at != "" {
		if o.At, err = serve.ParseTime(*f.at); err != nil {
			return usageError{fmt.Errorf("--at: %w", err)}
		}
	}
	if (o.File == "") == (*f.sql == "") {
		return usageError{errors.New("baseline import: name the training set with --file or with --sql")}
	}
	cfg, err := f.configure(&o)
	if err != nil {
		return usageError{fmt.Errorf("baseline import: %w", err)}
	}
	if *f.sql != "" {
		var dir string
		if dir, err = os.MkdirTemp("", "plumbline-baseline-"); err != nil {
			return fmt.Errorf("baseline import: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if o.File, err = answer(ctx, cfg, *f.sql, dir); err != nil {
			return fmt.Errorf("baseline import: %w", err)
		}
		o.Name, o.Format = "--sql", baseline.FormatArrow
	}
	r, err := baseline.Import(ctx, o)
	var input *baseline.InputError
	if errors.As(err, &input) {
		return usageError{fmt.Errorf("baseline import: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("baseline import: %w", err)
	}
	if !o.DryRun {
		fmt.Fprintf(c.stdout, "%d rows sent, %d labels, %d were in before\n", r.Sent, r.Labels, r.Known)
	}
	return nil
}

// answer runs the SELECT.
func answer(ctx context.Context, cfg app.Config, query, dir string) (string, error) {
	dsn, err := cfg.DiscoverDSN()
	if err != nil {
		return "", err
	}
	return baseline.Query(ctx, dsn, cfg.ClickHouse.Database, query, dir)
}

// configure reads the configuration file. A dry run of a file needs none; the
// ClickHouse of --sql stands nowhere else.
func (f importFlags) configure(o *baseline.Options) (app.Config, error) {
	cfg, err := f.load(*f.sql == "" && (o.DryRun || f.named()))
	if err != nil {
		return app.Config{}, err
	}
	o.Predictions, o.Labels, o.Limits = cfg.Ingest.Topics.Predictions, cfg.Ingest.Topics.Labels, cfg.Ingest.Limits
	o.ScoreIsNumber = cfg.Ingest.ScoreKinds[o.Model] == ingest.ScoreNumber
	for _, s := range cfg.Ingest.AllSources() {
		if (s.Topic == o.Predictions || s.Topic == o.Labels && o.Label != "") && s.Format != decode.FormatJSON {
			return app.Config{}, fmt.Errorf("%s: topic %s holds %s and not our JSON, which is what an import produces; name another topic in ingest.topics and ingest.sources", filepath.Base(*f.config), s.Topic, s.Format)
		}
	}
	if o.DryRun {
		return cfg, nil
	}
	o.Brokers, o.Dialer, err = connection(cfg)
	return cfg, err
}
