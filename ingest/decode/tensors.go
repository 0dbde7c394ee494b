package decode

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"
)

// cell is one value of a tensor.
type cell struct {
	kind   valueKind // isNumber, isString or isNull
	number float64
	text   []byte
}

// tensor is an input or output of a model: rows of cells, row after row.
type tensor struct {
	name, datatype []byte
	// named says that the name is of the tensor's only column, and given with each
	// value.
	named       bool
	rows, width int
	cells       []cell
}

// row returns the cells of one row.
func (t *tensor) row(i int) []cell { return t.cells[i*t.width : (i+1)*t.width] }

// maxTensors and maxTensorRows bound one request.
const (
	maxTensors    = 4096
	maxTensorRows = 65_536
)

// tensors is one message of the Open Inference Protocol v2 (the tensors of a
// request or a response), from JSON or Protobuf, or one of the V1 protocol. It
// reuses its memory.
type tensors struct {
	tree               *tree
	model, version, id []byte
	inputs, outputs    []tensor
	cells              []cell
	// raw are the raw contents of a Protobuf message, in the order of tensors.
	raw [][]byte
	// pending are the tensors of a Protobuf message as they stand in it.
	pending [][]byte
	shape   []int64
	// of is the datatype of the tensor that is being read, and answers says that it
	// is one of a response.
	of      datatype
	answers bool
	// score and predicted are the outputs that count, if any is named; the others
	// are left out, whatever they hold. left is how many were.
	score, predicted string
	left             int
}

// leaves reports whether an output of this name is left out, and counts it.
func (m *tensors) leaves(name []byte) bool {
	if !m.answers || m.score == "" && m.predicted == "" || text(name) == m.score || text(name) == m.predicted {
		return false
	}
	m.left++
	return true
}

func (m *tensors) reset() {
	m.model, m.version, m.id = nil, nil, nil
	m.inputs, m.outputs, m.cells = m.inputs[:0], m.outputs[:0], m.cells[:0]
	m.raw, m.pending = m.raw[:0], m.pending[:0]
	m.left = 0
}

// json reads a message from its JSON: of a request its inputs, whose member
// outputs says which outputs it asks for, and of a response its outputs.
func (m *tensors) json(root ref, response bool) *Error {
	t := m.tree
	m.reset()
	m.answers = response
	if err := t.object(root, "send a JSON object with inputs, outputs, instances or predictions"); err != nil {
		return err
	}
	var err *Error
	if m.model, err = t.name(t.get(root, "model_name")); err != nil {
		return err
	}
	if m.version, err = t.label(t.get(root, "model_version")); err != nil {
		return err
	}
	if m.id, err = t.label(t.get(root, "id")); err != nil {
		return err
	}
	if response {
		if m.outputs, err = m.jsonTensors(m.outputs, t.get(root, "outputs")); err == nil {
			m.outputs, err = m.v1(m.outputs, t.get(root, "predictions"), "predictions")
		}
		return err
	}
	inputs := t.get(root, "inputs")
	if m.isFrames(inputs) {
		m.inputs, err = m.frames(m.inputs, inputs)
	} else {
		m.inputs, err = m.jsonTensors(m.inputs, inputs)
	}
	if err == nil {
		m.inputs, err = m.v1(m.inputs, t.get(root, "instances"), "input")
	}
	return err
}

func (m *tensors) jsonTensors(list []tensor, array ref) ([]tensor, *Error) {
	t := m.tree
	if !t.there(array) {
		return list, nil
	}
	if t.kind(array) != isArray {
		return list, t.fail(array, WrongType, "send an array of tensors")
	}
	for r := t.first(array); r != 0; r = t.next(r) {
		if len(list) == maxTensors {
			return list, t.fail(array, TooManyFeatures, "send at most 4,096 tensors")
		}
		if name := t.get(r, "name"); t.kind(name) == isString && m.leaves(t.text(name)) {
			continue
		}
		one, err := m.jsonTensor(r)
		if err != nil {
			return list, err
		}
		list = append(list, one)
	}
	return list, nil
}

func (m *tensors) jsonTensor(r ref) (one tensor, err *Error) {
	t := m.tree
	if err = t.object(r, "send a tensor as an object with name, shape, datatype and data"); err != nil {
		return one, err
	}
	if one.name, err = t.name(t.get(r, "name")); err != nil {
		return one, err
	}
	if len(one.name) == 0 {
		return one, t.missing(r, "name", "name the tensor")
	}
	if one.datatype, err = t.name(t.get(r, "datatype")); err != nil {
		return one, err
	}
	var known bool
	if m.of, known = datatypeOf(one.datatype); !known {
		return one, t.fail(t.get(r, "datatype"), BadValue, datatypeHint)
	}
	m.shape = m.shape[:0]
	shape := t.get(r, "shape")
	for d := t.first(shape); d != 0; d = t.next(d) {
		n, err := t.whole(d, "send the shape as whole numbers")
		if err != nil {
			return one, err
		}
		m.shape = append(m.shape, n)
	}
	data := t.get(r, "data")
	if t.kind(data) != isArray {
		return one, t.missing(r, "data", "send the data as an array; data in shared memory or a binary extension cannot be read")
	}
	from := len(m.cells)
	if err := m.flatten(data, &one); err != nil {
		return one, err
	}
	one.cells = m.cells[from:]
	return one, one.fit(m.shape).at(t.path(r))
}

// flatten appends the plain values below an array, in order: tensor data may be
// flat or nested.
func (m *tensors) flatten(array ref, one *tensor) *Error {
	t := m.tree
	for r := t.first(array); r != 0; r = t.next(r) {
		if t.kind(r) == isArray {
			if err := m.flatten(r, one); err != nil {
				return err
			}
			continue
		}
		c, err := m.typed(r, one)
		if err != nil {
			return err
		}
		m.cells = append(m.cells, c)
	}
	return nil
}

func (m *tensors) cell(r ref) (cell, *Error) {
	t := m.tree
	switch t.kind(r) {
	case isNumber:
		return cell{kind: isNumber, number: t.nodes[r].number}, nil
	case isString, isTrue, isFalse:
		return cell{kind: isString, text: t.text(r)}, nil
	case isNull:
		return cell{kind: isNull}, nil
	}
	return cell{}, t.mistyped(r, "a tensor holds numbers, strings, booleans and nulls")
}

// fit gives the tensor its rows: the first dimension is the batch.
func (one *tensor) fit(shape []int64) *Error {
	one.rows, one.width = 1, 1
	for i, n := range shape {
		if n < 0 || n > math.MaxInt32 {
			return bad(BadValue, "a dimension of the shape is negative or too large")
		}
		switch {
		case i == 0:
			one.rows = int(n)
		case n > 0 && one.width > math.MaxInt32/int(n):
			return bad(BadValue, "the shape is too large")
		default:
			one.width *= int(n)
		}
	}
	if one.rows > maxTensorRows {
		return bad(TooLarge, "send at most 65,536 rows a request")
	}
	if one.rows*one.width != len(one.cells) {
		return bad(BadValue, "the shape asks for "+strconv.Itoa(one.rows*one.width)+" values and there are "+strconv.Itoa(len(one.cells)))
	}
	return nil
}

// v1 reads instances or predictions of the V1 protocol: an array with one
// element a row, each a plain value, an array, or an object of named values.
func (m *tensors) v1(list []tensor, array ref, name string) ([]tensor, *Error) {
	t := m.tree
	if !t.there(array) {
		return list, nil
	}
	if t.kind(array) != isArray {
		return list, t.fail(array, WrongType, "send an array, one element a row")
	}
	if t.size(array) > maxTensorRows {
		return list, t.fail(array, TooLarge, "send at most 65,536 rows a request")
	}
	first := t.first(array)
	if t.kind(first) == isObject {
		return m.v1Objects(list, array)
	}
	if m.leaves([]byte(name)) {
		return list, nil
	}
	from := len(m.cells)
	one := tensor{name: []byte(name), rows: t.size(array)}
	m.of = datatype{} // the protocol has none
	for r := first; r != 0; r = t.next(r) {
		before := len(m.cells)
		if t.kind(r) == isArray {
			if err := m.flatten(r, &one); err != nil {
				return list, err
			}
		} else if c, err := m.cell(r); err == nil {
			m.cells = append(m.cells, c)
		} else {
			return list, err
		}
		if width := len(m.cells) - before; r == first {
			one.width = width
		} else if width != one.width {
			return list, t.fail(r, BadValue, "every row must have as many values as the first")
		}
	}
	one.cells = m.cells[from:]
	return append(list, one), nil
}

// lackingHint is what to do about rows that lack so much that it takes more memory
// than they do.
const lackingHint = "the rows have too many values, with those that they lack of the first row's; send fewer rows a record, or raise max_event_bytes"

// v1Objects reads rows that name their values: one tensor a name of the first
// row. A name that a later row lacks is null there, one that it adds is refused.
func (m *tensors) v1Objects(list []tensor, array ref) ([]tensor, *Error) {
	t := m.tree
	first, rows := t.first(array), t.size(array)
	if t.size(first) > maxTensors-len(list) {
		return list, t.fail(array, TooManyFeatures, "send at most 4,096 values a row")
	}
	// What a row lacks takes memory too, so the tree's bound of values has to hold
	// with it.
	if t.size(first)*rows > t.max {
		return list, t.fail(array, TooLarge, lackingHint)
	}
	for r := t.next(first); r != 0; r = t.next(r) {
		if err := m.named(r, first); err != nil {
			return list, err
		}
	}
	for member := t.first(first); member != 0; member = t.next(member) {
		if m.leaves(t.key(member)) {
			continue
		}
		from := len(m.cells)
		for r := first; r != 0; r = t.next(r) {
			c, err := m.namedCell(t.get(r, text(t.key(member))))
			if err != nil {
				return list, err
			}
			m.cells = append(m.cells, c)
		}
		list = append(list, tensor{name: t.key(member), named: true, rows: rows, width: 1, cells: m.cells[from:]})
	}
	return list, nil
}

// named checks that a row is an object that adds no name to those of the first.
func (m *tensors) named(r, first ref) *Error {
	t := m.tree
	const hint = "every row must be an object with the names of the first"
	if t.kind(r) != isObject {
		return t.fail(r, WrongType, hint)
	}
	like := t.first(first) // rows mostly have the same order
	for member := t.first(r); member != 0; member = t.next(member) {
		if like != 0 && bytes.Equal(t.key(member), t.key(like)) {
			like = t.next(like)
		} else if t.get(first, text(t.key(member))) == 0 {
			return t.fail(member, WrongType, hint)
		}
	}
	return nil
}

// namedCell reads a value that a row names, or lacks.
func (m *tensors) namedCell(value ref) (cell, *Error) {
	t := m.tree
	if value == 0 {
		return cell{kind: isNull}, nil
	}
	if t.kind(value) == isArray && t.size(value) > 0 {
		if m.answers {
			return cell{}, t.mistyped(value, "name the outputs that count in outputs of the source, so that the others are not read; a named value is plain")
		}
		return cell{}, t.mistyped(value, "a named value is plain")
	}
	return m.cell(value)
}

// plainHeader checks text that no scanner has checked.
func plainHeader(b []byte, field string) *Error {
	for _, c := range b {
		if c == 0 {
			return bad(BadText, "send UTF-8 without NUL").at(field)
		}
	}
	if !utf8.Valid(b) {
		return bad(BadText, "send UTF-8 without NUL").at(field)
	}
	return nil
}
