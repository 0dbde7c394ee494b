package decode

import (
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func broken() *Error {
	return bad(Unparsable, "the bytes are not the message that the schema declares")
}

// uvarint reads a varint at i and returns the position behind it, or -1.
func uvarint(b []byte, i int) (uint64, int) {
	if i < len(b) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	v, n := binary.Uvarint(b[i:])
	if n <= 0 {
		return 0, -1
	}
	return v, i + n
}

// stretch reads a length at i and returns where the bytes behind it begin and end,
// or a negative end.
func stretch(b []byte, i int) (from, to int) {
	n, i := uvarint(b, i)
	if i < 0 || n > uint64(len(b)-i) {
		return 0, -1
	}
	return i, i + int(n)
}

// tag reads a tag at i and returns the position behind it, or -1.
func tag(b []byte, i int) (protowire.Number, protowire.Type, int) {
	v, i := uvarint(b, i)
	if i < 0 || v>>3 > uint64(protowire.MaxValidNumber) || v>>3 == 0 {
		return 0, 0, -1
	}
	return protowire.Number(v >> 3), protowire.Type(v & 7), i
}

// timestamp reads a google.protobuf.Timestamp.
func (d *protoDecoder) timestamp(b []byte) *Error {
	var parts [3]int64 // by number
	for i := 0; i < len(b); {
		n, wire, next := tag(b, i)
		if next < 0 || n > 2 || wire != protowire.VarintType {
			return broken()
		}
		v, end := uvarint(b, next)
		if end < 0 {
			return broken()
		}
		parts[n], i = int64(v), end
	}
	if parts[2] < 0 || parts[2] >= int64(time.Second) {
		return bad(BadValue, "the nanoseconds of a timestamp lie between 0 and 999,999,999")
	}
	seconds := milli(parts[1], time.Second)
	d.instant(seconds+parts[2]/int64(time.Millisecond), time.Millisecond)
	return nil
}

// wrapper reads a message with one field, 1, which is its default if it is not
// sent.
func (d *protoDecoder) wrapper(f *protoField, b []byte) *Error {
	if len(b) == 0 {
		return d.zero(f)
	}
	n, wire, i := tag(b, 0)
	if i < 0 || n != 1 || wire != f.code.wire() {
		return broken()
	}
	end, err := d.value(f, b, i)
	if err == nil && end != len(b) {
		err = broken()
	}
	return err
}

// next starts the next feature of the event's maps.
func (d *protoDecoder) next(name []byte) (int32, *Error) {
	n := d.counted
	d.counted++
	return d.position(n, name)
}

// entry reads one entry of a map. Serializers write the key first.
func (d *protoDecoder) entry(f *protoField, b []byte) *Error {
	var name []byte
	value := &f.inner.fields[0]
	at := -1 // where the value stands
	for i := 0; i < len(b); {
		n, wire, next := tag(b, i)
		switch {
		case next < 0:
			return broken()
		case n == 1 && wire == protowire.BytesType && name == nil:
			from, to := stretch(b, next)
			if to < 0 {
				return broken()
			}
			name, i = b[from:to], to
		case n == 2 && wire == value.code.wire() && at < 0:
			at = next
			size := protowire.ConsumeFieldValue(n, wire, b[next:])
			if size < 0 {
				return broken()
			}
			i = next + size
		default:
			return broken()
		}
	}
	err := d.begins(f, name)
	switch {
	case err != nil:
	case at < 0:
		err = d.zero(value)
	default:
		_, err = d.value(value, b, at)
	}
	if err != nil {
		return err.at(entryOf(f) + string(name))
	}
	return nil
}

// entryOf begins the name of an entry in errors.
func entryOf(f *protoField) string {
	if f.at == slotSegments {
		return "segments."
	}
	return "features."
}

// begins starts the feature or segment that an entry names.
func (d *protoDecoder) begins(f *protoField, name []byte) (err *Error) {
	if f.at == slotFeatures {
		d.feature, err = d.next(name)
		return err
	}
	d.part, err = d.segmentNamed(d.parts, name)
	d.parts++
	return err
}

// members reads the message of features or segments.
func (d *protoDecoder) members(f *protoField, b []byte) *Error {
	p := d.into.Predictions
	for i := 0; i < len(b); {
		n, wire, next := tag(b, i)
		if next < 0 {
			return broken()
		}
		m := f.inner.field(n)
		if m == nil {
			size := protowire.ConsumeFieldValue(n, wire, b[next:])
			if size < 0 {
				return broken()
			}
			i = next + size
			d.event.unknown++
			continue
		}
		if wire != m.code.wire() {
			return broken().at(m.place())
		}
		var err *Error
		if err = d.start(p, m); err == nil {
			i, err = d.value(m, b, next)
		}
		if err != nil {
			return err.at(m.place())
		}
	}
	return d.absent(f.inner)
}

// start begins the value of a member whose name stands in the schema.
func (d *protoDecoder) start(p *Predictions, m *protoField) *Error {
	if m.at != slotFeature {
		return nil // segments are refused by their own name
	}
	d.feature = d.features[m.feature]
	return p.once(d.feature)
}

// absent gives the members that were not sent what the schema says they are.
func (d *protoDecoder) absent(m *protoMessage) *Error {
	p := d.into.Predictions
	for i := range m.fields {
		f := &m.fields[i]
		if f.at == slotSegment {
			continue // an empty segment is none
		}
		id := d.features[f.feature]
		if p.seen[id] == p.event {
			continue
		}
		d.feature = id
		var err *Error
		if f.implied {
			err = d.zero(f)
		} else if err = p.once(id); err == nil {
			p.null(id)
		}
		if err != nil {
			return err.at(f.place())
		}
	}
	return nil
}

// implied sets the fields of the event that have no presence and were not sent,
// where 0 or false is a value: of texts and times the empty one is none, and a
// weight of 0 is not allowed.
func (d *protoDecoder) implied(m *protoMessage) *Error {
	if !m.implied {
		return nil
	}
	for i := range m.fields {
		f := &m.fields[i]
		if !f.implied || d.sent&f.once != 0 || f.code == protoText {
			continue
		}
		switch f.at {
		case slotScore, slotLatency, slotPredicted, slotLabel:
			if err := d.zero(f); err != nil {
				return err.at(f.place())
			}
		}
	}
	return nil
}

// zero sets a field to what Protobuf reads where nothing was sent.
func (d *protoDecoder) zero(f *protoField) *Error {
	switch f.code {
	case protoDouble, protoFloat:
		return d.setNumber(&f.target, 0)
	case protoText:
		return d.bytes(f, wordNone) // sent, and empty: nil would be a label that withdraws
	case protoBool, protoEnum, protoNull:
		return d.varint(f, 0)
	case protoWrapper, protoTimestamp, protoMembers, protoMap, protoNames:
		d.none(&f.target)
		return nil
	}
	return d.integer(f, 0)
}
