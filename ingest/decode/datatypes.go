package decode

import (
	"fmt"
	"math"
	"strconv"
)

// datatype is what the values of a tensor are: one of the Open Inference
// Protocol's, or BF16, which Triton adds. The zero datatype is of a tensor that
// does not say it, and takes any plain values.
type datatype struct {
	name   []byte
	family family
	signed bool
	bits   int // of whole numbers
}

type family uint8

const (
	anyValue family = iota
	boolean
	wholeNumber
	floating
	plainBytes
)

const datatypeHint = "the datatype is none of the Open Inference Protocol's: send BOOL, UINT8 to UINT64, INT8 to INT64, FP16 to FP64, BF16 or BYTES"

// datatypeOf finds a datatype by its name, which counts in capitals only.
func datatypeOf(name []byte) (d datatype, ok bool) {
	switch string(name) {
	case "BOOL":
		return datatype{name: name, family: boolean}, true
	case "FP16", "BF16", "FP32", "FP64":
		return datatype{name: name, family: floating}, true
	case "BYTES":
		return datatype{name: name, family: plainBytes}, true
	case "INT8", "INT16", "INT32", "INT64":
		d.signed = true
	case "UINT8", "UINT16", "UINT32", "UINT64":
	default:
		return d, name == nil
	}
	d.name, d.family, d.bits = name, wholeNumber, 8
	switch d.name[len(d.name)-1] {
	case '6':
		d.bits = 16
	case '2':
		d.bits = 32
	case '4':
		d.bits = 64
	}
	return d, true
}

// bounds are the least and the most of whole numbers.
func (d datatype) bounds() (low, high string) {
	if d.signed {
		return strconv.FormatInt(-1<<(d.bits-1), 10), strconv.FormatInt(1<<(d.bits-1)-1, 10)
	}
	return "0", strconv.FormatUint(math.MaxUint64>>(64-d.bits), 10)
}

// holds reports whether a whole number is of the datatype. Where a float64 may
// have rounded it, what is written decides, if it was written.
func (d datatype) holds(v float64, written []byte) bool {
	if rounded(v) && written != nil {
		var err error
		if d.signed {
			_, err = strconv.ParseInt(text(written), 10, d.bits)
		} else {
			_, err = strconv.ParseUint(text(written), 10, d.bits)
		}
		return err == nil
	}
	low, high := 0.0, math.Ldexp(1, d.bits)-1
	if d.signed {
		low, high = -math.Ldexp(1, d.bits-1), math.Ldexp(1, d.bits-1)-1
	}
	return v == math.Trunc(v) && v >= low && v <= high
}

// mismatch refuses a value of a tensor that is not of its datatype.
func (d datatype) mismatch(tensor []byte, value string) *Error {
	want := "a text"
	switch d.family {
	case boolean:
		want = "true or false"
	case floating:
		want = "a number"
	case wholeNumber:
		low, high := d.bounds()
		want = "a whole number from " + low + " to " + high
	}
	return bad(WrongType, fmt.Sprintf("%s is no %s, which the tensor %.64q says it holds; send %s, or the datatype that the value has", value, d.name, tensor, want))
}

// typed reads a value of a tensor in JSON and checks it against its datatype. The
// protocol lets a server take 0 and 1 for booleans. It knows no null: servers in
// Python write a NaN so, which is a number; for what a client leaves out, and for
// a text that a model does not answer, it stands as it does elsewhere.
func (m *tensors) typed(r ref, one *tensor) (cell, *Error) {
	c, err := m.cell(r)
	if err != nil || m.of.family == anyValue {
		return c, err
	}
	good := false
	switch kind := m.tree.kind(r); {
	case kind == isNull && m.answers && m.of.family == floating:
		return cell{kind: isNumber, number: math.NaN()}, nil
	case kind == isNull:
		good = !m.answers || m.of.family == plainBytes
	case m.of.family == boolean && kind == isNumber:
		if good = c.number == 0 || c.number == 1; good {
			c = boolCell(c.number == 1)
		}
	case m.of.family == boolean:
		good = kind != isString
	case m.of.family == plainBytes:
		good = kind == isString
	case kind == isNumber:
		good = m.of.family == floating || m.of.holds(c.number, m.tree.text(r))
	}
	if !good {
		return c, m.of.mismatch(one.name, m.shown(r)).at(m.tree.path(r))
	}
	return c, nil
}

// maxShown bounds a value that an error shows, in bytes.
const maxShown = 40

// shown is a value as an error shows it. What a text says is not shown unless it
// is a number: errors go where values do not.
func (m *tensors) shown(r ref) string {
	written := m.tree.text(r)
	if m.tree.kind(r) == isString {
		if _, number, err := decimalNumber(written); !number && err == nil || len(written) > maxShown {
			return "a text"
		}
		return strconv.Quote(string(written))
	}
	return string(written[:min(len(written), maxShown)])
}

// check checks what a Protobuf message holds for a tensor, where a field for each
// kind of values may say other than the datatype.
func (one *tensor) check(of datatype) *Error {
	for i, c := range one.cells {
		good := c.kind == isString
		switch of.family {
		case anyValue:
			return nil
		case boolean:
			good = good && (string(c.text) == "true" || string(c.text) == "false")
		case floating:
			good = !good
		case wholeNumber:
			good = !good && of.holds(c.number, nil)
		}
		if !good {
			value := "a text"
			if c.kind == isNumber {
				value = strconv.FormatFloat(c.number, 'g', -1, 64)
			}
			return of.mismatch(one.name, fmt.Sprintf("%s at %d", value, i))
		}
	}
	return nil
}
