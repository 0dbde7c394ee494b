package decode

import (
	"bytes"
)

// FormatAzureML are the events of Azure Machine Learning's model data collector,
// CloudEvents in JSON: a request's rows and its answers in events of their own.
// https://learn.microsoft.com/azure/machine-learning/how-to-collect-production-data
const FormatAzureML Format = "azureml"

// azureML decodes events of the model data collector.
type azureML struct {
	platform
	deployID, halfName []byte
	// requests are the members of a request's row that are no features, both
	// those of a row that holds the answer too.
	requests, both []string
}

func openAzureML(s Source, into Columns) (Decoder, error) {
	d := &azureML{platform: newPlatform(s, into)}
	d.rowID = "correlationid"
	d.requests = []string{d.rowID}
	d.both = d.requests
	for _, at := range []pointer{d.score, d.predicted} {
		if len(at) > 0 {
			d.both = append(d.both, at[0].name)
		}
	}
	if len(d.both) == 1 {
		scores, predicted := scoreNames(), predictedNames()
		d.both = append(append(d.both, scores[:]...), predicted[:]...)
	}
	return d, nil
}

// Append decodes one event, which holds a row for each prediction.
func (d *azureML) Append(rec Record) error { return d.run(rec, d.collected) }

// half returns which half an event of the collector is; events of other
// collections are none of ours.
func (d *azureML) half(kind []byte) (half string, ok bool) {
	name, ok := bytes.CutPrefix(kind, []byte("azureml.inference."))
	if !ok {
		return "", false
	}
	switch string(name) {
	case "inputs", "model_inputs", "request":
		return HalfRequest, true
	case "outputs", "model_outputs", "response":
		return HalfResponse, true
	case "model_inputs_outputs":
		return "", true
	}
	return "", false
}

// halves returns a half as the columns take it.
func (d *azureML) halves(half string) []byte {
	d.halfName = append(d.halfName[:0], half...)
	return d.halfName
}

func (d *azureML) collected(rec Record) *Error {
	root, err := d.t.root(rec.Value)
	if err != nil {
		return err
	}
	t := d.t
	kind, err := t.plainText(t.get(root, "type"))
	if err != nil {
		return err
	}
	if kind == nil {
		return t.missing(root, "type", "send a CloudEvent of the model data collector")
	}
	half, ok := d.half(kind)
	if !ok || string(t.text(t.get(root, "datainblob"))) == "true" {
		d.into.Predictions.Skipped++
		return nil
	}
	d.reset()
	base, err := d.base(root)
	if err != nil {
		return err
	}
	base.half = d.halves(half)
	d.reserved = d.requests
	if half == "" {
		d.reserved = d.both
	}
	n, err := d.found(root, half)
	if err != nil {
		return err
	}
	id, err := t.name(t.either(root, "correlationid", "xrequestid"))
	if err != nil {
		return err
	}
	if len(id) == 0 {
		return t.missing(root, "correlationid", "send the id that the label will carry")
	}
	return d.rows(rec, base, id, n, func(i int) []byte { return d.alone(root, id, half, i, n) })
}

// found finds the rows of one half, or of both.
func (d *azureML) found(root ref, half string) (n int, err *Error) {
	t := d.t
	data := t.get(root, "data")
	if t.kind(data) == isString {
		if data, err = t.sub(data); err != nil {
			return 0, err
		}
	}
	if !t.there(data) {
		return 0, t.missing(root, "data", "send the rows")
	}
	if half != HalfResponse {
		// Its elements are rows, as those of an answer are: the halves must agree.
		if t.kind(data) == isArray {
			d.each(data)
		} else {
			err = d.sent(data)
		}
		n = d.in.n
	}
	if err == nil && half != HalfRequest {
		if half == HalfResponse {
			err = d.answered(data, -1)
		} else { // a row is its own answer
			err = d.replies(data, n)
		}
		n = d.out.n
	}
	if err == nil && n == 0 {
		err = t.missing(root, "data", "the event holds no rows")
	}
	return n, err
}

// base reads what the rows share: the time, and the endpoint and deployment
// from the path in source, such as
// /subscriptions/.../onlineEndpoints/credit/deployments/blue.
func (d *azureML) base(root ref) (e prediction, err *Error) {
	t := d.t
	if e.ts, err = t.instant(t.get(root, "time")); err != nil {
		return e, err.at(t.pathOf(root, []byte("time")))
	}
	e.hasTS = true
	source, err := t.plainText(t.get(root, "source"))
	if err != nil {
		return e, err
	}
	e.model = segment(source, "/onlineEndpoints/")
	d.deployID = append(d.deployID[:0], segment(source, "/deployments/")...)
	version, err := t.label(t.get(root, "modelversion"))
	if err != nil {
		return e, err
	}
	if len(d.deployID) > 0 && len(version) > 0 && string(version) != "default" {
		d.deployID = append(append(d.deployID, '@'), version...)
	}
	e.deploy = d.deployID
	if len(e.model) > maxName || len(e.deploy) > maxName {
		return e, t.fail(t.get(root, "source"), BadValue, "the endpoint or deployment is longer than 256 bytes")
	}
	switch {
	case len(e.model) == 0 && len(d.model) == 0, len(e.deploy) == 0 && len(d.deploy) == 0:
		return e, t.missing(root, "source", "it names no endpoint and deployment; set model and deploy_hash of the source")
	}
	return e, nil
}

// segment returns the part of a path that follows a marker.
func segment(path []byte, marker string) []byte {
	_, rest, _ := bytes.Cut(path, []byte(marker))
	name, _, _ := bytes.Cut(rest, []byte("/"))
	return name
}

// alone writes one row as an event: its correlationid carries the row's number.
func (d *azureML) alone(root ref, id []byte, half string, i, n int) []byte {
	t := d.t
	numbered, err := d.numbered(id, i, n)
	if err != nil {
		numbered = id
	}
	row := d.in.now
	if half == HalfResponse {
		row = d.out.now
	}
	w := treeWriter{t: t}
	w.object(root, "data", "correlationid")
	w.member("correlationid")
	w.text(numbered)
	w.member("data")
	switch {
	case d.in.columns != 0 || d.in.names != 0:
		d.sentRow(&w)
	case half == HalfResponse && d.at != nil:
		d.answerRow(&w)
	default:
		w.byte('[')
		w.value(row)
		w.byte(']')
	}
	w.byte('}')
	return w.out
}
