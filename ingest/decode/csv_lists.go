package decode

import (
	"bytes"
	"strconv"
)

const csvListHint = "a list in brackets in CSV holds numbers with commas between them, and a comma or the end of the line follows it, such as [0.3, 0.7],[0.6, 0.4]"

// csvLists reads what SageMaker's XGBoost answers as CSV where an answer is
// several probabilities, [0.3, 0.7],[0.6, 0.4]: an array of the lists, over all
// lines. It returns 0 for CSV that does not begin so.
func (t *tree) csvLists(at ref, document []byte) (ref, *Error) {
	document = bytes.TrimSpace(document)
	if inner := bytes.TrimLeft(document, "[ "); len(document) == 0 || document[0] != '[' || !startsWithNumber(inner) {
		return 0, nil
	}
	lists := t.graft(at, node{kind: isArray, text: document})
	for len(document) > 0 {
		list := t.graft(lists, node{kind: isArray})
		rest, err := t.csvList(list, document)
		if err != nil {
			return 0, err.at(t.path(list) + "[" + strconv.Itoa(t.size(list)) + "]")
		}
		document = rest
	}
	return lists, nil
}

// startsWithNumber reports whether the first value of a list is a number.
func startsWithNumber(b []byte) bool {
	if i := bytes.IndexAny(b, ",] "); i >= 0 {
		b = b[:i]
	}
	n, err := csvPlain(b)
	return err != nil || n.kind == isNumber
}

// csvList reads a list in brackets, and what separates it from the next.
func (t *tree) csvList(list ref, b []byte) (rest []byte, err *Error) {
	end := bytes.IndexByte(b, ']')
	if b[0] != '[' || end < 0 {
		return nil, bad(Unparsable, csvListHint)
	}
	for more, inner := true, b[1:end]; more; {
		var field []byte
		field, inner, more = bytes.Cut(inner, []byte(","))
		n, err := csvPlain(field)
		switch {
		case err != nil:
			return nil, err
		case n.kind != isNumber:
			return nil, bad(Unparsable, csvListHint)
		case len(t.nodes) > t.max:
			return nil, bad(TooLarge, "the event holds too many values; send fewer rows a record, or raise max_event_bytes")
		}
		t.graft(list, n)
	}
	rest = bytes.TrimLeft(b[end+1:], " \t\r")
	if len(rest) == 0 {
		return nil, nil
	}
	// A blank line would be an answer that is none, so it may not stand here.
	next := bytes.TrimLeft(rest[1:], " \t")
	if rest[0] != ',' && rest[0] != '\n' || len(next) == 0 {
		return nil, bad(Unparsable, csvListHint)
	}
	return next, nil
}
