package decode

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Tabular are the options of the shapes that log what a model was sent and what
// it answered, as the serving platform saw them: sagemaker, sagemaker-groundtruth,
// mlflow and azureml.
type Tabular struct {
	// Nested says what happens to a feature that is an object or array: refuse
	// (the default) refuses the event, skip leaves it out and counts it as an
	// unknown field.
	Nested string `yaml:"nested"`
	// Output says what a number is that is a model's whole answer: its score (the
	// default) or what it predicted.
	Output string `yaml:"output"`
	// Score and Predicted are JSON pointers (RFC 6901) into one answer; a CSV
	// line counts as an array of its fields. Without both, an answer is a bare
	// value or an object with well-known members, see docs/formats.md.
	Score     string `yaml:"score"`
	Predicted string `yaml:"predicted"`
	// Answers is a JSON pointer into the whole answer: to the array with one answer
	// a row, or to the answer of the only row. Without it, the answers stand under
	// predictions or outputs, or are the body.
	Answers string `yaml:"answers" json:",omitempty"`
	// Classes says that a number that was predicted, or is a label, names a
	// class instead of measuring something. kserve and seldon have it too.
	Classes bool `yaml:"classes"`
	// Sampled is the share of the requests that the platform captured, from 1e-9
	// to 1. Default 1: each event weighs 1/sampled.
	Sampled float64 `yaml:"sampled"`
}

func (o Tabular) zero() bool {
	return o.Nested == "" && o.Output == "" && o.Score == "" && o.Predicted == "" && o.Answers == "" && !o.Classes && o.Sampled == 0
}

// validate returns every mistake, by field.
func (o Tabular) validate() error {
	var errs []error
	if !slices.Contains([]string{"", "refuse", "skip"}, o.Nested) {
		errs = append(errs, fmt.Errorf("nested: %q is neither refuse nor skip", o.Nested))
	}
	if !slices.Contains([]string{"", "score", "predicted"}, o.Output) {
		errs = append(errs, fmt.Errorf("output: %q is neither score nor predicted", o.Output))
	}
	if o.Output != "" && (o.Score != "" || o.Predicted != "") {
		errs = append(errs, errors.New("output: means nothing beside score or predicted, which say where each stands; leave one out"))
	}
	if _, err := parsePointer(o.Score); err != nil {
		errs = append(errs, fmt.Errorf("score: %w", err))
	}
	if _, err := parsePointer(o.Predicted); err != nil {
		errs = append(errs, fmt.Errorf("predicted: %w", err))
	}
	if _, err := parsePointer(o.Answers); err != nil {
		errs = append(errs, fmt.Errorf("answers: %w", err))
	}
	if o.Sampled != 0 && !isShare(o.Sampled) {
		errs = append(errs, fmt.Errorf("sampled: %v is not between 1e-9 and 1", o.Sampled))
	}
	return errors.Join(errs...)
}

// isShare reports whether v can be the share of requests that are captured, of
// which each event weighs 1/v.
func isShare(v float64) bool { return v >= 1e-9 && v <= 1 }

// sayings are what a source says of every event of its topic.
type sayings struct{ model, deploy, stage []byte }

func (s Source) sayings() sayings {
	return sayings{[]byte(s.Model), []byte(s.Deploy), []byte(s.Stage)}
}

// checkNames returns the mistakes of a source's model, deploy and stage.
func (s Source) checkNames() error {
	var errs []error
	if len(s.Model) > maxName || len(s.Deploy) > maxName {
		errs = append(errs, errors.New("model and deploy_hash: at most 256 bytes"))
	}
	if s.Stage != "" && !s.Stage.Valid() {
		errs = append(errs, fmt.Errorf("stage: %q is none of production, canary, shadow and training", s.Stage))
	}
	return errors.Join(errs...)
}

// checkTabular returns the mistakes of a source of a tabular shape.
func checkTabular(s Source) error {
	errs := []error{s.checkNames(), s.Tabular.validate()}
	for i, name := range s.FeatureNames {
		if name == "" || len(name) > maxName {
			errs = append(errs, fmt.Errorf("feature_names: name %d has not 1 to 256 bytes", i+1))
		}
		if slices.Contains(s.FeatureNames[:i], name) {
			errs = append(errs, fmt.Errorf("feature_names: %q stands twice", name))
		}
	}
	return errors.Join(errs...)
}

// inputs are the rows that a model was sent.
type inputs struct {
	n int
	// list is an array of rows, one is a single row, columns an object of the
	// columns, each an array; one of them, or none.
	list, one, columns ref
	// names is an array of the columns' names.
	names ref
	// now is the row that was read last, next the one after it in list; values
	// and cursors are those of the columns.
	now, next       ref
	values, cursors []ref
}

// tabular reads rows of inputs and answers out of a tree.
type tabular struct {
	t         *tree
	options   Tabular
	score     pointer
	predicted pointer
	at        pointer  // of the answers
	numbers   [][]byte // f0, f1 and so on
	names     [][]byte
	in        inputs
	out       answers
	weight    float64
	// lists says that the answers are a list each, however many there are.
	lists bool
	// reserved are members of a row that are no features.
	reserved []string
}

func newTabular(t *tree, s Source) tabular {
	o := s.Tabular
	b := tabular{t: t, options: o, weight: 1}
	// Validate has parsed them already.
	b.score, _ = parsePointer(o.Score)
	b.predicted, _ = parsePointer(o.Predicted)
	b.at, _ = parsePointer(o.Answers)
	for _, name := range s.FeatureNames {
		b.names = append(b.names, []byte(name))
	}
	if o.Sampled > 0 {
		b.weight = 1 / o.Sampled
	}
	return b
}

// reset forgets the rows and answers of the record before.
func (b *tabular) reset() {
	b.in = inputs{values: b.in.values[:0], cursors: b.in.cursors[:0]}
	b.out = answers{}
}

// sent finds the rows in the body of a request. It knows MLflow's
// dataframe_split, dataframe_records, instances and inputs, Azure's input_data
// and data; else an array of arrays or objects is the rows, and anything else is
// one row.
func (b *tabular) sent(body ref) *Error {
	t := b.t
	b.reset()
	wrapped := b.unwrap(body)
	switch {
	case t.kind(wrapped) == isObject:
		return b.frame(wrapped)
	case t.kind(wrapped) == isArray:
		b.each(wrapped)
	case wrapped != 0:
		b.in.n, b.in.one = 1, wrapped
	case t.kind(body) == isObject:
		b.in.n, b.in.one = 1, body
	default:
		b.list(body)
	}
	return nil
}

// unwrap returns what a body has under a name that says its rows. A plain value
// may be a feature of such a name: it is all rows only under inputs, or alone.
func (b *tabular) unwrap(body ref) ref {
	t := b.t
	for _, name := range [...]string{"dataframe_split", "dataframe_records", "instances", "inputs", "input_data", "data"} {
		r := t.get(body, name)
		if k := t.kind(r); k == isObject || k == isArray || t.there(r) && (name == "inputs" || t.size(body) == 1) {
			return r
		}
	}
	return 0
}

// each takes an array of which each element is a row.
func (b *tabular) each(rows ref) {
	b.in.n, b.in.list, b.in.next = b.t.size(rows), rows, b.t.first(rows)
}

// list takes an array of rows, or one row.
func (b *tabular) list(r ref) {
	t := b.t
	first := t.kind(t.first(r))
	switch {
	case !t.there(r):
	case t.kind(r) == isArray && (first == isObject || first == isArray):
		b.each(r)
	case t.kind(r) == isArray && t.size(r) == 0:
	default:
		b.in.n, b.in.one = 1, r
	}
}

// frame takes a table: columns and data beside each other, or an object of
// columns, each an array of the values of every row; or one row.
func (b *tabular) frame(r ref) *Error {
	t := b.t
	if data := t.get(r, "data"); t.kind(data) == isArray && t.kind(t.get(r, "columns")) == isArray {
		b.in.n, b.in.list, b.in.next, b.in.names = t.size(data), data, t.first(data), t.get(r, "columns")
		return nil
	}
	n := -1
	for c := t.first(r); c != 0; c = t.next(c) {
		switch {
		case t.kind(c) != isArray:
			b.in.n, b.in.one = 1, r
			return nil
		case n >= 0 && t.size(c) != n:
			return t.fail(c, BadValue, fmt.Sprintf("the column holds %d values, the one before %d", t.size(c), n))
		}
		n = t.size(c)
		b.in.cursors = append(b.in.cursors, t.first(c))
	}
	b.in.n, b.in.columns = max(n, 0), r
	return nil
}

// features adds the next row's features to the prediction under way.
func (b *tabular) features(p *Predictions, e *prediction) *Error {
	t := b.t
	switch {
	case b.in.columns != 0:
		return b.column(p, e)
	case b.in.list != 0:
		b.in.now = b.in.next
		b.in.next = t.next(b.in.now)
		return b.row(p, e, b.in.now)
	case b.in.one != 0:
		b.in.now = b.in.one
		return b.row(p, e, b.in.one)
	}
	return nil
}

// column adds the values at the cursors, one of each column.
func (b *tabular) column(p *Predictions, e *prediction) *Error {
	t := b.t
	if len(b.in.cursors) > p.limits.MaxFeatures {
		return t.fail(b.in.columns, TooManyFeatures, "send fewer features, or raise max_features")
	}
	var refused *Error
	b.in.values = append(b.in.values[:0], b.in.cursors...)
	i := 0
	for c := t.first(b.in.columns); c != 0; c = t.next(c) {
		r := b.in.cursors[i]
		b.in.cursors[i] = t.next(r)
		i++
		if refused == nil { // the other columns move on
			refused = b.feature(p, e, t.key(c), r)
		}
	}
	return refused
}

// row adds a row: an object by its names, an array by feature_names.
func (b *tabular) row(p *Predictions, e *prediction, r ref) *Error {
	t := b.t
	if only := t.get(r, "features"); only != 0 && t.size(r) == 1 {
		r = only
	}
	if t.size(r) > p.limits.MaxFeatures {
		return t.fail(r, TooManyFeatures, "send fewer features, or raise max_features")
	}
	switch t.kind(r) {
	case isNothing, isNull:
		return nil
	case isObject:
		for m := t.first(r); m != 0; m = t.next(m) {
			if slices.Contains(b.reserved, text(t.key(m))) {
				continue
			}
			if err := b.feature(p, e, t.key(m), m); err != nil {
				return err
			}
		}
		return nil
	case isArray:
		return b.unnamed(p, e, r)
	}
	if len(b.names) > 1 {
		return t.fail(r, BadValue, fmt.Sprintf("the row holds 1 value, feature_names %d", len(b.names)))
	}
	return b.feature(p, e, b.name(0), r)
}

// unnamed adds a row that is an array.
func (b *tabular) unnamed(p *Predictions, e *prediction, r ref) *Error {
	t := b.t
	want := len(b.names)
	if b.in.names != 0 {
		want = t.size(b.in.names)
	}
	if want > 0 && t.size(r) != want {
		return t.fail(r, BadValue, fmt.Sprintf("the row holds %d values, there are names for %d", t.size(r), want))
	}
	i, named := 0, t.first(b.in.names)
	for v := t.first(r); v != 0; v = t.next(v) {
		var name []byte
		if named != 0 {
			var err *Error
			if name, err = t.label(named); err != nil {
				return err
			}
			named = t.next(named)
		} else {
			name = b.name(i)
		}
		i++
		if err := b.feature(p, e, name, v); err != nil {
			return err
		}
	}
	return nil
}

func (b *tabular) name(i int) []byte {
	if i < len(b.names) {
		return b.names[i]
	}
	for len(b.numbers) <= i {
		b.numbers = append(b.numbers, strconv.AppendInt([]byte("f"), int64(len(b.numbers)), 10))
	}
	return b.numbers[i]
}

func (b *tabular) feature(p *Predictions, e *prediction, name []byte, r ref) *Error {
	if k := b.t.kind(r); k == isObject || k == isArray {
		return nested(b.t, e, r, b.options.Nested)
	}
	return p.treeFeature(b.t, name, r)
}

// nested leaves out a feature that is an object or array, or refuses it.
func nested(t *tree, e *prediction, r ref, option string) *Error {
	if option != "skip" {
		return t.fail(r, TooNested, "a feature is a number, a string, a boolean or null, not an object or array; flatten it, or set nested: skip to leave such features out")
	}
	e.unknown++
	return nil
}
