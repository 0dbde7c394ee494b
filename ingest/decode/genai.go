package decode

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// FormatGenAI are OpenTelemetry's events of generative AI: log records in
// OTLP/JSON, as the collector's Kafka exporter writes them.
// https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/
const FormatGenAI Format = "otel-genai"

// The events that are read; all other log records are skipped.
const (
	genAIInference  = "gen_ai.client.inference.operation.details"
	genAIEvaluation = "gen_ai.evaluation.result"
)

// genAIDepth is how deep OTLP may nest: conversations are lists of messages of
// parts, each level of which takes four of JSON.
const genAIDepth = 96

func checkGenAI(s Source) error {
	errs := []error{s.checkNames()}
	switch s.Identifier {
	case "", IdentifierResponse, IdentifierSpan:
	default:
		errs = append(errs, fmt.Errorf("identifier: %q is neither %s nor %s", s.Identifier, IdentifierResponse, IdentifierSpan))
	}
	for _, kind := range s.Holds {
		if kind == KindLabels && s.Evaluation == "" {
			errs = append(errs, errors.New("evaluation: say which evaluation is the label, such as Relevance"))
		}
	}
	return errors.Join(errs...)
}

// GenAI are the options of otel-genai.
type GenAI struct {
	// Evaluation is the name (gen_ai.evaluation.name) of the evaluation whose
	// results are the labels; the others are skipped.
	Evaluation string `yaml:"evaluation"`
	// EvaluationLabel takes an evaluation's label, such as pass, instead of its
	// score where both are there.
	EvaluationLabel bool `yaml:"evaluation_label"`
	// Identifier says by what evaluations find their predictions, which both must
	// carry: response, the default, is gen_ai.response.id; span is the identifiers of
	// trace and span.
	Identifier Identifier `yaml:"identifier"`
}

// genAI decodes OTLP/JSON log records.
type genAI struct {
	several
	sayings
	t       *tree
	options GenAI
	joined  []byte // scratch
}

func openGenAI(s Source, into Columns) (Decoder, error) {
	d := &genAI{several: newSeveral(into), sayings: s.sayings(), options: s.GenAI}
	d.apart = true // what is refused is given back without its texts
	d.t = newTree(d.limits)
	d.t.depth = genAIDepth
	return d, nil
}

// Append decodes one message, which may hold many log records.
func (d *genAI) Append(rec Record) error { return d.run(rec, d.message) }

func (d *genAI) message(rec Record) *Error {
	t := d.t
	root, err := t.root(rec.Value)
	if err != nil {
		return err
	}
	resources := t.get(root, "resourceLogs")
	if t.kind(resources) != isArray {
		return t.missing(root, "resourceLogs", "send log records in OTLP/JSON")
	}
	index := 0
	for r := t.first(resources); r != 0; r = t.next(r) {
		resource := t.get(r, "resource")
		for scope := t.first(t.get(r, "scopeLogs")); scope != 0; scope = t.next(scope) {
			for log := t.first(t.get(scope, "logRecords")); log != 0; log = t.next(log) {
				if err := d.log(rec, resource, log); err != nil {
					d.refuse(rec, index, err, func(int) []byte { return d.alone(resource, log) })
				}
				index++
			}
		}
	}
	if index == 0 {
		d.into.skip() // it holds no log record, or none where they belong
	}
	return nil
}

// log appends what one log record holds, if it is one of the events.
func (d *genAI) log(rec Record, resource, log ref) *Error {
	t := d.t
	attributes := t.get(log, "attributes")
	name, err := t.plainText(t.get(log, "eventName"))
	if err != nil {
		return err
	}
	if len(name) == 0 {
		name = d.attribute(attributes, "event.name")
	}
	switch string(name) {
	case genAIInference:
		if d.into.Predictions != nil {
			return d.inference(rec, resource, log, attributes)
		}
	case genAIEvaluation:
		if d.into.Labels != nil {
			return d.evaluation(rec, log, attributes)
		}
	}
	d.into.skip()
	return nil
}

// find returns the value of an attribute: the member of its AnyValue. What is
// not given back of a refused event is not found either.
func (d *genAI) find(attributes ref, key string) ref {
	t := d.t
	for a := t.first(attributes); a != 0; a = t.next(a) {
		if string(t.text(t.get(a, "key"))) == key && d.kept(a) {
			return t.first(t.get(a, "value"))
		}
	}
	return 0
}

// attribute returns the text of an attribute; nil if it is not there or no
// text.
func (d *genAI) attribute(attributes ref, key string) []byte {
	r := d.find(attributes, key)
	if string(d.t.key(r)) != "stringValue" || d.t.kind(r) != isString {
		return nil
	}
	return d.t.text(r)
}

// short returns an attribute that is a name.
func (d *genAI) short(attributes ref, key string) ([]byte, *Error) {
	b := d.attribute(attributes, key)
	if len(b) > maxName {
		return nil, d.t.fail(d.find(attributes, key), BadValue, "the text is longer than 256 bytes")
	}
	return b, nil
}

// number returns the number of an AnyValue: a double, or an integer, which
// OTLP/JSON writes as text.
func (d *genAI) number(r ref) (v float64, ok bool, err *Error) {
	t := d.t
	switch string(t.key(r)) {
	case "intValue", "doubleValue":
	default:
		return 0, false, nil
	}
	if t.kind(r) == isNumber {
		return t.nodes[r].number, true, nil
	}
	b, err := t.plainText(r)
	if err != nil {
		return 0, false, err
	}
	if v, ok, err = decimalNumber(b); err != nil {
		return 0, false, err.at(t.path(r))
	}
	if !ok {
		switch string(b) { // as protobuf's JSON writes them
		case "NaN":
			return math.NaN(), true, nil
		}
		return 0, false, t.fail(r, BadValue, "send a number")
	}
	return v, true, nil
}

// instant returns the time of a log record.
func (d *genAI) instant(log ref) (int64, *Error) {
	t := d.t
	for _, name := range [...]string{"timeUnixNano", "observedTimeUnixNano"} {
		r := t.get(log, name)
		if k := t.kind(r); k != isString && k != isNumber {
			continue
		}
		nano, err := strconv.ParseUint(text(t.text(r)), 10, 63)
		if err != nil {
			return 0, t.fail(r, BadValue, "send nanoseconds since 1970")
		}
		if nano > 0 {
			return int64(nano / 1e6), nil
		}
	}
	return 0, t.missing(log, "timeUnixNano", "send the time of the event")
}

func (d *genAI) inference(rec Record, resource, log, attributes ref) *Error {
	p := d.into.Predictions
	m := p.begin()
	var e prediction
	err := d.operation(&e, resource, log, attributes)
	if err == nil {
		err = d.measurements(p, attributes)
	}
	if err == nil {
		err = p.end(&e, rec)
	}
	if err != nil {
		p.rollback(m)
		return err
	}
	d.taken++
	return nil
}

// operation reads all but the features.
func (d *genAI) operation(e *prediction, resource, log, attributes ref) (err *Error) {
	t := d.t
	if e.id, err = d.identity(log, attributes); err != nil {
		return err
	}
	if e.ts, err = d.instant(log); err != nil {
		return err
	}
	e.hasTS, e.stage = true, d.stage
	answered, err := d.short(attributes, "gen_ai.response.model")
	if err != nil {
		return err
	}
	if e.model, err = d.short(attributes, "gen_ai.request.model"); err != nil {
		return err
	}
	if e.deploy, err = d.short(t.get(resource, "attributes"), "service.version"); err != nil {
		return err
	}
	e.model, e.deploy = orElse(d.model, orElse(e.model, answered)), orElse(d.deploy, orElse(e.deploy, answered))
	switch {
	case len(e.model) == 0:
		return t.missing(log, "gen_ai.request.model", "send gen_ai.request.model, or set model of the source")
	case len(e.deploy) == 0:
		return t.missing(log, "service.version", "send the resource attribute service.version, or set deploy_hash of the source")
	}
	if e.status, err = d.short(attributes, "error.type"); err != nil {
		return err
	}
	seconds, ok, err := d.number(d.find(attributes, "gen_ai.client.operation.duration"))
	if ok {
		e.latency, e.hasLatency = seconds*1000, true
	}
	return err
}

// measurements adds the features: gen_ai's numbers and booleans, the reasons to
// finish and the kind of output; and the segments: the operation, the provider
// and the model that answered. Every other text, prompts and completions above
// all, is left where it is.
func (d *genAI) measurements(p *Predictions, attributes ref) *Error {
	t := d.t
	features := 0
	for a := t.first(attributes); a != 0; a = t.next(a) {
		key := t.text(t.get(a, "key"))
		if !bytes.HasPrefix(key, []byte("gen_ai.")) || !d.kept(a) {
			continue
		}
		if features++; features > p.limits.MaxFeatures {
			return t.fail(attributes, TooManyFeatures, "send fewer attributes, or raise max_features")
		}
		value := t.first(t.get(a, "value"))
		if err := d.measurement(p, key, value); err != nil {
			// An empty value has no node of its own.
			return err.at(t.path(value)).at(t.path(t.get(a, "value"))).at(t.path(a))
		}
	}
	return nil
}

func (d *genAI) measurement(p *Predictions, key []byte, value ref) *Error {
	t := d.t
	v, ok, err := d.number(value)
	if err != nil {
		return err
	}
	name := text(key)
	switch {
	case name == "gen_ai.client.operation.duration":
		return nil
	case name == "gen_ai.operation.name", name == "gen_ai.provider.name", name == "gen_ai.response.model":
		b, err := t.name(value)
		if err != nil || len(b) == 0 {
			return err
		}
		id, err := p.segmentID(key)
		if err == nil {
			p.slice(id, b)
		}
		return err
	case ok:
		id, err := p.feature(key)
		if err == nil {
			p.number(id, v)
		}
		return err
	case t.kind(value) == isTrue, t.kind(value) == isFalse, name == "gen_ai.output.type" && t.kind(value) == isString:
		return p.treeFeature(t, key, value)
	case name == "gen_ai.response.finish_reasons":
		return d.finish(p, key, value)
	}
	return nil
}

// finish adds the reasons to finish: an array of texts by the conventions, and one
// text where an instrumentation sends that. No reason is null.
func (d *genAI) finish(p *Predictions, key []byte, value ref) *Error {
	reasons, err := d.reasons(value)
	if err != nil {
		return err
	}
	id, err := p.feature(key)
	switch {
	case err != nil:
	case len(reasons) == 0:
		p.null(id)
	default:
		p.category(id, reasons)
	}
	return err
}

// reasons joins an array of texts with commas.
func (d *genAI) reasons(value ref) ([]byte, *Error) {
	const hint = "send finish reasons as an array of texts"
	t := d.t
	switch string(t.key(value)) {
	case "stringValue":
		return t.plainText(value)
	case "arrayValue":
	default:
		return nil, t.fail(value, WrongType, hint)
	}
	d.joined = d.joined[:0]
	for v := t.first(t.get(value, "values")); v != 0; v = t.next(v) {
		reason := t.get(v, "stringValue")
		if t.kind(reason) != isString {
			return nil, t.fail(v, WrongType, hint)
		}
		if len(d.joined) > 0 {
			d.joined = append(d.joined, ',')
		}
		d.joined = append(d.joined, t.text(reason)...)
	}
	return d.joined, nil
}

// evaluation appends the result of the evaluation that is the label.
func (d *genAI) evaluation(rec Record, log, attributes ref) (err *Error) {
	t := d.t
	value := d.find(attributes, "gen_ai.evaluation.score.value")
	score, scored, err := d.number(value)
	if err != nil {
		return err
	}
	verdict, err := d.short(attributes, "gen_ai.evaluation.score.label")
	if err != nil {
		return err
	}
	if string(d.attribute(attributes, "gen_ai.evaluation.name")) != d.options.Evaluation || !scored && len(verdict) == 0 {
		d.into.skip() // another one, or one that failed
		return nil
	}
	e := label{hasLabel: true, hasTS: true}
	if e.id, err = d.evaluated(log, attributes); err != nil {
		return err
	}
	if e.ts, err = d.instant(log); err != nil {
		return err
	}
	if e.model, err = d.short(attributes, "gen_ai.request.model"); err != nil {
		return err
	}
	if e.model = orElse(d.model, e.model); len(e.model) == 0 {
		return t.missing(log, "gen_ai.request.model", "send gen_ai.request.model with evaluations, or set model of the source")
	}
	if scored && (len(verdict) == 0 || !d.options.EvaluationLabel) {
		if rounded(score) && string(t.key(value)) == "intValue" {
			return t.fail(value, BadValue, wholeHint)
		}
		e.value, e.hasValue = score, true
	} else {
		e.class = verdict
	}
	if err := d.into.Labels.end(&e, rec); err != nil {
		return err
	}
	d.taken++
	return nil
}

// alone writes one log record as a message, without what was said: no body, and
// of the attributes only those with plain values that are no text of gen_ai's.
func (d *genAI) alone(resource, log ref) []byte {
	t := d.t
	w := treeWriter{t: t}
	attributes := t.get(log, "attributes")
	w.replace(attributes, func(w *treeWriter) {
		w.byte('[')
		for a := t.first(attributes); a != 0; a = t.next(a) {
			if d.kept(a) {
				w.comma('[')
				w.value(a)
			}
		}
		w.byte(']')
	})
	w.out = append(w.out, `{"resourceLogs":[{"resource":`...)
	w.value(resource)
	w.out = append(w.out, `,"scopeLogs":[{"logRecords":[`...)
	w.object(log, "body")
	w.out = append(w.out, `}]}]}]}`...)
	return w.out
}

// kept reports whether an attribute is read, and given back of a refused event.
// One question for both: an event was refused for a provider that was a list,
// which was not given back, so that what was sent again passed without it.
func (d *genAI) kept(attribute ref) bool {
	key := text(d.t.text(d.t.get(attribute, "key")))
	switch key {
	case "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.response.model", "gen_ai.response.finish_reasons":
		return true
	}
	value := d.t.first(d.t.get(attribute, "value"))
	switch string(d.t.key(value)) {
	case "intValue", "doubleValue", "boolValue":
		return true
	case "stringValue":
	default:
		return false
	}
	for _, said := range [...]string{"messages", "prompt", "completion", "instructions", "explanation", "tool", "content"} {
		if strings.Contains(key, said) {
			return false
		}
	}
	return true
}
