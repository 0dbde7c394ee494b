package decode

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The shapes of serving platforms that log requests and responses as they went
// over the wire.
const (
	// FormatKServe is the log of KServe's inference logger, and of Seldon Core
	// 1's: CloudEvents whose payload is a message of the Open Inference Protocol
	// v2, or of the V1 protocol.
	FormatKServe Format = "kserve"
	// FormatSeldon is what Seldon Core 2 writes to its topics of inputs and
	// outputs: messages of the Open Inference Protocol v2 as Protobuf or JSON.
	FormatSeldon Format = "seldon"
)

// Outputs says which of a model's outputs mean what. Without it, the output
// decides by its type: a text or boolean is the predicted class, a single
// integer the predicted number, a single float the score, and of several floats
// (probabilities by class) the last is the score. Where several outputs could
// mean the same, or one holds several integers, the response is refused.
type Outputs struct {
	// Score and Predicted name outputs.
	Score     string `yaml:"score"`
	Predicted string `yaml:"predicted"`
	// ScoreColumn is the place of the score, from 0, in an output of several
	// columns; -1, the default, is the last.
	ScoreColumn *int `yaml:"score_column"`
}

// Logged says which halves of an exchange a platform logs.
type Logged string

// What can be logged. Where one half is logged alone, it counts as a delivery.
const (
	LoggedBoth      Logged = "both"
	LoggedRequests  Logged = "requests"
	LoggedResponses Logged = "responses"
)

func checkInference(s Source) error {
	var errs []error
	switch s.Logged {
	case "", LoggedBoth, LoggedRequests, LoggedResponses:
	default:
		errs = append(errs, fmt.Errorf("logged: %q is none of both, requests and responses", s.Logged))
	}
	if s.Format == FormatSeldon && !strings.HasSuffix(s.Topic, ".inputs") && !strings.HasSuffix(s.Topic, ".outputs") {
		errs = append(errs, fmt.Errorf("topic: %q is none of Seldon Core 2's, which end in .inputs or .outputs", s.Topic))
	}
	if s.Deploy == "" && s.DeployHeader == "" {
		errs = append(errs, errors.New("deploy_hash: name the deploy that answers, or in deploy_header the header that holds it: both halves of an exchange must agree on it"))
	}
	return errors.Join(errs...)
}

// exchange is one half of a request and its response.
type exchange struct {
	id, model, deploy, stage []byte
	half                     string
	failed                   []byte // the status of a response that is an error
	ts                       int64
	hasTS                    bool
}

// inference decodes the halves of exchanges: one row for each row of the
// tensors, under the identifier, and where there are several rows under
// identifier/row.
type inference struct {
	*Predictions
	source               Source
	tree                 *tree
	message              tensors
	model, deploy, stage []byte
	topicModel           []byte
	features             []int32 // of the record, column by column
	name, id, class      []byte  // of the row under way
	envelope             func(*inference, Record) (exchange, bool, *Error)
}

func openInference(s Source, into Columns) (Decoder, error) {
	if into.Predictions == nil {
		return nil, errors.New("decode: " + string(s.Format) + " holds predictions")
	}
	d := &inference{
		Predictions: into.Predictions, source: s, tree: newTree(into.Predictions.limits),
		model: []byte(s.Model), deploy: []byte(s.Deploy), stage: []byte(s.Stage), envelope: (*inference).kserve,
	}
	d.message.tree = d.tree
	d.message.score, d.message.predicted = s.Outputs.Score, s.Outputs.Predicted
	if s.Format == FormatSeldon {
		d.envelope = (*inference).seldon
		// seldon.NAMESPACE.model.NAME.inputs
		if parts := strings.Split(s.Topic, "."); len(parts) >= 4 {
			d.topicModel = []byte(parts[len(parts)-2])
		}
	}
	return d, nil
}

// Append decodes one half. A record is one event, however many rows it has: it
// is taken or refused as a whole.
func (d *inference) Append(rec Record) error {
	size := len(rec.Value)
	if d.source.Format == FormatKServe {
		size = max(size, 1) // an error may have no body
	}
	if err := d.limits.startOf(size, rec.Known); err != nil {
		return err
	}
	x, ours, err := d.envelope(d, rec)
	if err == nil && !ours {
		d.Skipped++
		return nil
	}
	before := d.Len()
	switch {
	case err != nil:
	case x.failed != nil:
		err = d.failure(x, rec)
	default:
		err = d.rows(x, rec)
	}
	if err != nil {
		return err
	}
	if d.Len() == before {
		d.Skipped++ // a batch of no rows
	}
	return nil
}

// kserve reads the envelope of KServe's and Seldon Core 1's logger.
func (d *inference) kserve(rec Record) (x exchange, ours bool, err *Error) {
	t := d.tree
	e, err := t.cloudEvent(rec)
	if err != nil {
		return x, false, err
	}
	switch kind := string(e.kind); {
	case strings.HasSuffix(kind, ".inference.request"):
		x.half = HalfRequest
	case strings.HasSuffix(kind, ".inference.response"):
		x.half = HalfResponse
	default:
		return x, false, nil
	}
	x.ts, x.hasTS = e.ts, e.hasTS
	// Seldon Core 1 gives every event a new id; what both halves have is this.
	if x.id, err = e.extension(t, rec, "requestid"); err != nil {
		return x, true, err
	}
	x.id = orElse(x.id, e.id)
	if err = d.who(&x, &e, rec); err != nil {
		return x, true, err
	}
	if x.half == HalfResponse {
		if x.failed, err = e.failed(t, rec); err != nil || x.failed != nil {
			return x, true, err // the body says why, in whatever shape
		}
	}
	payload, err := e.body(t)
	if err != nil {
		return x, true, err
	}
	return x, true, d.message.json(payload, x.half == HalfResponse)
}

// who finds whose exchange it is: what the source says of it, else the event.
func (d *inference) who(x *exchange, e *cloudEvent, rec Record) (err *Error) {
	x.model, x.deploy, x.stage = d.model, d.deploy, d.stage
	if len(x.model) == 0 {
		if x.model, err = e.extension(d.tree, rec, "inferenceservicename"); err != nil {
			return err
		}
	}
	if endpoint, err := e.extension(d.tree, rec, "endpoint"); err != nil {
		return err
	} else if len(x.stage) == 0 && string(endpoint) == "canary" {
		x.stage = endpoint
	}
	if len(x.deploy) == 0 {
		x.deploy, err = d.deployOf(rec)
	}
	return err
}

// seldon reads a message of Seldon Core 2: the topic says which half it is, a
// header the identifier, and the record's timestamp when it was.
func (d *inference) seldon(rec Record) (x exchange, ours bool, err *Error) {
	x.half = HalfRequest
	if strings.HasSuffix(d.source.Topic, ".outputs") {
		x.half = HalfResponse
	}
	x.model, x.deploy, x.stage, x.ts, x.hasTS = d.model, d.deploy, d.stage, rec.Known, true
	if len(x.model) == 0 {
		x.model = d.topicModel
	}
	if err := d.seldonMessage(rec.Value, x.half == HalfResponse); err != nil {
		return x, true, err
	}
	id, _ := rec.header("x-request-id")
	if x.id = id; len(id) == 0 {
		x.id = rec.Key // Seldon writes the request's identifier there too
	}
	if len(x.id) == 0 {
		x.id = d.message.id
	}
	if err := plainHeader(x.id, "prediction_id"); err != nil {
		return x, true, err
	}
	if len(x.deploy) == 0 {
		x.deploy, err = d.deployOf(rec)
	}
	return x, true, err
}

// seldonMessage reads a message, as JSON if it begins with a brace. Behind a line
// feed that may also be the length of a Protobuf message's first field, its model
// name.
func (d *inference) seldonMessage(value []byte, response bool) *Error {
	if !bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{")) {
		return d.message.proto(value, response)
	}
	if value[0] == '\n' {
		if err := d.message.proto(value, response); err == nil || err.Reason != Unparsable {
			return err
		}
	}
	root, err := d.tree.root(value)
	if err == nil {
		err = d.message.json(root, response)
	}
	return err
}

// deployOf reads the deploy from the configured header.
func (d *inference) deployOf(rec Record) ([]byte, *Error) {
	value, _ := rec.header(d.source.DeployHeader)
	if len(value) > maxName {
		return nil, bad(BadValue, "the text is longer than 256 bytes").at(d.source.DeployHeader)
	}
	return value, plainHeader(value, d.source.DeployHeader)
}

// rows appends one row for each row of the tensors. What could refuse any of
// them is checked before the first is appended.
func (d *inference) rows(x exchange, rec Record) *Error {
	list := d.message.inputs
	if x.half == HalfResponse {
		list = d.message.outputs
	}
	if len(list) == 0 && d.message.left > 0 {
		_, err := d.means(list)
		return err // none of those that the source names is there
	}
	if len(list) == 0 {
		return bad(MissingField, "the message has no tensors; send inputs or instances in a request, outputs or predictions in a response")
	}
	n := list[0].rows
	columns := 0
	for i := range list {
		if list[i].rows != n {
			return bad(BadValue, "every tensor must have as many rows, its first dimension, as the others").at(string(list[i].name))
		}
		columns += list[i].width
	}
	if columns == 0 && n > 0 {
		return bad(BadValue, "the tensors have rows and no columns; send a value a row").at(string(list[0].name))
	}
	if x.half == HalfRequest && columns > d.limits.MaxFeatures {
		return bad(TooManyFeatures, "send fewer features, or raise max_features")
	}
	if len(x.model) == 0 {
		x.model = d.message.model
	}
	if len(d.rowID(x.id, n-1, n)) > maxName {
		return &Error{BadValue, "prediction_id", "the text is longer than 256 bytes"}
	}
	m := d.begin()
	good := false
	defer func() {
		if !good {
			d.rollback(m)
		}
	}()
	if err := d.append(x, rec, list, n); err != nil {
		return err
	}
	good = true
	return nil
}

// failure appends a response that is an error. How many rows its request had it
// does not say, so it is one row, under the identifier.
func (d *inference) failure(x exchange, rec Record) *Error {
	if len(x.id) > maxName {
		return &Error{BadValue, "prediction_id", "the text is longer than 256 bytes"}
	}
	m := d.begin()
	e := d.event(x, 0, 1)
	e.status = x.failed
	err := d.end(&e, rec)
	if err != nil {
		d.rollback(m)
	}
	return err
}

// event returns what all rows of one half have in common, under the row's
// identifier.
func (d *inference) event(x exchange, i, n int) prediction {
	half := x.half
	if d.source.Logged == LoggedRequests || d.source.Logged == LoggedResponses {
		half = ""
	}
	return prediction{id: d.rowID(x.id, i, n), model: x.model, deploy: x.deploy, stage: x.stage, half: []byte(half), ts: x.ts, hasTS: x.hasTS}
}

func (d *inference) append(x exchange, rec Record, list []tensor, n int) *Error {
	if x.half == HalfRequest {
		if err := d.columns(list); err != nil {
			return err
		}
	}
	var m meanings
	if x.half == HalfResponse && n > 0 {
		var err *Error
		if m, err = d.means(list); err != nil {
			return err
		}
	}
	for i := range n {
		e := d.event(x, i, n)
		if x.half == HalfRequest {
			d.request(list, i)
		} else if err := d.response(&e, list, m, i); err != nil {
			return err
		}
		// Only the first can be refused: the others differ in what was checked.
		if err := d.end(&e, rec); err != nil {
			return err
		}
	}
	return nil
}

// rowID names one row; the text is valid until the next.
func (d *inference) rowID(id []byte, i, n int) []byte {
	if n == 1 || len(id) == 0 {
		return id
	}
	d.id = append(append(d.id[:0], id...), '/')
	d.id = strconv.AppendInt(d.id, int64(i), 10)
	return d.id
}

// columns interns the name of every column of the tensors.
func (d *inference) columns(list []tensor) *Error {
	d.features = d.features[:0]
	for i := range list {
		err := d.fits(&list[i], len(list) == 1)
		for k := 0; k < list[i].width && err == nil; k++ {
			var id int32
			id, err = d.feature(d.columnName(&list[i], k, len(list) == 1))
			d.features = append(d.features, id)
		}
		if err != nil {
			return err.at(string(list[i].name))
		}
	}
	return nil
}

// fits refuses a tensor that feature_names cannot name although they are there:
// under other names no rule of the privacy policy would find its values.
func (d *inference) fits(t *tensor, only bool) *Error {
	names := len(d.source.FeatureNames)
	switch {
	case names == 0 || t.named || only && t.width == names || !only && t.width == 1:
		return nil
	case !only:
		return bad(BadValue, fmt.Sprintf("the tensor has %d columns and is not the only one, so feature_names cannot name them; send one tensor, or one a column", t.width))
	}
	return bad(BadValue, fmt.Sprintf("the tensor has %d columns, feature_names %d", t.width, names))
}

// columnName names a column: after its tensor, and among several columns by
// feature_names where there is but one tensor, or by its place.
func (d *inference) columnName(t *tensor, column int, only bool) []byte {
	switch names := d.source.FeatureNames; {
	case only && !t.named && len(names) == t.width:
		return []byte(names[column])
	case t.width == 1:
		return t.name
	}
	d.name = append(append(d.name[:0], t.name...), '_')
	d.name = strconv.AppendInt(d.name, int64(column), 10)
	return d.name
}

func (d *inference) request(list []tensor, row int) {
	at := 0
	for i := range list {
		for _, c := range list[i].row(row) {
			switch id := d.features[at]; c.kind {
			case isNumber:
				d.number(id, c.number)
			case isString:
				d.category(id, c.text)
			default:
				d.null(id)
			}
			at++
		}
	}
}
