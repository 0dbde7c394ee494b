package decode

import "bytes"

// Identifier is by what an evaluation finds its prediction.
type Identifier string

// The identifiers: the response's, or those of the trace and the span.
const (
	IdentifierResponse Identifier = "response"
	IdentifierSpan     Identifier = "span"
)

// identity returns the identifier of a prediction: by default the response's, or
// the span's where no response came.
func (d *genAI) identity(log, attributes ref) ([]byte, *Error) {
	if d.options.Identifier == IdentifierSpan {
		return d.span(log)
	}
	id, err := d.short(attributes, "gen_ai.response.id")
	if err != nil || len(id) > 0 {
		return id, err
	}
	return d.span(log)
}

// evaluated returns the identifier of the prediction that an evaluation is about.
// The conventions let it bear either identifier. The span's is no substitute for
// the response's: a prediction that got a response is stored under that alone.
func (d *genAI) evaluated(log, attributes ref) ([]byte, *Error) {
	if d.options.Identifier == IdentifierSpan {
		return d.span(log)
	}
	id, err := d.short(attributes, "gen_ai.response.id")
	if err == nil && len(id) == 0 {
		err = d.t.missing(log, "gen_ai.response.id", "send evaluations with the gen_ai.response.id of what they evaluate; or set identifier: span of the source, and of the one that holds the predictions")
	}
	return id, err
}

// span returns the identifiers of trace and span as one.
func (d *genAI) span(log ref) ([]byte, *Error) {
	t := d.t
	trace, span := t.text(t.get(log, "traceId")), t.text(t.get(log, "spanId"))
	if none(trace) || none(span) {
		if d.options.Identifier == IdentifierSpan {
			return nil, t.missing(log, "spanId", "send the traceId and spanId of the operation")
		}
		return nil, t.missing(log, "gen_ai.response.id", "send gen_ai.response.id, or the traceId and spanId of the operation")
	}
	d.id = append(append(append(d.id[:0], trace...), '-'), span...)
	if len(d.id) > maxName {
		return nil, t.fail(t.get(log, "traceId"), BadValue, "traceId and spanId have 32 and 16 digits")
	}
	for i, c := range d.id { // either case is hexadecimal in OTLP/JSON
		if c >= 'A' && c <= 'F' {
			d.id[i] = c | 0x20
		}
	}
	return d.id, nil
}

// none reports whether an identifier of a trace or a span is not there, or all
// zeros, which is OpenTelemetry's word for none.
func none(id []byte) bool { return len(bytes.Trim(id, "0")) == 0 }
