package decode

import (
	"strconv"
)

// FormatMLflow are rows of a Databricks or MLflow inference table, one JSON
// object a record, with the columns of tables that the AI Gateway writes or of
// the older ones:
// https://docs.databricks.com/aws/en/ai-gateway/inference-tables-serving-endpoints
// and https://docs.databricks.com/aws/en/machine-learning/model-serving/inference-tables.
const FormatMLflow Format = "mlflow"

// mlflow decodes rows of inference tables.
type mlflow struct {
	platform
	status []byte
}

func openMLflow(s Source, into Columns) (Decoder, error) {
	return &mlflow{platform: newPlatform(s, into)}, nil
}

// Append decodes one row of the table, which holds a prediction for each row of
// the request.
func (d *mlflow) Append(rec Record) error { return d.run(rec, d.logged) }

func (d *mlflow) logged(rec Record) *Error {
	root, err := d.t.root(rec.Value)
	if err != nil {
		return err
	}
	t := d.t
	if err := t.object(root, "send one JSON object a record"); err != nil {
		return err
	}
	d.reset()
	base, err := d.base(root)
	if err != nil {
		return err
	}
	id, err := t.name(t.either(root, "client_request_id", "databricks_request_id"))
	if err != nil {
		return err
	}
	if len(id) == 0 {
		return t.missing(root, "databricks_request_id", "send the id that the label will carry")
	}
	n, err := d.bodies(root, &base)
	if err != nil {
		return err
	}
	return d.rows(rec, base, id, n, func(i int) []byte { return d.alone(root, id, i, n) })
}

// base reads what the predictions of the request share.
func (d *mlflow) base(root ref) (e prediction, err *Error) {
	t := d.t
	at := t.either(root, "request_time", "timestamp_ms")
	if e.ts, err = t.instant(at); err != nil {
		return e, err.at(t.pathOf(root, []byte("request_time")))
	}
	e.hasTS = true
	if e.latency, e.hasLatency, err = t.measured(t.either(root, "execution_duration_ms", "execution_time_ms")); err != nil {
		return e, err
	}
	if e.status, err = d.code(t.get(root, "status_code")); err != nil {
		return e, err
	}
	fraction := t.get(root, "sampling_fraction")
	share, ok, err := t.measured(fraction)
	if err != nil {
		return e, err
	}
	if ok && !isShare(share) {
		return e, t.fail(fraction, BadValue, "send a share of the requests, at most 1")
	}
	if ok && d.options.Sampled == 0 {
		e.weight, e.hasWeight = 1/share, true
	}
	return e, d.served(root, &e)
}

// code returns the status of a prediction: nothing for 200, which is ok.
func (d *mlflow) code(at ref) ([]byte, *Error) {
	t := d.t
	if !t.there(at) {
		return nil, nil
	}
	code, err := t.whole(at, "send the HTTP status as an integer")
	if err != nil || code == 200 {
		return nil, err
	}
	d.status = strconv.AppendInt(d.status[:0], code, 10)
	return d.status, nil
}

// served reads which model and deploy answered. The source's own win.
func (d *mlflow) served(root ref, e *prediction) (err *Error) {
	t := d.t
	about := t.get(root, "request_metadata")
	if t.kind(about) == isString {
		if about, err = t.sub(about); err != nil {
			return err
		}
	}
	if e.model, err = t.name(t.either(about, "model_name", "endpoint_name")); err != nil {
		return err
	}
	if e.deploy, err = t.label(t.either(root, "served_entity_id", "served_entity")); err != nil {
		return err
	}
	if len(e.deploy) == 0 {
		if e.deploy, err = t.label(t.get(about, "model_version")); err != nil {
			return err
		}
	}
	switch {
	case len(e.model) == 0 && len(d.model) == 0:
		return t.missing(root, "request_metadata", "the table does not name its model; set model of the source")
	case len(e.deploy) == 0 && len(d.deploy) == 0:
		return t.missing(root, "served_entity_id", "send the served entity, or set deploy_hash of the source")
	}
	return nil
}

// bodies finds the rows of the request and, if it went well, the answers. A body
// that the platform left out because it was too large is one row.
func (d *mlflow) bodies(root ref, base *prediction) (n int, err *Error) {
	t, good := d.t, len(base.status) == 0
	rows := -1
	request, err := d.body(t.get(root, "request"), good)
	if err == nil && t.there(request) {
		err = d.sent(request)
		rows = d.in.n
	}
	if err != nil && !good { // perhaps that is why it failed
		err, rows = nil, -1
		base.unknown++
	}
	if err != nil {
		return 0, err
	}
	if good {
		response, err := d.body(t.get(root, "response"), true)
		if err != nil {
			return 0, err
		}
		if t.there(response) {
			if err := d.answered(response, rows); err != nil {
				return 0, err
			}
			rows = d.out.n
		}
	}
	if rows == 0 && good {
		return 0, t.missing(root, "request", "the request and its response hold no rows")
	}
	if rows <= 0 {
		d.reset()
		rows = 1
	}
	return rows, nil
}

// body reads a column that holds JSON, as text or as it is. Of a request that
// failed, perhaps because of its text, any text will do.
func (d *mlflow) body(at ref, good bool) (ref, *Error) {
	if d.t.kind(at) != isString {
		return at, nil
	}
	body, err := d.t.sub(at)
	if err != nil && !good {
		return 0, nil
	}
	return body, err
}

// alone writes one row of the request as a row of the table: its identifier is
// a client_request_id, which is taken as it is.
func (d *mlflow) alone(root ref, id []byte, i, n int) []byte {
	t := d.t
	numbered, err := d.numbered(id, i, n)
	if err != nil {
		numbered = id
	}
	w := treeWriter{t: t}
	w.object(root, "request", "response", "client_request_id")
	w.member("client_request_id")
	w.text(numbered)
	w.member("request")
	if d.in.n == 0 {
		w.value(0)
	} else {
		inner := treeWriter{t: t}
		d.sentRow(&inner)
		w.text(inner.out)
	}
	w.member("response")
	if d.out.n == 0 {
		w.value(t.get(root, "response"))
	} else {
		inner := treeWriter{t: t}
		d.answerRow(&inner)
		w.text(inner.out)
	}
	w.byte('}')
	return w.out
}
