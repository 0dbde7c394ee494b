package decode

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// protoDecoder decodes Protobuf events by the plan of their message.
type protoDecoder struct {
	typed
	planUser[protoPlan]
	plan *protoPlan
	key  string // of the plan
	// sent are the fields of the event that were sent; counted and parts are the
	// numbers of features and segments of its maps.
	sent           uint64
	counted, parts int
}

// protoFrame takes the Confluent header off a record: the magic byte, the schema
// id and the path of the message in its file. The header is that without its
// magic byte.
func protoFrame(b []byte) (header, body []byte, err *Error) {
	if _, body, err = frame(b); err != nil {
		return nil, nil, err
	}
	r := avroReader{b: body} // the same varints
	n, ok := r.long()
	if !ok || n < 0 || n > maxMessagePath {
		return nil, nil, bad(Unparsable, "the schema id is not followed by the path of a message; use Confluent's Protobuf serializer")
	}
	for range n {
		if v, ok := r.long(); !ok || v < 0 || v > math.MaxInt32 {
			return nil, nil, bad(Unparsable, "the path of the message is cut or not one")
		}
	}
	end := confluentHeader + r.i
	return b[1:end:end], b[end:], nil
}

// maxMessagePath bounds how deep a message may be declared in others.
const maxMessagePath = 16

// messagePath reads the path of a header; none is the first message.
func messagePath(header []byte) []int {
	r := avroReader{b: header, i: confluentHeader - 1}
	n, _ := r.long()
	if n == 0 {
		return []int{0}
	}
	var path []int
	for range n {
		v, _ := r.long()
		path = append(path, int(v))
	}
	return path
}

// Append decodes one event.
func (d *protoDecoder) Append(rec Record) error {
	if err := d.into.limits().start(rec); err != nil {
		return err
	}
	body, header := rec.Value, []byte(nil)
	if d.plans.framed() {
		var err *Error
		if header, body, err = protoFrame(rec.Value); err != nil {
			return err
		}
	}
	if d.plan == nil || d.key != string(header) {
		used, err := d.use(header)
		if err != nil {
			return err
		}
		d.plan, d.key, d.interned = used.plan, used.header, &used.interned
	}
	if p := d.into.Predictions; p != nil {
		return d.prediction(p, rec, body)
	}
	if err := d.read(rec, body); err != nil {
		return err
	}
	return nil
}

func (d *protoDecoder) prediction(p *Predictions, rec Record, body []byte) error {
	if d.plan.most > p.limits.MaxFeatures {
		return &Error{TooManyFeatures, "features", "send fewer features, or raise max_features"}
	}
	m := p.begin()
	good := false
	defer func() { // also after a panic
		if !good {
			p.rollback(m)
		}
	}()
	d.know(d.plan.features)
	if err := d.read(rec, body); err != nil {
		return err
	}
	good = true
	return nil
}

func (d *protoDecoder) read(rec Record, body []byte) *Error {
	d.begin()
	d.sent, d.counted, d.parts = 0, 0, 0
	if err := d.message(d.plan.event, body); err != nil {
		return d.plans.unframed(err, body)
	}
	if err := d.implied(d.plan.event); err != nil {
		return err
	}
	return d.end(rec)
}

// message reads the fields of the event.
func (d *protoDecoder) message(m *protoMessage, b []byte) *Error {
	last := protowire.Number(0)
	for i := 0; i < len(b); {
		var n protowire.Number
		var wire protowire.Type
		if c := b[i]; c >= 8 && c < 0x80 {
			n, wire, i = protowire.Number(c>>3), protowire.Type(c&7), i+1
		} else if n, wire, i = tag(b, i); i < 0 {
			return broken()
		}
		f := m.field(n)
		if f == nil {
			size := protowire.ConsumeFieldValue(n, wire, b[i:])
			if size < 0 {
				return broken()
			}
			if i += size; n != last { // a repeated field counts once
				d.event.unknown++
			}
			last = n
			continue
		}
		last = n
		if wire != f.code.wire() {
			return broken().at(f.place())
		}
		if d.sent&f.once != 0 {
			return bad(DuplicateKey, "send each field once").at(f.place())
		}
		d.sent |= f.once
		if f.code == protoMap && i < len(b) && b[i] < 0x80 && int(b[i]) < len(b)-i { // most fields are
			end := i + 1 + int(b[i])
			if done, err := d.usual(f, b[i+1:end]); err != nil {
				return err
			} else if done {
				i = end
				continue
			}
		}
		var err *Error
		if i, err = d.value(f, b, i); err != nil {
			return err.at(f.place())
		}
	}
	return nil
}

// value reads the value of a field at i and returns the position behind it.
func (d *protoDecoder) value(f *protoField, b []byte, i int) (int, *Error) {
	switch f.code.wire() {
	case protowire.Fixed64Type:
		if len(b)-i < 8 {
			return 0, broken()
		}
		v := binary.LittleEndian.Uint64(b[i:])
		switch f.code {
		case protoDouble:
			return i + 8, d.setNumber(&f.target, math.Float64frombits(v))
		case protoSigned64:
			return i + 8, d.integer(f, int64(v))
		}
		return i + 8, d.unsigned(f, v)
	case protowire.Fixed32Type:
		if len(b)-i < 4 {
			return 0, broken()
		}
		v := binary.LittleEndian.Uint32(b[i:])
		switch f.code {
		case protoFloat:
			return i + 4, d.setFloat(&f.target, math.Float32frombits(v))
		case protoSigned32:
			return i + 4, d.integer(f, int64(int32(v)))
		}
		return i + 4, d.unsigned(f, uint64(v))
	case protowire.VarintType:
		v, next := uvarint(b, i)
		if next < 0 {
			return 0, broken()
		}
		return next, d.varint(f, v)
	}
	from, to := stretch(b, i)
	if to < 0 {
		return 0, broken()
	}
	return to, d.bytes(f, b[from:to:to])
}

func (d *protoDecoder) varint(f *protoField, v uint64) *Error {
	switch f.code {
	case protoInt:
		if f.narrow {
			return d.integer(f, int64(int32(v))) // as Protobuf reads it
		}
		return d.integer(f, int64(v))
	case protoUint:
		if f.narrow {
			v = uint64(uint32(v))
		}
		return d.unsigned(f, v)
	case protoZigzag:
		if f.narrow {
			v = uint64(uint32(v))
		}
		return d.integer(f, protowire.DecodeZigZag(v))
	case protoBool:
		return d.setBoolean(&f.target, v != 0)
	case protoEnum:
		symbol, ok := f.symbols[int32(v)]
		if !ok {
			return bad(BadValue, "the enum has no such value in its schema; send with the schema that declares it")
		}
		return d.setText(&f.target, symbol)
	}
	d.none(&f.target)
	return nil
}

func (d *protoDecoder) integer(f *protoField, v int64) *Error {
	if f.at == slotTS {
		if v == 0 { // not sent, where a field has no presence
			return nil
		}
		d.instant(v, f.unit)
		return nil
	}
	return d.setInteger(&f.target, v)
}

func (d *protoDecoder) unsigned(f *protoField, v uint64) *Error {
	if v <= math.MaxInt64 {
		return d.integer(f, int64(v))
	}
	switch f.at {
	case slotTS:
		return bad(BadValue, timeHint)
	case slotSegment:
		return bad(BadValue, "the number is larger than 2^63-1; send it as text")
	case slotPredicted, slotLabel:
		return bad(BadValue, wholeHint)
	}
	return d.setNumber(&f.target, float64(v))
}

func (d *protoDecoder) bytes(f *protoField, b []byte) *Error {
	switch f.code {
	case protoText:
		if len(b) == 0 && f.unsent() {
			return nil
		}
		return d.setText(&f.target, b)
	case protoTimestamp:
		return d.timestamp(b)
	case protoWrapper:
		return d.wrapper(&f.inner.fields[0], b)
	case protoMembers:
		return d.members(f, b)
	case protoNames:
		id, err := d.next(b)
		if err == nil {
			d.into.Predictions.null(id)
		}
		return err
	}
	return d.entry(f, b)
}

// usual reads an entry of features as serializers write it, key first and both
// short, and reports whether it is one: entry reads the others.
func (d *protoDecoder) usual(f *protoField, b []byte) (bool, *Error) {
	if f.at != slotFeatures || len(b) < 2 || b[0] != 1<<3|byte(protowire.BytesType) {
		return false, nil
	}
	end := 2 + int(b[1])
	if b[1] >= 0x80 || end+2 > len(b) {
		return false, nil
	}
	p := d.into.Predictions
	code := f.inner.fields[0].code
	switch {
	case code == protoDouble && len(b) == end+9 && b[end] == 2<<3|byte(protowire.Fixed64Type):
		id, err := d.next(b[2:end])
		if err == nil {
			p.number(id, math.Float64frombits(binary.LittleEndian.Uint64(b[end+1:])))
			return true, nil
		}
		return true, err.at("features." + string(b[2:end]))
	case code == protoText && b[end] == 2<<3|byte(protowire.BytesType) && b[end+1] < 0x80 && len(b) == end+2+int(b[end+1]):
		id, err := d.next(b[2:end])
		if err == nil {
			err = d.category(id, b[end+2:])
		}
		if err == nil {
			return true, nil
		}
		return true, err.at("features." + string(b[2:end]))
	}
	return false, nil
}
