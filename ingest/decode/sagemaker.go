package decode

import (
	"bytes"
	"encoding/base64"
	"errors"
)

// SageMaker's shapes, as its data capture and Model Monitor write them:
// https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html
// and model-monitor-model-quality-merge.html.
const (
	// FormatSageMaker are the records of SageMaker's data capture.
	FormatSageMaker Format = "sagemaker"
	// FormatSageMakerTruth are the ground truth records of its Model Monitor.
	FormatSageMakerTruth Format = "sagemaker-groundtruth"
)

func checkSageMaker(s Source) error {
	errs := []error{checkTabular(s)}
	if s.Model == "" {
		errs = append(errs, errors.New("model: a record of SageMaker does not name its endpoint; say which model the topic holds"))
	}
	if s.Format == FormatSageMaker && s.Deploy == "" {
		errs = append(errs, errors.New("deploy_hash: a record of SageMaker does not name its variant; say which deploy the topic holds"))
	}
	return errors.Join(errs...)
}

// sageMaker decodes records of SageMaker's data capture.
type sageMaker struct {
	platform
	raw []byte // decoded base64
	// lined says that the payload that was read last is JSON lines, commas that it
	// is CSV. answers says that the next one is of answers.
	lined, commas, answers bool
}

// Append decodes one record, which holds a row for each line or instance.
func (d *sageMaker) Append(rec Record) error { return d.run(rec, d.capture) }

func (d *sageMaker) capture(rec Record) *Error {
	root, err := d.root(rec)
	if err != nil {
		return err
	}
	t := d.t
	captured := t.get(root, "captureData")
	if err := t.object(captured, ""); err != nil {
		return t.missing(root, "captureData", "send a record of SageMaker's data capture")
	}
	input, output := t.get(captured, "endpointInput"), t.get(captured, "endpointOutput")
	if !t.there(input) && !t.there(output) {
		return t.missing(captured, "endpointInput", "send what the endpoint was sent or answered")
	}
	rows := -1
	d.reset()
	d.answers = false
	if t.there(input) {
		body, err := d.payload(input)
		switch {
		case err == nil && d.lined:
			d.each(body)
		case err == nil:
			err = d.sent(body)
		}
		if err != nil {
			return err
		}
		rows = d.in.n
	}
	if t.there(output) {
		d.answers = true
		body, err := d.payload(output)
		if err == nil {
			err = d.answered(body, rows)
		}
		if err != nil {
			return err
		}
		rows = d.out.n
	}
	if rows == 0 {
		return t.fail(captured, MissingField, "the record holds no rows")
	}
	return d.captured(rec, root, rows)
}

// root reads a record's document, of the one version that AWS shows records of.
// Another may have other fields, or the same in another meaning.
func (d *sageMaker) root(rec Record) (ref, *Error) {
	d.raw = d.raw[:0]
	root, err := d.t.root(rec.Value)
	if err != nil {
		return 0, err
	}
	at := d.t.get(root, "eventVersion")
	version, err := d.t.label(at)
	if err == nil && version != nil && string(version) != "0" {
		err = d.t.fail(at, BadValue, "records of SageMaker are read in version 0, the only one that AWS documents; send them in it")
	}
	return root, err
}

// payload reads what an endpoint was sent or answered, by its encoding.
func (d *sageMaker) payload(at ref) (ref, *Error) {
	t := d.t
	d.lined, d.commas, d.lists = false, false, false
	data := t.get(at, "data")
	document, err := t.plainText(data)
	if err != nil {
		return 0, err
	}
	if document == nil {
		return 0, t.missing(at, "data", "send the data as text")
	}
	kind := t.get(at, "observedContentType")
	content, err := t.plainText(kind)
	if err != nil {
		return 0, err
	}
	switch encoding := t.get(at, "encoding"); text(t.text(encoding)) {
	case "CSV":
		return d.csv(data, document)
	case "JSON":
		return d.json(data, document, content)
	case "BASE64":
		from := len(d.raw)
		var failed error
		if d.raw, failed = base64.StdEncoding.AppendDecode(d.raw, document); failed != nil {
			return 0, t.fail(data, Unparsable, "the data is not base64, as its encoding says")
		}
		document = d.raw[from:]
	default:
		return 0, t.fail(encoding, BadValue, "encoding is none of CSV, JSON and BASE64").at(t.pathOf(at, []byte("encoding")))
	}
	// What base64 holds, the content type says.
	switch media, _, _ := bytes.Cut(content, []byte(";")); {
	case bytes.EqualFold(bytes.TrimSpace(media), []byte("text/csv")):
		return d.csv(data, document)
	case bytes.Contains(media, []byte("json")):
		return d.json(data, document, content)
	}
	return 0, t.fail(kind, BadValue, "base64 is read if the content type is text/csv or one of JSON").at(t.pathOf(at, []byte("observedContentType")))
}

func (d *sageMaker) csv(at ref, document []byte) (ref, *Error) {
	d.commas = true
	if d.answers {
		if lists, err := d.t.csvLists(at, document); err != nil || lists != 0 {
			d.lists = true
			return lists, err
		}
	}
	return d.t.csv(at, document)
}

// json reads one document, or JSON lines.
func (d *sageMaker) json(at ref, document, content []byte) (ref, *Error) {
	if d.lined = bytes.Contains(content, []byte("jsonl")); d.lined {
		return d.t.lines(at, document)
	}
	return d.t.within(at, document)
}

// captured appends the rows that have been found.
func (d *sageMaker) captured(rec Record, root ref, n int) *Error {
	t := d.t
	meta := t.get(root, "eventMetadata")
	at := t.either(meta, "inferenceId", "eventId")
	id, err := t.name(at)
	if err != nil {
		return err
	}
	if len(id) == 0 {
		return t.missing(meta, "eventId", "send the id that the ground truth will carry")
	}
	ts, err := t.instant(t.get(meta, "inferenceTime"))
	if err != nil {
		return err.at(t.pathOf(meta, []byte("inferenceTime")))
	}
	base := prediction{ts: ts, hasTS: true}
	return d.rows(rec, base, id, n, func(i int) []byte { return d.alone(root, meta, id, i, n) })
}

// alone writes one row as a record: its identifier is an inferenceId, which is
// taken as it is.
func (d *sageMaker) alone(root, meta ref, id []byte, i, n int) []byte {
	t := d.t
	numbered, err := d.numbered(id, i, n)
	if err != nil {
		numbered = id
	}
	w := treeWriter{t: t}
	w.replace(meta, func(w *treeWriter) {
		w.object(meta, "inferenceId")
		w.member("inferenceId")
		w.text(numbered)
		w.byte('}')
	})
	captured := t.get(root, "captureData")
	if input := t.get(captured, "endpointInput"); input != 0 {
		w.replace(input, func(w *treeWriter) { d.half(w, input, d.sentRow) })
	}
	if output := t.get(captured, "endpointOutput"); output != 0 {
		w.replace(output, func(w *treeWriter) { d.half(w, output, d.answerRow) })
	}
	w.value(root)
	return w.out
}

// half writes the input or output with one row of it, as JSON in a text.
func (d *sageMaker) half(w *treeWriter, at ref, row func(*treeWriter)) {
	var inner treeWriter
	inner.t = d.t
	row(&inner)
	w.object(at, "data", "encoding", "observedContentType")
	w.member("observedContentType")
	w.text([]byte("application/json"))
	w.member("encoding")
	w.text([]byte("JSON"))
	w.member("data")
	w.text(inner.out)
	w.byte('}')
}

// sageMakerTruth decodes the ground truth of SageMaker's Model Monitor.
type sageMakerTruth struct {
	sageMaker
}

// Append decodes one record. Its time is the record's, as it has none.
func (d *sageMakerTruth) Append(rec Record) error { return d.run(rec, d.truth) }

func (d *sageMakerTruth) truth(rec Record) *Error {
	root, err := d.root(rec)
	if err != nil {
		return err
	}
	t := d.t
	data := t.get(root, "groundTruthData")
	if t.kind(data) != isObject {
		return t.missing(root, "groundTruthData", "send a ground truth record of SageMaker")
	}
	meta := t.get(root, "eventMetadata")
	at := t.either(meta, "eventId", "inferenceId")
	id, err := t.name(at)
	if err != nil {
		return err
	}
	if len(id) == 0 {
		return t.missing(meta, "eventId", "send the inferenceId or eventId of the captured record")
	}
	body, err := d.payload(data)
	if err != nil {
		return err
	}
	n := 1
	one := body
	if t.kind(body) == isArray {
		n, one = t.size(body), t.first(body)
	}
	if n == 0 {
		return t.fail(data, MissingField, "the record holds no labels")
	}
	for i := range n {
		if refused := d.label(rec, id, one, i, n); refused != nil {
			d.refuse(rec, i, refused, func(i int) []byte { return d.aloneTruth(root, id, one, i, n) })
		} else {
			d.taken++
		}
		one = t.next(one)
	}
	return nil
}

// blank reports whether a label is a line of CSV that says nothing, as one that
// nobody has labelled yet may be. Only a null of JSON says that there is none.
func (d *sageMakerTruth) blank(at ref) bool {
	return d.commas && d.t.size(at) == 1 && d.t.kind(d.t.first(at)) == isNull
}

// label appends one label; a line of CSV is an array of one field.
func (d *sageMakerTruth) label(rec Record, id []byte, at ref, i, n int) (err *Error) {
	t := d.t
	e := label{model: d.model, ts: rec.Known, hasTS: true}
	if d.blank(at) {
		return t.fail(at, BadValue, "a blank line of CSV is no label: send the label; to withdraw one, send null with encoding JSON")
	}
	for t.kind(at) == isArray && t.size(at) == 1 {
		at = t.first(at)
	}
	if e.class, e.value, e.hasValue, err = t.classOf(at, d.options.Classes); err != nil {
		return err
	}
	e.hasLabel = true
	if e.id, err = d.numbered(id, i, n); err != nil {
		return err
	}
	return d.into.Labels.end(&e, rec)
}

func (d *sageMakerTruth) aloneTruth(root ref, id []byte, at ref, i, n int) []byte {
	t := d.t
	numbered, err := d.numbered(id, i, n)
	if err != nil {
		numbered = id
	}
	w := treeWriter{t: t}
	w.replace(t.get(root, "eventMetadata"), func(w *treeWriter) {
		w.byte('{')
		w.member("eventId")
		w.text(numbered)
		w.byte('}')
	})
	data := t.get(root, "groundTruthData")
	w.replace(data, func(w *treeWriter) {
		d.half(w, data, func(w *treeWriter) {
			w.byte('[')
			if d.blank(at) { // as null it would withdraw the label
				w.text(nil)
			} else {
				w.value(at)
			}
			w.byte(']')
		})
	})
	w.value(root)
	return w.out
}

func openSageMaker(s Source, into Columns) (Decoder, error) {
	d := sageMaker{platform: newPlatform(s, into)}
	if s.Format == FormatSageMakerTruth {
		return &sageMakerTruth{d}, nil
	}
	return &d, nil
}
