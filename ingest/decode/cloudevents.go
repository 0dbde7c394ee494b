package decode

// event is the envelope of a CloudEvent (CloudEvents 1.0): where its parts stand
// differs between the two content modes of the Kafka protocol binding.
type cloudEvent struct {
	id, kind []byte
	ts       int64
	hasTS    bool
	// data is the payload as it stands in the record, in binary mode.
	data []byte
	// attributes is the document, in structured mode, and payload its data.
	attributes, payload ref
}

const cloudEventHint = "send a CloudEvent 1.0: headers ce_id, ce_type and ce_time, or content-type application/cloudevents+json"

// cloudEvent reads the envelope of a record into the tree. In binary mode the
// attributes are headers; else the value is the whole event.
func (t *tree) cloudEvent(rec Record) (e cloudEvent, err *Error) {
	if kind, ok := rec.header("ce_type"); ok {
		e.kind, e.data = kind, rec.Value
		e.id, _ = rec.header("ce_id")
		if err = plainHeader(e.id, "ce_id"); err != nil {
			return e, err
		}
		if at, ok := rec.header("ce_time"); ok {
			if e.ts, err = parseTime(at); err != nil {
				return e, err.at("ce_time")
			}
			e.hasTS = true
		}
		return e, nil
	}
	if e.attributes, err = t.root(rec.Value); err != nil {
		return e, err
	}
	if t.kind(e.attributes) != isObject || !t.there(t.get(e.attributes, "specversion")) {
		return e, bad(Unparsable, cloudEventHint)
	}
	if e.kind, err = t.name(t.get(e.attributes, "type")); err == nil {
		e.id, err = t.name(t.get(e.attributes, "id"))
	}
	if at := t.get(e.attributes, "time"); err == nil && t.there(at) {
		e.ts, err = t.instant(at)
		e.hasTS = err == nil
	}
	e.payload = t.get(e.attributes, "data")
	return e, err
}

// extension returns an extension attribute, nil if it is not there.
func (e *cloudEvent) extension(t *tree, rec Record, name string) ([]byte, *Error) {
	if e.attributes != 0 {
		return t.label(t.get(e.attributes, name))
	}
	value, _ := rec.header("ce_" + name)
	if len(value) > maxName {
		return nil, (&Error{Reason: BadValue, Hint: "the text is longer than 256 bytes"}).at("ce_" + name)
	}
	return value, plainHeader(value, "ce_"+name)
}

// failed returns the HTTP status of a response that is an error, nil of any other.
// KServe says it in the extension statuscode, where it logs all responses.
func (e *cloudEvent) failed(t *tree, rec Record) ([]byte, *Error) {
	const name = "statuscode"
	status, err := e.extension(t, rec, name)
	if err != nil || len(status) == 0 {
		return nil, err
	}
	for _, c := range status {
		if c-'0' > 9 || len(status) != 3 {
			return nil, bad(BadValue, "send the HTTP status of the response, such as 200 or 422").at(name)
		}
	}
	if status[0] == '2' {
		return nil, nil
	}
	return status, nil
}

// body reads the payload, which is JSON.
func (e *cloudEvent) body(t *tree) (ref, *Error) {
	if e.attributes == 0 {
		root, err := t.root(e.data)
		if err != nil && err.Hint == followsHint {
			err.Hint = "something follows the JSON: tensors in the binary extension of KServe and Triton cannot be read; have them sent as JSON (binary_data: false)"
		}
		return root, err
	}
	if at := t.get(e.attributes, "data_base64"); t.there(at) && !t.there(e.payload) {
		return 0, t.fail(at, BadValue, "data_base64 is not read; send the payload as JSON in data")
	}
	if !t.there(e.payload) {
		return 0, t.missing(e.attributes, "data", "send the payload as JSON")
	}
	return e.payload, nil
}
