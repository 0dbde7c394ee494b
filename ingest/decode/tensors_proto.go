package decode

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of ModelInferRequest and ModelInferResponse, of the tensors in
// them and of their contents (Open Inference Protocol v2, gRPC binding,
// open_inference_grpc.proto). Seldon Core 2 writes these messages to its topics.
const (
	inferModel   protowire.Number = 1
	inferVersion protowire.Number = 2
	inferID      protowire.Number = 3
	inferTensors protowire.Number = 5
	requestRaw   protowire.Number = 7
	responseRaw  protowire.Number = 6

	tensorName     protowire.Number = 1
	tensorDatatype protowire.Number = 2
	tensorShape    protowire.Number = 3
	tensorContents protowire.Number = 5

	contentsBool   protowire.Number = 1
	contentsInt    protowire.Number = 2
	contentsInt64  protowire.Number = 3
	contentsUint   protowire.Number = 4
	contentsUint64 protowire.Number = 5
	contentsFP32   protowire.Number = 6
	contentsFP64   protowire.Number = 7
	contentsBytes  protowire.Number = 8
)

const protoHint = "send a ModelInferRequest or ModelInferResponse of the Open Inference Protocol"

// wireField is one field of a Protobuf message.
type wireField struct {
	number protowire.Number
	kind   protowire.Type
	varint uint64 // of varints and fixed-width values
	bytes  []byte
}

// nextField reads the first field of a message.
func nextField(b []byte) (f wireField, rest []byte, err *Error) {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return f, nil, bad(Unparsable, protoHint)
	}
	f.number, f.kind = number, kind
	b = b[n:]
	switch kind {
	case protowire.VarintType:
		f.varint, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(b)
		f.varint = uint64(v)
	case protowire.Fixed64Type:
		f.varint, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(number, kind, b)
	}
	if n < 0 {
		return f, nil, bad(Unparsable, protoHint)
	}
	return f, b[n:], nil
}

// proto reads a message from its Protobuf. Requests and responses differ in the
// number of the raw contents only.
func (m *tensors) proto(b []byte, response bool) (err *Error) {
	m.reset()
	m.answers = response
	raw := requestRaw
	if response {
		raw = responseRaw
	}
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		if f.kind != protowire.BytesType {
			continue
		}
		switch f.number {
		case inferModel:
			m.model, err = f.name("model_name")
		case inferVersion:
			m.version, err = f.name("model_version")
		case inferID:
			m.id, err = f.name("id")
		case inferTensors:
			if len(m.pending) == maxTensors {
				return bad(TooManyFeatures, "send at most 4,096 tensors")
			}
			// What the tensor holds is read when the raw contents are known.
			m.pending = append(m.pending, f.bytes)
		case raw:
			m.raw = append(m.raw, f.bytes)
		}
		if err != nil {
			return err
		}
	}
	if response {
		m.outputs, err = m.protoTensors(m.outputs)
	} else {
		m.inputs, err = m.protoTensors(m.inputs)
	}
	return err
}

// protoTensors reads the tensors that are pending.
func (m *tensors) protoTensors(list []tensor) ([]tensor, *Error) {
	for i, b := range m.pending {
		var one tensor
		if err := m.protoTensor(&one, b, i); err != nil {
			return list, err
		}
		if !m.leaves(one.name) {
			list = append(list, one)
		}
	}
	return list, nil
}

func (f wireField) name(field string) ([]byte, *Error) {
	if len(f.bytes) > maxName {
		return nil, bad(BadValue, "the text is longer than 256 bytes").at(field)
	}
	return f.bytes, plainHeader(f.bytes, field)
}

func (m *tensors) protoTensor(one *tensor, b []byte, position int) *Error {
	m.shape = m.shape[:0]
	from := len(m.cells)
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		switch {
		case f.number == tensorName && f.kind == protowire.BytesType:
			one.name, err = f.name("name")
		case f.number == tensorDatatype && f.kind == protowire.BytesType:
			one.datatype, err = f.name("datatype")
		case f.number == tensorShape && f.kind == protowire.VarintType:
			m.shape = append(m.shape, int64(f.varint))
		case f.number == tensorShape && f.kind == protowire.BytesType:
			for packed := f.bytes; len(packed) > 0; {
				v, n := protowire.ConsumeVarint(packed)
				if n < 0 {
					return bad(Unparsable, protoHint)
				}
				m.shape, packed = append(m.shape, int64(v)), packed[n:]
			}
		case f.number == tensorContents && f.kind == protowire.BytesType:
			err = m.contents(f.bytes)
		}
		if err != nil {
			return err
		}
	}
	if len(one.name) == 0 {
		return &Error{MissingField, "name", "name the tensor"}
	}
	of, known := datatypeOf(one.datatype)
	if !known {
		return bad(BadValue, datatypeHint).at(string(one.name))
	}
	if position < len(m.raw) && len(m.cells) == from {
		if err := m.rawCells(string(one.datatype), m.raw[position]); err != nil {
			return err.at(string(one.name))
		}
	}
	one.cells = m.cells[from:]
	err := one.check(of)
	if err == nil {
		err = one.fit(m.shape)
	}
	return err.at(string(one.name))
}

// contents reads the typed contents of a tensor.
func (m *tensors) contents(b []byte) *Error {
	for len(b) > 0 {
		f, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		switch {
		case f.number == contentsBytes && f.kind == protowire.BytesType:
			if err := m.textCell(f.bytes); err != nil {
				return err
			}
		case f.kind == protowire.BytesType && f.number >= contentsBool && f.number <= contentsFP64:
			err = m.packed(f.number, f.bytes)
		case f.number >= contentsBool && f.number <= contentsFP64:
			m.cells = append(m.cells, wireCell(f.number, f.varint))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *tensors) packed(number protowire.Number, b []byte) *Error {
	for len(b) > 0 {
		var v uint64
		var n int
		switch number {
		case contentsFP32:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(b)
			v = uint64(bits)
		case contentsFP64:
			v, n = protowire.ConsumeFixed64(b)
		default:
			v, n = protowire.ConsumeVarint(b)
		}
		if n < 0 {
			return bad(Unparsable, protoHint)
		}
		m.cells, b = append(m.cells, wireCell(number, v)), b[n:]
	}
	return nil
}

func wireCell(number protowire.Number, v uint64) cell {
	switch number {
	case contentsBool:
		return boolCell(v != 0)
	case contentsFP32:
		return cell{kind: isNumber, number: float64(math.Float32frombits(uint32(v)))}
	case contentsFP64:
		return cell{kind: isNumber, number: math.Float64frombits(v)}
	case contentsUint, contentsUint64:
		return cell{kind: isNumber, number: float64(v)}
	}
	return cell{kind: isNumber, number: float64(int64(v))}
}

func boolCell(v bool) cell {
	if v {
		return cell{kind: isString, text: wordTrue}
	}
	return cell{kind: isString, text: wordFalse}
}

func (m *tensors) textCell(b []byte) *Error {
	if err := plainHeader(b, ""); err != nil {
		return err
	}
	m.cells = append(m.cells, cell{kind: isString, text: b})
	return nil
}

// rawCells reads raw contents: values of the datatype, little endian, and for
// BYTES each with its length in four bytes before it.
func (m *tensors) rawCells(datatype string, b []byte) *Error {
	if datatype == "BYTES" {
		for len(b) > 0 {
			if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
				return bad(Unparsable, "raw contents of BYTES are lengths of four bytes and the bytes")
			}
			n := int(binary.LittleEndian.Uint32(b))
			if err := m.textCell(b[4 : 4+n]); err != nil {
				return err
			}
			b = b[4+n:]
		}
		return nil
	}
	size, read := rawType(datatype)
	if read == nil {
		return bad(BadValue, datatypeHint)
	}
	if len(b)%size != 0 {
		return bad(BadValue, "the raw contents do not hold a whole number of values")
	}
	for ; len(b) > 0; b = b[size:] {
		m.cells = append(m.cells, read(b))
	}
	return nil
}

// rawType returns the size in bytes of a value of a datatype, and what reads it.
func rawType(datatype string) (size int, read func([]byte) cell) {
	number := func(v float64) cell { return cell{kind: isNumber, number: v} }
	le := binary.LittleEndian
	switch datatype {
	case "BOOL":
		return 1, func(b []byte) cell { return boolCell(b[0] != 0) }
	case "INT8":
		return 1, func(b []byte) cell { return number(float64(int8(b[0]))) }
	case "UINT8":
		return 1, func(b []byte) cell { return number(float64(b[0])) }
	case "INT16":
		return 2, func(b []byte) cell { return number(float64(int16(le.Uint16(b)))) }
	case "UINT16":
		return 2, func(b []byte) cell { return number(float64(le.Uint16(b))) }
	case "INT32":
		return 4, func(b []byte) cell { return number(float64(int32(le.Uint32(b)))) }
	case "UINT32":
		return 4, func(b []byte) cell { return number(float64(le.Uint32(b))) }
	case "INT64":
		return 8, func(b []byte) cell { return number(float64(int64(le.Uint64(b)))) }
	case "UINT64":
		return 8, func(b []byte) cell { return number(float64(le.Uint64(b))) }
	case "FP16":
		return 2, func(b []byte) cell { return number(half(le.Uint16(b))) }
	case "BF16": // the upper half of an FP32
		return 2, func(b []byte) cell { return number(float64(math.Float32frombits(uint32(le.Uint16(b)) << 16))) }
	case "FP32":
		return 4, func(b []byte) cell { return number(float64(math.Float32frombits(le.Uint32(b)))) }
	case "FP64":
		return 8, func(b []byte) cell { return number(math.Float64frombits(le.Uint64(b))) }
	}
	return 0, nil
}
