package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/erase"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/storage"
)

func (c *cli) erase() {
	clause := c.app.Command("erase", "Erase a person's raw rows from ClickHouse, and say what remains elsewhere.")
	file := configFlag(clause)
	var r erase.Request
	model := clause.Flag("model", "Model whose rows they are.").Required().String()
	clause.Flag("prediction-id", "prediction_id, as the producer sends it; may be repeated.").StringsVar(&r.IDs)
	clause.Flag("every-row", "Also ID/0, ID/1, ...: the rows of a request that carried several. They may be about several people.").BoolVar(&r.EveryRow)
	entity := entityFlag(clause)
	clause.Flag("dry-run", "Say what would be erased, and erase nothing.").BoolVar(&r.DryRun)
	c.add(clause, func(ctx context.Context) (err error) {
		cfg, err := app.Load(*file)
		if err != nil {
			return usageError{err}
		}
		r.Model = plumbline.Model(*model)
		if *entity != "" {
			if r.Feature, r.Value, err = erase.ParseEntity(*entity); err != nil {
				return usageError{fmt.Errorf("erase: --entity: %w", err)}
			}
		}
		if err := protected(&r, cfg.Ingest.Privacy); err != nil {
			return usageError{fmt.Errorf("erase: %w", err)}
		}
		return runErase(ctx, cfg, r, c.stdout)
	})
}

func entityFlag(clause *kingpin.CmdClause) *string {
	return clause.Flag("entity", "FEATURE=VALUE: the rows of every prediction with this value of the feature, as a text or a number, before it was hashed.").String()
}

// protected fills in what the privacy policy did to the rows, and checks the
// request.
func protected(r *erase.Request, policy privacy.Config) (err error) {
	for _, p := range policy.Models {
		if p.Model == r.Model {
			r.Policy = p
		}
	}
	if policy.KeysFile != "" {
		if r.Keys, err = privacy.ReadKeys(policy.KeysFile); err != nil {
			return err
		}
	}
	return r.Validate()
}

// runErase ends in an error while anything is left that a second run would find.
func runErase(ctx context.Context, cfg app.Config, r erase.Request, out io.Writer) error {
	var report erase.Report
	err := withStorage(cfg, func(db *storage.DB) (err error) {
		report, err = erase.Run(ctx, db, r, time.Now())
		return err
	})
	if shared := (erase.SharedError{}); errors.As(err, &shared) {
		return usageError{fmt.Errorf("erase: --entity: %w", shared)}
	}
	if unknown := (erase.UnknownError{}); errors.As(err, &unknown) {
		return usageError{fmt.Errorf("erase: %w", unknown)}
	}
	if err != nil {
		return fmt.Errorf("erase: %w; run it once more: what is gone is not found again", err)
	}
	erased(out, r, report)
	err = remaining(ctx, cfg, r, report, out)
	if left := report.Unfinished(); left > 0 {
		err = errors.Join(fmt.Errorf("erase: %d rows are left: they belong to batches that ingest has not completed; run it once more", left), err)
	}
	return err
}

func erased(out io.Writer, r erase.Request, report erase.Report) {
	verb := "erased"
	if r.DryRun {
		verb = "would be erased"
	}
	for _, t := range report.Tables {
		fmt.Fprintf(out, "%s: %d rows %s", t.Table, t.Rows, verb)
		if t.Unfinished > 0 {
			fmt.Fprintf(out, ", %d left in batches under way", t.Unfinished)
		}
		fmt.Fprintln(out)
	}
	if report.Unwatched {
		fmt.Fprintln(out, "ClickHouse does not let its user read system.processes, so nothing was waited for: what the join was writing meanwhile may stand; run the command again in a few minutes")
	}
	if !report.Found() && r.Feature == "" {
		fmt.Fprintln(out, "no row is stored of whom you named")
	}
	if !report.Found() && r.Feature != "" {
		fmt.Fprintln(out, "no prediction is stored that has this value")
	}
	if report.OtherRows > 0 {
		fmt.Fprintf(out, "predictions: %d other rows of the same requests (ID/0, ID/1, ...) stay; --every-row takes them, too\n", report.OtherRows)
	}
}

// remaining says where else the person's data are, and until when.
func remaining(ctx context.Context, cfg app.Config, r erase.Request, report erase.Report, out io.Writer) error {
	fmt.Fprintln(out, "what remains:")
	fmt.Fprintln(out, "- rollups and outcome cells: counts by hour and minute, of values that many share; they name nobody unless a value does")
	fmt.Fprintln(out, "- outcomes: what labels changed, by minute, under the Kafka position of a label in the place of the identifier")
	orphans(out, r, report)
	fmt.Fprintf(out, "- ClickHouse's disk: %d replaced parts, %d bytes, until it removes them (old_parts_lifetime, 8 minutes by default)\n", report.InactiveParts, report.InactiveBytes)
	fmt.Fprintln(out, "- ClickHouse's list of mutations and its logs of queries, where they are on: the identifiers as stored, until finished_mutations_to_keep and the logs' TTL drop them")
	if err := backups(cfg, out); err != nil {
		return err
	}
	return inKafka(ctx, cfg, r, out)
}

// orphans says which labels an entity was not looked for among.
func orphans(out io.Writer, r erase.Request, report erase.Report) {
	if r.Feature == "" {
		return
	}
	about := ""
	if report.Share < 1 {
		about = "about "
	}
	fmt.Fprintf(out, "- labels: %s%d identifiers of %s have labels and no prediction that is stored", about, report.Orphans, r.Model)
	if rate := float64(r.Policy.RawRate); rate > 0 && rate < 1 {
		fmt.Fprintf(out, ", since raw_rate stores a share of %g of its predictions", rate)
	}
	fmt.Fprintln(out, "; an entity is found by its predictions alone, so labels of whom you named may be among them, until raw retention ends: --prediction-id takes them")
}

// backups names the copies that the embedded engine made before upgrades.
func backups(cfg app.Config, out io.Writer) error {
	if !cfg.ClickHouse.Embedded() {
		fmt.Fprintln(out, "- backups of ClickHouse, if you make any: they are its operator's")
		return nil
	}
	dir := filepath.Join(cfg.DataDir, "clickhouse", "backups")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("erase: look for backups: %w", err)
	}
	for _, e := range entries {
		fmt.Fprintf(out, "- backup %s, until you delete it or a later one takes its place\n", filepath.Join(dir, e.Name()))
	}
	if len(entries) == 0 {
		fmt.Fprintln(out, "- backups before upgrades of the engine: none")
	}
	return nil
}

// inKafka says how long each topic keeps its records, and how many dead letters
// bear what was searched for.
func inKafka(ctx context.Context, cfg app.Config, r erase.Request, out io.Writer) (err error) {
	in := cfg.Ingest
	if in.Brokers, in.Dialer, err = connection(cfg); err != nil {
		return usageError{err}
	}
	embedded := embeddedKafka(cfg)
	for _, topic := range topicsOf(in.AllSources(), r.Model) {
		kept, err := ingest.TopicRetention(ctx, in, topic)
		if err != nil {
			return fmt.Errorf("erase: what remains in Kafka is not known: %w", err)
		}
		fmt.Fprintf(out, "- Kafka topic %s: the events as they were sent, %s\n", topic, keptText(kept, embedded))
	}
	kept, err := ingest.TopicRetention(ctx, in, in.Topics.DeadLetters)
	if err != nil {
		return fmt.Errorf("erase: what remains in Kafka is not known: %w", err)
	}
	count, err := countLetters(ctx, in, r)
	if err != nil {
		return fmt.Errorf("erase: what remains in the dead letters is not known: %w", err)
	}
	fmt.Fprintf(out, "- Kafka topic %s: %d dead letters with the text", in.Topics.DeadLetters, count.hits)
	if count.closed > 0 {
		fmt.Fprintf(out, ", and %d that could not be opened", count.closed)
	}
	fmt.Fprintf(out, ", %s\n", keptText(kept, embedded))
	return nil
}

// topicsOf returns the topics in which predictions and labels of a model can stand:
// not those of other models, of deployments or of KPIs.
func topicsOf(sources []decode.Source, model plumbline.Model) (topics []string) {
	for _, s := range sources {
		people := slices.Contains(s.Holds, decode.KindPredictions) || slices.Contains(s.Holds, decode.KindLabels)
		if people && (s.Model == "" || s.Model == model) {
			topics = append(topics, s.Topic)
		}
	}
	return topics
}

// embeddedKafka returns where the embedded broker keeps its log; empty of a real
// Kafka.
func embeddedKafka(cfg app.Config) string {
	if len(cfg.Kafka.Brokers) > 0 {
		return ""
	}
	return cmp.Or(cfg.Kafka.Embedded.DataDir, filepath.Join(cfg.DataDir, "kafka"))
}

// keptText says for how long a topic keeps its records. The embedded broker knows a
// retention and holds to it only until it starts anew, so none is promised.
func keptText(kept time.Duration, embedded string) string {
	if embedded != "" && kept < 0 {
		return fmt.Sprintf("until you delete %s", embedded)
	}
	if embedded != "" {
		return fmt.Sprintf("until you delete %s: the embedded broker may drop what is older than %s (retention.ms), or keep it", embedded, kept)
	}
	if kept < 0 {
		return "for ever (retention.ms is -1)"
	}
	return fmt.Sprintf("for %s (retention.ms)", kept)
}

// letterCount is how many dead letters hold a text, and how many are sealed
// under keys that are not there.
type letterCount struct{ hits, closed int }

func countLetters(ctx context.Context, cfg ingest.Config, r erase.Request) (n letterCount, err error) {
	where := deadletters.DefaultConfig()
	where.Brokers, where.Topic, where.Dialer, where.Keys = cfg.Brokers, cfg.Topics.DeadLetters, cfg.Dialer, r.Keys
	box, err := deadletters.New(where)
	if err != nil {
		return n, err
	}
	defer box.Close()
	texts := r.IDs
	if r.Feature != "" {
		texts = []string{r.Value}
	}
	err = box.Each(ctx, deadletters.Filter{}, func(l deadletters.Letter) error {
		switch opened := box.Open(&l) == nil; {
		case !opened:
			n.closed++
		case bears(l, texts):
			n.hits++
		}
		return nil
	})
	return n, err
}

// bears reports whether a letter holds one of the texts, letter by letter: an
// event that spells it with escapes is not found.
func bears(l deadletters.Letter, texts []string) bool {
	parts := [][]byte{l.Key, l.Value}
	for _, h := range l.Headers {
		parts = append(parts, h.Value)
	}
	for _, text := range texts {
		for _, part := range parts {
			if bytes.Contains(part, []byte(text)) {
				return true
			}
		}
	}
	return false
}
