package baseline

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// Options say what is imported as what.
type Options struct {
	// File is the training set, and Format its shape; auto tells it by the name.
	File   string
	Format Format
	// Name is what the import calls the file to people; empty is File.
	Name string

	Model  plumbline.Model
	Deploy plumbline.DeployHash

	// Features names the columns that are features; empty takes all that have no
	// other role and are not in Skip.
	Features, Skip []string
	// The columns with a role, where there are some.
	ID, Time, Score, Predicted, Label string
	Segments                          []string
	// At is the event time of all rows where no column is Time; zero takes the
	// hour in which the import began.
	At time.Time

	// Nulls are texts of text files that mean null, beside the empty cell.
	Nulls []string
	// TextColumns are columns of text files that are counted by value whatever
	// they look like.
	TextColumns []string
	// TimesAsSeconds takes features that are points in time as seconds since
	// 1970, instead of refusing them.
	TimesAsSeconds bool
	// Classes sends numbers in Predicted and Label as classes, not as values of
	// a regression.
	Classes bool
	// ScoreIsNumber says that the model's scores are not probabilities.
	ScoreIsNumber bool

	// Batch is how many rows are sent before the progress is committed, between
	// 1 and 100,000.
	Batch int
	// DryRun reads and reports, and sends nothing.
	DryRun bool
	// Again imports what was imported before once more: it is counted twice.
	Again bool

	Brokers []string
	Dialer  *dial.Dialer
	// Predictions and Labels are the topics.
	Predictions, Labels string
	Limits              decode.Limits

	// Report receives what the import found, Progress how far it is.
	Report, Progress io.Writer
	// Now tells the time; nil is time.Now.
	Now func() time.Time
}

// DefaultOptions returns the defaults; file, model, deploy and brokers are
// empty.
func DefaultOptions() Options {
	return Options{
		Format: FormatAuto, Batch: 10_000, Predictions: "predictions", Labels: "labels", Limits: decode.DefaultLimits(),
		Report: io.Discard, Progress: io.Discard, Now: time.Now,
	}
}

// Validate returns every mistake of the options, by flag.
func (o Options) Validate() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(o.File != "", "--file: name the training set")
	need(o.Model != "", "--model: name the model")
	need(len(o.Model) <= maxName, "--model: longer than %d bytes", maxName)
	need(o.Deploy != "", "--deploy-hash: name the deploy that was trained on it")
	need(len(o.Deploy) <= maxName, "--deploy-hash: longer than %d bytes", maxName)
	need(o.Time == "" || o.At.IsZero(), "--at and --time-column: name one of them")
	need(o.Batch >= 1 && o.Batch <= 100_000, "--batch %d: between 1 and 100,000", o.Batch)
	need(len(o.Features) == 0 || len(o.Skip) == 0, "--features and --skip: name the columns that are features, or those that are not")
	need(len(o.Segments) <= 64, "--segment-columns: at most 64")
	need(o.DryRun || len(o.Brokers) > 0, "--kafka.brokers: name a Kafka address, host:port")
	if !o.At.IsZero() {
		errs = append(errs, o.timely(o.At.UnixMicro(), o.Now()))
	}
	return errors.Join(errs...)
}

// maxName is the longest name in bytes (docs/events.schema.json).
const maxName = 256

// timely refuses a time that ingest would refuse.
func (o Options) timely(micros int64, now time.Time) error {
	at := time.UnixMicro(micros).UTC()
	// An import may take a while, and its last rows must still be taken.
	switch {
	case at.Before(now.Add(-o.Limits.MaxAge + time.Hour)):
		return fmt.Errorf("%s is longer ago than ingest.max_event_age, %s; a training set counts whatever its age, so leave the time out", at.Format(time.RFC3339), o.Limits.MaxAge)
	case at.After(now.Add(o.Limits.MaxAhead)):
		return fmt.Errorf("%s lies in the future", at.Format(time.RFC3339))
	}
	return nil
}

// part is one column in one role.
type part struct {
	column int // of the table
	name   string
	kind   Kind
	vector int // of the batch
}

// plan says which column is what.
type plan struct {
	features, segments                []part
	id, time, score, predicted, label *part
	columns                           []int // what is read, in the order of the batch
}

// parts returns every column with its role, in the order of the report.
func (p *plan) parts() (roles []string, parts []*part) {
	add := func(role string, q *part) {
		if q != nil {
			roles, parts = append(roles, role), append(parts, q)
		}
	}
	for i := range p.features {
		add("feature", &p.features[i])
	}
	for i := range p.segments {
		add("segment", &p.segments[i])
	}
	add("score", p.score)
	add("predicted", p.predicted)
	add("label", p.label)
	add("id", p.id)
	add("time", p.time)
	return roles, parts
}

// makePlan finds the columns, and every mistake in what they are said to be.
func makePlan(o Options, columns []Column) (*plan, error) {
	p := &plan{}
	var errs []error
	if err := uniqueNames(columns); err != nil {
		return nil, err
	}
	taken := make(map[string]bool)
	find := func(flag, name string, kinds ...Kind) *part {
		q, err := p.part(columns, flag, name, kinds)
		if err != nil {
			errs = append(errs, err)
		}
		taken[name] = true
		return q
	}
	role := func(flag, name string, kinds ...Kind) *part {
		if name == "" {
			return nil
		}
		return find(flag, name, kinds...)
	}
	p.id = role("--id-column", o.ID, KindText, KindInt)
	p.time = role("--time-column", o.Time, KindTime, KindInt, KindText)
	p.score = role("--score-column", o.Score, KindFloat, KindInt)
	p.predicted = role("--predicted-column", o.Predicted, KindText, KindInt, KindFloat, KindBool)
	p.label = role("--label-column", o.Label, KindText, KindInt, KindFloat, KindBool)
	for _, name := range o.Segments {
		if q := find("--segment-columns", name, KindText, KindInt, KindBool, KindNull); q != nil {
			p.segments = append(p.segments, *q)
		}
	}
	for _, name := range o.Skip {
		find("--skip", name)
	}
	features := o.Features
	if len(features) == 0 {
		features = others(columns, taken)
	}
	kinds := []Kind{KindText, KindInt, KindFloat, KindBool, KindNull}
	if o.TimesAsSeconds {
		kinds = append(kinds, KindTime)
	}
	for _, name := range features {
		if q := find("--features", name, kinds...); q != nil {
			p.features = append(p.features, *q)
		}
	}
	switch {
	case len(p.features) > o.Limits.MaxFeatures:
		errs = append(errs, fmt.Errorf("%d features; ingest takes at most %d (ingest.max_features), so name those that matter with --features", len(p.features), o.Limits.MaxFeatures))
	case len(features) == 0:
		errs = append(errs, errors.New("no column is a feature; every one has another role"))
	}
	p.number()
	return p, errors.Join(errs...)
}

func uniqueNames(columns []Column) error {
	for j, c := range columns {
		if slices.ContainsFunc(columns[:j], func(d Column) bool { return d.Name == c.Name }) {
			return fmt.Errorf("two columns are named %q; rename one", c.Name)
		}
	}
	return nil
}

// others returns the columns without a role.
func others(columns []Column, taken map[string]bool) (names []string) {
	for _, c := range columns {
		if !taken[c.Name] {
			names = append(names, c.Name)
		}
	}
	return names
}

// part finds a column and checks its kind; no kinds are any.
func (p *plan) part(columns []Column, flag, name string, kinds []Kind) (*part, error) {
	i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s: there is no column %q", flag, name)
	}
	c := columns[i]
	if len(kinds) == 0 || slices.Contains(kinds, c.Kind) {
		if len(kinds) > 0 && (name == "" || len(name) > maxName) {
			return nil, fmt.Errorf("column %q: a name has 1 to %d bytes; rename it", name, maxName)
		}
		return &part{column: i, name: name, kind: c.Kind}, nil
	}
	switch c.Kind {
	case KindUnsupported:
		return nil, fmt.Errorf("column %q: %s", name, c.Why)
	case KindTime:
		return nil, fmt.Errorf("column %q: holds points in time, and a feature that grows with time drifts by itself; leave it out with --skip, name it with --time-column, or count it as seconds since 1970 with --times-as-seconds", name)
	case KindNull:
		return nil, fmt.Errorf("%s: column %q holds no value", flag, name)
	}
	return nil, fmt.Errorf("%s: column %q holds %s", flag, name, map[Kind]string{KindInt: "integers", KindFloat: "numbers", KindBool: "booleans", KindText: "text"}[c.Kind])
}

// number gives every column that is read a place in the batch; one column may
// have several roles.
func (p *plan) number() {
	_, parts := p.parts()
	for _, q := range parts {
		q.vector = slices.Index(p.columns, q.column)
		if q.vector < 0 {
			q.vector = len(p.columns)
			p.columns = append(p.columns, q.column)
		}
	}
}
