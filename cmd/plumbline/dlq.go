package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kingpin/v2"

	"github.com/plumbline-slo/plumbline/analyze/serve"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// excerpt is how many characters of a value a list shows.
const excerpt = 80

// letterFlags say where the dead letters are.
type letterFlags struct {
	kafkaFlags
	dataDir, topic *string
}

func deadLetterFlags(clause *kingpin.CmdClause) letterFlags {
	return letterFlags{
		kafkaFlags: newKafkaFlags(clause),
		dataDir:    clause.Flag("data-dir", "Data directory of the running service, instead of a configuration file: its Kafka and its topics.").String(),
		topic:      clause.Flag("dead-letter-topic", "The dead-letter topic, where it is not the configured one.").String(),
	}
}

// open returns the dead-letter topic that the flags name; with opens set it can
// open sealed letters, if the configuration has the keys.
func (f letterFlags) open(opens bool) (box letterBox, err error) {
	file, err := f.service()
	if err != nil {
		return box, err
	}
	cfg := deadletters.DefaultConfig()
	cfg.Topic = cmp.Or(*f.topic, file.Ingest.Topics.DeadLetters)
	if path := file.Ingest.Privacy.KeysFile; opens && path != "" {
		if cfg.Keys, err = privacy.ReadKeys(path); err != nil {
			return box, usageError{err}
		}
	}
	if cfg.Brokers, cfg.Dialer, err = connection(file); err != nil {
		return box, usageError{err}
	}
	for _, s := range file.Ingest.AllSources() {
		box.sources = append(box.sources, s.Topic)
	}
	box.Box, err = deadletters.New(cfg)
	if err != nil {
		return box, usageError{err}
	}
	return box, nil
}

// service returns the configuration of the service whose letters they are, as far
// as it is known.
func (f letterFlags) service() (app.Config, error) {
	if *f.dataDir == "" {
		cfg, err := f.load(f.named())
		if err != nil {
			return cfg, usageError{err}
		}
		return cfg, nil
	}
	if f.named() {
		return app.Config{}, usageError{errors.New("--data-dir and --kafka.brokers each say which Kafka it is: give one")}
	}
	cfg, err := app.OfDataDir(*f.dataDir)
	if err == nil {
		err = cfg.FindKafka()
	}
	return cfg, err
}

// selection is what the commands filter letters by.
type selection struct{ topic, reason, since *string }

func selectionFlags(clause *kingpin.CmdClause) selection {
	return selection{
		topic:  clause.Flag("topic", "Only letters of this source topic; one that neither the configuration nor a letter names is refused.").String(),
		reason: clause.Flag("reason", "Only letters with this reason, for example wrong_type.").String(),
		since:  clause.Flag("since", "Only letters since then: RFC 3339 or a day, or a duration back from now such as 2h.").String(),
	}
}

func (s selection) filter(now time.Time) (deadletters.Filter, error) {
	f := deadletters.Filter{Topic: *s.topic, Reason: *s.reason}
	if *s.since == "" {
		return f, nil
	}
	if back, err := time.ParseDuration(*s.since); err == nil {
		f.Since = now.Add(-back)
		return f, nil
	}
	var err error
	if f.Since, err = serve.ParseTime(*s.since); err != nil {
		return f, usageError{fmt.Errorf("--since: %w, or a duration such as 2h", err)}
	}
	return f, nil
}

func (c *cli) dlq() {
	clause := c.app.Command("dlq", "The dead-letter topic: events that could not be stored.")
	c.dlqList(clause)
	c.dlqShow(clause)
	c.dlqReplay(clause)
}

func (c *cli) dlqList(parent *kingpin.CmdClause) {
	clause := parent.Command("list", "List letters: where each came from, why it was refused, how it begins.")
	kafka, selected := deadLetterFlags(clause), selectionFlags(clause)
	limit := clause.Flag("limit", "How many letters at most; the newest are shown.").Default("100").Int()
	c.add(clause, func(ctx context.Context) error {
		filter, err := selected.filter(time.Now())
		if err == nil && *limit < 1 {
			err = usageError{fmt.Errorf("--limit %d: at least 1", *limit)}
		}
		if err != nil {
			return err
		}
		box, err := kafka.open(false)
		if err != nil {
			return err
		}
		defer box.Close()
		if err := box.refuseUnknown(ctx, filter); err != nil {
			return err
		}
		letters, matched, err := box.Newest(ctx, filter, *limit)
		if err != nil {
			return fmt.Errorf("dlq list: %w", err)
		}
		if matched > len(letters) {
			fmt.Fprintf(c.stderr, "%d letters match; the newest %d are shown (--limit)\n", matched, len(letters))
		}
		return listLetters(c.stdout, letters)
	})
}

func listLetters(out io.Writer, letters []deadletters.Letter) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "OFFSET\tREFUSED\tSOURCE\tREASON\tVALUE")
	value := func(l deadletters.Letter) string {
		if l.Sealed != "" {
			return fmt.Sprintf("(sealed under key %s)", l.Sealed)
		}
		return string(l.Value)
	}
	for _, l := range letters {
		source := l.Source.String()
		if l.Malformed != "" {
			source = "unknown"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", place(l.At), l.Time.UTC().Format(time.RFC3339), printable(source, 0), printable(l.Reason, 0), printable(value(l), excerpt))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("dlq list: %w", err)
	}
	return nil
}

// place is how the commands name a letter: its offset, after its partition if
// that is not 0.
func place(p deadletters.Position) string {
	if p.Partition == 0 {
		return fmt.Sprint(p.Offset)
	}
	return fmt.Sprintf("%d/%d", p.Partition, p.Offset)
}

// printable cuts a text to so many characters (0 is all) and replaces what
// could move a terminal's cursor or a table's columns: the bytes are a
// stranger's.
func printable(text string, characters int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if characters > 0 && n == characters {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			r = '·'
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

func (c *cli) dlqShow(parent *kingpin.CmdClause) {
	clause := parent.Command("show", "Show one letter whole: key, every header, value. What is sealed is shown with --reveal only.")
	kafka := deadLetterFlags(clause)
	reveal := clause.Flag("reveal", "Open a sealed letter with the keys of the configuration: its contents may be personal.").Bool()
	bare := clause.Flag("value", "Print the exact bytes of the value and nothing else, for example for check producer.").Bool()
	offset := clause.Arg("offset", "Offset of the letter, after PARTITION/ if that is not 0.").Required().String()
	c.add(clause, func(ctx context.Context) error {
		at, err := deadletters.ParseRange(*offset)
		if err == nil && at.First != at.Last {
			err = fmt.Errorf("%q: name one offset", *offset)
		}
		if err != nil {
			return usageError{fmt.Errorf("dlq show: %w", err)}
		}
		box, err := kafka.open(*reveal)
		if err != nil {
			return err
		}
		defer box.Close()
		l, err := box.Get(ctx, at.Partition, at.First)
		if err == nil && *reveal {
			err = box.Open(&l)
		}
		if err != nil {
			return fmt.Errorf("dlq show: %w", err)
		}
		if *bare && l.Sealed != "" {
			return usageError{fmt.Errorf("dlq show: the value is sealed under key %s; --reveal opens it with the keys of the configuration", l.Sealed)}
		}
		if *bare {
			_, err = c.stdout.Write(l.Value)
		} else {
			_, err = io.WriteString(c.stdout, letterText(l))
		}
		return err
	})
}

// letterText is a letter for people. What is not plain text is a hex dump.
func letterText(l deadletters.Letter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "letter    %s, refused %s\n", l.At, l.Time.UTC().Format(time.RFC3339Nano))
	if l.Malformed != "" {
		fmt.Fprintf(&b, "source    unknown: %s\n", printable(l.Malformed, 0))
	} else {
		fmt.Fprintf(&b, "source    %s\n", printable(l.Source.String(), 0))
	}
	fmt.Fprintf(&b, "reason    %s\n", printable(l.Message, 0))
	if l.Sealed == "" {
		fmt.Fprintf(&b, "key       %s\n", printable(string(l.Key), 0))
	}
	for _, h := range l.Headers {
		fmt.Fprintf(&b, "header    %s = %s\n", printable(h.Key, 0), printable(string(h.Value), 0))
	}
	if l.Sealed != "" {
		fmt.Fprintf(&b, "key, value and the record's own headers are sealed under key %s; --reveal opens them with the keys of the configuration\n", printable(l.Sealed, 0))
		return b.String()
	}
	fmt.Fprintf(&b, "value     %d bytes", len(l.Value))
	if l.Size > len(l.Value) {
		fmt.Fprintf(&b, ", the beginning of %d", l.Size)
	}
	b.WriteString("\n")
	if text := string(l.Value); printable(text, 0) == text || isLines(text) {
		b.WriteString(text + "\n")
	} else {
		b.WriteString(hex.Dump(l.Value))
	}
	return b.String()
}

// isLines reports whether a text is printable but for line ends and tabs.
func isLines(text string) bool {
	plain := strings.NewReplacer("\n", " ", "\t", " ").Replace(text)
	return printable(plain, 0) == plain
}

func (c *cli) dlqReplay(parent *kingpin.CmdClause) {
	clause := parent.Command("replay", "Put the original events back on their topics. A letter replayed before is skipped. The letters stay; an event that is refused again becomes a new letter.")
	kafka, selected := deadLetterFlags(clause), selectionFlags(clause)
	var o deadletters.Options
	clause.Flag("dry-run", "Say what would be done and produce nothing.").BoolVar(&o.DryRun)
	clause.Flag("again", "Replay also what was replayed before.").BoolVar(&o.Again)
	clause.Flag("limit", "How many events at most; 0 is all.").IntVar(&o.Limit)
	offsets := clause.Arg("offsets", "OFFSET, FIRST-LAST or FIRST-, after PARTITION/ if that is not 0. 0- is all.").String()
	c.add(clause, func(ctx context.Context) error {
		filter, err := selected.filter(time.Now())
		if err != nil {
			return err
		}
		if o.Limit < 0 {
			return usageError{fmt.Errorf("dlq replay: --limit %d is negative", o.Limit)}
		}
		if *offsets == "" && filter == (deadletters.Filter{}) {
			return usageError{errors.New("dlq replay: say which: offsets, --reason, --topic or --since; 0- is all")}
		}
		if *offsets != "" {
			r, err := deadletters.ParseRange(*offsets)
			if err != nil {
				return usageError{fmt.Errorf("dlq replay: %w", err)}
			}
			filter.Offsets = &r
		}
		box, err := kafka.open(true)
		if err != nil {
			return err
		}
		defer box.Close()
		if err := box.refuseUnknown(ctx, filter); err != nil {
			return err
		}
		if err := box.refuseAbsent(ctx, filter.Offsets); err != nil {
			return fmt.Errorf("dlq replay: %w", err)
		}
		return replayLetters(ctx, box.Box, filter, o, c.stdout)
	})
}

// replayLetters prints what became of every letter, then the sums. A letter that could
// not be replayed is a failure.
func replayLetters(ctx context.Context, box *deadletters.Box, f deadletters.Filter, o deadletters.Options, out io.Writer) error {
	verb := "replayed"
	if o.DryRun {
		verb = "would be replayed"
	}
	sums := make(map[deadletters.Verdict]int)
	err := box.Replay(ctx, f, o, func(r deadletters.Outcome) {
		sums[r.Verdict]++
		fmt.Fprintln(out, outcomeText(r, verb))
	})
	fmt.Fprintf(out, "%d %s, %d skipped, %d impossible\n", sums[deadletters.Replayed], verb, sums[deadletters.Skipped], sums[deadletters.Impossible])
	if err != nil && !o.Again {
		return fmt.Errorf("dlq replay: %w; run it once more: what was replayed is recognised", err)
	}
	if err != nil {
		return fmt.Errorf("dlq replay: %w", err)
	}
	if n := sums[deadletters.Impossible]; n > 0 {
		return fmt.Errorf("dlq replay: %d letters could not be replayed", n)
	}
	return nil
}

func outcomeText(r deadletters.Outcome, verb string) string {
	text := "letter " + place(r.Letter.At) + ": "
	switch r.Verdict {
	case deadletters.Skipped:
		return text + "skipped: " + printable(r.Note, 0)
	case deadletters.Impossible:
		return text + "impossible: " + printable(r.Note, 0)
	}
	to := fmt.Sprintf("%s/%d", r.To.Topic, r.To.Partition)
	if r.To.Offset >= 0 {
		to = r.To.String()
	}
	text += fmt.Sprintf("%s %s to %s, timestamp %s", r.Letter.Source, verb, to, r.Time.UTC().Format(time.RFC3339Nano))
	if r.Note != "" {
		text += " (" + r.Note + ")"
	}
	return printable(text, 0)
}
