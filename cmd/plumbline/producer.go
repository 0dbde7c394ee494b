package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/serve"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/sample"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// maxSample bounds what check producer reads, in bytes.
const maxSample = 64 << 20

func (c *cli) checkProducer() {
	parent := c.app.GetCommand("check")
	clause := parent.Command("producer", "Read sample events, JSON lines, and say what the service understands, what it would refuse and why.")
	file := clause.Arg("file", "File of events; - is the standard input.").Default("-").String()
	kind := kindFlag(clause)
	at := clause.Flag("at", "The Kafka timestamp to assume, RFC 3339 or a day. Default: now.").String()
	config := clause.Flag("config.file", "Configuration file whose limits and privacy policy hold. Default: the default limits, and no policy.").String()
	topic := clause.Flag("topic", "Read the records as those of this topic, in the shape that the configuration says.").String()
	headers := clause.Flag("header", "NAME=VALUE: a Kafka header that every record has, such as ce_id of a CloudEvent; may be repeated. With --topic.").Strings()
	key := clause.Flag("key", "The Kafka key that every record has. With --topic.").String()
	c.add(clause, func(context.Context) error {
		cfg, classes, known, err := sampleSettings(*config, *at)
		if err != nil {
			return usageError{fmt.Errorf("check producer: %w", err)}
		}
		around, err := envelope(*headers, *key, *topic)
		if err != nil {
			return usageError{fmt.Errorf("check producer: %w", err)}
		}
		text, err := readSample(*file)
		if err != nil {
			return usageError{fmt.Errorf("check producer: %w", err)}
		}
		report, err := checkSample(text, around, cfg, *topic, sample.Kind(*kind), known)
		if err != nil {
			return usageError{fmt.Errorf("check producer: %s: %w", *file, err)}
		}
		report.Hints = append(report.Hints, report.NumberHints(classes)...)
		if err := printReport(c.stdout, report); err != nil {
			return fmt.Errorf("check producer: %w", err)
		}
		if n := report.Refused(); n > 0 {
			return usageError{fmt.Errorf("check producer: %d of %d events would be refused", n, len(report.Events))}
		}
		if report.Accepted() == 0 {
			return usageError{fmt.Errorf("check producer: nothing would be stored: what the sample holds is skipped")}
		}
		return nil
	})
}

func kindFlag(clause *kingpin.CmdClause) *string {
	return clause.Flag("kind", "Kind of the events: prediction, label, deployment or kpi.").Default(string(sample.Prediction)).
		Enum(string(sample.Prediction), string(sample.Label), string(sample.Deployment), string(sample.KPI))
}

// envelope reads what the flags say that records have beside their value.
func envelope(headers []string, key, topic string) (e sample.Envelope, err error) {
	if topic == "" && (len(headers) > 0 || key != "") {
		return e, errors.New("--header and --key: our own JSON reads neither; name the shape with --topic")
	}
	if key != "" {
		e.Key = []byte(key)
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return e, fmt.Errorf("--header %q: write NAME=VALUE", h)
		}
		e.Fields = append(e.Fields, sample.Header{Name: name, Value: value})
	}
	return e, nil
}

// sampleSettings are what a sample is held against: what ingest is told, and which
// models are declared to answer with classes, each with its positive one.
func sampleSettings(config, at string) (cfg ingest.Config, classes map[string]string, known time.Time, err error) {
	cfg, classes, known = ingest.DefaultConfig(), map[string]string{}, time.Now()
	if config != "" {
		all, err := app.Load(config)
		if err != nil {
			return cfg, classes, known, err
		}
		cfg = all.Ingest
		for model, declared := range all.DeclaredQuality() {
			if declared.Task == ask.Binary || declared.Task == ask.Multiclass {
				classes[string(model)] = declared.Positive
			}
		}
	}
	if at != "" {
		if known, err = serve.ParseTime(at); err != nil {
			return cfg, classes, known, fmt.Errorf("--at: %w", err)
		}
	}
	return cfg, classes, known, nil
}

// checkSample reads our own JSON of one kind, or what a topic holds.
func checkSample(text []byte, around sample.Envelope, cfg ingest.Config, topic string, kind sample.Kind, known time.Time) (sample.Report, error) {
	stored, err := sample.NewStored(cfg.Privacy)
	if err != nil {
		return sample.Report{}, err
	}
	if topic == "" {
		return sample.Check(text, kind, known, cfg.Limits, stored)
	}
	for _, s := range cfg.AllSources() {
		if s.Topic != topic {
			continue
		}
		if s.Format != decode.FormatJSON {
			return sample.CheckSource(text, around, s, known, cfg.Limits, stored)
		}
		return sample.Check(text, kindOf(s), known, cfg.Limits, stored)
	}
	return sample.Report{}, fmt.Errorf("--topic: %q is no topic of the configuration", topic)
}

func kindOf(s decode.Source) sample.Kind {
	switch s.Holds[0] {
	case decode.KindLabels:
		return sample.Label
	case decode.KindDeployments:
		return sample.Deployment
	case decode.KindKPIs:
		return sample.KPI
	}
	return sample.Prediction
}

func readSample(name string) (_ []byte, err error) {
	in := io.ReadCloser(os.Stdin)
	if name != "-" && name != "" { // kingpin hands a bare - over as nothing
		if in, err = os.Open(name); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, in.Close()) }()
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSample+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(text) > maxSample {
		return nil, fmt.Errorf("%s: more than 64 MiB; a sample is enough", name)
	}
	return text, nil
}

func printReport(out io.Writer, report sample.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range report.Events {
		switch {
		case e.Refused != nil:
			fmt.Fprintf(w, "line %d: would be refused: %s\n", e.Line, printable(e.Refused.Error(), 0))
		case e.Skipped != "":
			fmt.Fprintf(w, "line %d: skipped: %s\n", e.Line, printable(e.Skipped, 0))
		default:
			fmt.Fprintf(w, "line %d: accepted\n", e.Line)
		}
		for _, f := range e.Fields {
			fmt.Fprintf(w, "  %s\t%s\n", f.Name, f.Value)
		}
		for _, hint := range e.Hints {
			fmt.Fprintf(w, "  hint: %s\n", hint)
		}
	}
	for _, hint := range report.Hints {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
	fmt.Fprintf(w, "%d events, %d accepted, %d skipped, %d refused\n", len(report.Events), report.Accepted(), report.Skipped(), report.Refused())
	return w.Flush()
}
