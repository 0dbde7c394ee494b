package decode

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// protoCode is how the value of a field is read.
type protoCode uint8

const (
	protoDouble protoCode = iota
	protoFloat
	protoInt      // a varint that is sign-extended: int32, int64
	protoUint     // uint32, uint64
	protoZigzag   // sint32, sint64
	protoFixed32  // unsigned
	protoFixed64  // unsigned
	protoSigned32 // sfixed32
	protoSigned64 // sfixed64
	protoBool
	protoText
	protoEnum
	protoNull      // google.protobuf.NullValue
	protoTimestamp // google.protobuf.Timestamp
	protoWrapper   // google.protobuf.DoubleValue and its kin
	protoMembers   // the message of features or segments
	protoMap       // one entry of a map of features or segments
	protoNames     // one of the names of features that are null
)

// wire returns the wire type of the code's values.
func (c protoCode) wire() protowire.Type {
	switch c {
	case protoDouble, protoFixed64, protoSigned64:
		return protowire.Fixed64Type
	case protoFloat, protoFixed32, protoSigned32:
		return protowire.Fixed32Type
	case protoInt, protoUint, protoZigzag, protoBool, protoEnum, protoNull:
		return protowire.VarintType
	}
	return protowire.BytesType
}

// protoField is how one field is read.
type protoField struct {
	target
	code protoCode
	// once is the bit that the field sets; fields of one oneof share it. 0 may
	// repeat.
	once uint64
	// implied fields have no presence: what is not sent is 0, false or "".
	implied bool
	bare    bool // implied by its own declaration, not in a wrapper or map
	narrow  bool // of 32 bits
	unit    time.Duration
	symbols map[int32][]byte
	inner   *protoMessage // of members; of a map its entries; of a wrapper itself
}

// unsent reports whether an empty text is as good as none: what has no presence
// is empty in every message that does not say it.
func (f *protoField) unsent() bool {
	switch f.at {
	case slotTS:
		return true
	case slotStage, slotStatus, slotPredicted:
		return f.bare
	}
	return false
}

// protoMessage is how a message is read.
type protoMessage struct {
	fields  []protoField
	quick   []int32                    // by number: the place in fields, plus 1
	rest    map[protowire.Number]int32 // of numbers beyond maxQuick
	implied bool                       // some field is
}

// maxQuick bounds the numbers that are looked up in a slice.
const maxQuick = 4096

// field returns how a field is read, nil if it is skipped.
func (m *protoMessage) field(n protowire.Number) *protoField {
	if int(n) < len(m.quick) {
		if i := m.quick[n]; i > 0 {
			return &m.fields[i-1]
		}
		return nil
	}
	if i, ok := m.rest[n]; ok {
		return &m.fields[i]
	}
	return nil
}

func (m *protoMessage) add(n protowire.Number, f protoField) {
	m.fields = append(m.fields, f)
	m.implied = m.implied || f.implied
	if n >= maxQuick {
		if m.rest == nil {
			m.rest = map[protowire.Number]int32{}
		}
		m.rest[n] = int32(len(m.fields) - 1)
		return
	}
	for int(n) >= len(m.quick) {
		m.quick = append(m.quick, 0)
	}
	m.quick[n] = int32(len(m.fields))
}

// protoPlan is how the events of one message are read.
type protoPlan struct {
	schema   string // names it in errors
	event    *protoMessage
	features [][]byte
	most     int
}

// compileProto makes the plan of a message for one kind of events.
func compileProto(schema string, m protoreflect.MessageDescriptor, kind Kind) (*protoPlan, *Error) {
	p := &protoPlan{schema: schema}
	err := p.compile(m, kind)
	if err != nil {
		err.Hint = schema + ": " + err.Hint
		return nil, err
	}
	return p, nil
}

func (p *protoPlan) compile(m protoreflect.MessageDescriptor, kind Kind) *Error {
	p.event = &protoMessage{}
	seen := map[slot]bool{}
	bits := protoBits{}
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		at := protoSlot(kind, m, fd)
		if at == slotNone {
			continue
		}
		f := protoField{target: target{at: at, field: string(fd.Name())}, once: bits.of(fd)}
		err := p.top(&f, fd)
		if err != nil {
			return err.at(string(fd.Name()))
		}
		seen[at] = true
		p.event.add(fd.Number(), f)
	}
	for _, need := range kindFields(kind) {
		if need.required && !seen[need.at] {
			return &Error{MissingField, need.name, fmt.Sprintf("the message %s has no such field; add it", m.FullName())}
		}
	}
	return nil
}

// protoBits gives each field a bit of its own, and those of a oneof one in
// common.
type protoBits struct {
	next uint64
	one  map[protoreflect.FullName]uint64
}

func (b *protoBits) of(fd protoreflect.FieldDescriptor) uint64 {
	if fd.IsMap() || fd.IsList() {
		return 0
	}
	if b.next == 0 {
		b.next, b.one = 1, map[protoreflect.FullName]uint64{}
	}
	bit := b.next
	if o := fd.ContainingOneof(); o != nil {
		if have, ok := b.one[o.FullName()]; ok {
			return have
		}
		b.one[o.FullName()] = bit
	}
	b.next <<= 1 // the slots are fewer than 64
	return bit
}

// protoSlot returns the slot of a top-level field, by its name or by that of the
// oneof it belongs to. Our own message spreads its features over several fields.
func protoSlot(kind Kind, m protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor) slot {
	if at := slotOf(kind, string(fd.Name())); at != slotNone {
		return at
	}
	if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return slotOf(kind, string(o.Name()))
	}
	if kind == KindPredictions && m.FullName() == ownPrediction {
		switch fd.Name() {
		case "numbers", "categories", "flags", "nulls":
			return slotFeatures
		}
	}
	return slotNone
}

// top compiles a top-level field.
func (p *protoPlan) top(f *protoField, fd protoreflect.FieldDescriptor) *Error {
	switch {
	case f.at != slotFeatures && f.at != slotSegments:
		return f.value(fd)
	case fd.IsMap():
		return p.mapped(f, fd)
	case fd.IsList():
		if fd.Kind() == protoreflect.StringKind && fd.Name() == "nulls" {
			f.code = protoNames
			return nil
		}
	case fd.Kind() == protoreflect.MessageKind:
		return p.members(f, fd.Message())
	}
	return bad(WrongType, f.at.wants())
}

func (f *protoField) member() target {
	if f.at == slotSegments {
		return target{at: slotSegment, field: "values", feature: -1}
	}
	return target{at: slotFeature, field: "values", feature: -1}
}

// mapped compiles a map of features or segments.
func (p *protoPlan) mapped(f *protoField, fd protoreflect.FieldDescriptor) *Error {
	if fd.MapKey().Kind() != protoreflect.StringKind {
		return bad(WrongType, "the keys of the map are the names; declare them as strings")
	}
	value := protoField{target: f.member()}
	if err := value.value(fd.MapValue()); err != nil {
		return err
	}
	// What an entry does not send is 0, false or "", whatever its syntax.
	value.implied = value.code != protoWrapper
	f.code, f.inner = protoMap, &protoMessage{}
	f.inner.add(2, value)
	return nil
}

// members compiles a message of which each field is a feature or a segment.
func (p *protoPlan) members(f *protoField, m protoreflect.MessageDescriptor) *Error {
	fields := m.Fields()
	if f.at == slotFeatures {
		p.most = max(p.most, fields.Len())
	} else if fields.Len() > maxSegments {
		return bad(TooManyFeatures, "declare at most 64 segments")
	}
	f.code, f.inner = protoMembers, &protoMessage{}
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := string(fd.Name())
		t := f.member()
		t.field, t.name, t.feature = name, []byte(name), 0
		if t.at == slotFeature {
			t.feature = int32(len(p.features))
			p.features = append(p.features, t.name)
		}
		member := protoField{target: t}
		if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
			return (&Error{WrongType, "", "a oneof among features has no one name; declare each as a field"}).at(t.place())
		}
		if err := member.value(fd); err != nil {
			return err.at(t.place())
		}
		f.inner.add(fd.Number(), member)
	}
	return nil
}

// value compiles a plain value.
func (f *protoField) value(fd protoreflect.FieldDescriptor) *Error {
	if fd.IsList() || fd.IsMap() {
		return bad(TooNested, "it is repeated; "+f.at.wants())
	}
	f.implied = !fd.HasPresence()
	f.bare = f.implied
	v, ok := f.plain(fd)
	if !ok || !f.at.takes(v) {
		reason := WrongType
		if fd.Message() != nil {
			reason = TooNested
		}
		return bad(reason, fmt.Sprintf("it is of type %s; %s", protoTypeName(fd), f.at.wants()))
	}
	if v == valueInteger && f.at == slotTS {
		f.unit = time.Millisecond
	}
	return nil
}

func protoTypeName(fd protoreflect.FieldDescriptor) string {
	if m := fd.Message(); m != nil {
		return string(m.FullName())
	}
	return fd.Kind().String()
}

func (f *protoField) plain(fd protoreflect.FieldDescriptor) (valueType, bool) {
	integer := func(code protoCode, narrow bool) (valueType, bool) {
		f.code, f.narrow = code, narrow
		return valueInteger, true
	}
	switch fd.Kind() {
	case protoreflect.DoubleKind:
		f.code = protoDouble
		return valueNumber, true
	case protoreflect.FloatKind:
		f.code = protoFloat
		return valueNumber, true
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return integer(protoInt, fd.Kind() == protoreflect.Int32Kind)
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return integer(protoUint, fd.Kind() == protoreflect.Uint32Kind)
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return integer(protoZigzag, fd.Kind() == protoreflect.Sint32Kind)
	case protoreflect.Fixed32Kind:
		return integer(protoFixed32, false)
	case protoreflect.Fixed64Kind:
		return integer(protoFixed64, false)
	case protoreflect.Sfixed32Kind:
		return integer(protoSigned32, false)
	case protoreflect.Sfixed64Kind:
		return integer(protoSigned64, false)
	case protoreflect.BoolKind:
		f.code = protoBool
		return valueBool, true
	case protoreflect.StringKind:
		f.code = protoText
		return valueText, true
	case protoreflect.EnumKind:
		return f.enum(fd.Enum()), true
	case protoreflect.MessageKind:
		return f.wellKnown(fd.Message())
	}
	return 0, false
}

func (f *protoField) enum(e protoreflect.EnumDescriptor) valueType {
	if e.FullName() == "google.protobuf.NullValue" {
		f.code, f.implied = protoNull, false
		if f.at == slotPredicted || f.at == slotLabel || f.at == slotFeature {
			return valueBool // which those slots take
		}
		return valueText
	}
	f.code, f.symbols = protoEnum, map[int32][]byte{}
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		if _, ok := f.symbols[int32(v.Number())]; !ok { // the first of its aliases
			f.symbols[int32(v.Number())] = []byte(v.Name())
		}
	}
	return valueText
}

// wellKnown compiles the messages of Google that stand for plain values.
func (f *protoField) wellKnown(m protoreflect.MessageDescriptor) (valueType, bool) {
	switch m.FullName() {
	case "google.protobuf.Timestamp":
		f.code = protoTimestamp
		return valueInstant, f.at == slotTS
	case "google.protobuf.DoubleValue", "google.protobuf.FloatValue", "google.protobuf.Int64Value", "google.protobuf.UInt64Value",
		"google.protobuf.Int32Value", "google.protobuf.UInt32Value", "google.protobuf.BoolValue", "google.protobuf.StringValue":
		inner := protoField{target: f.target}
		v, ok := inner.plain(m.Fields().ByNumber(1))
		if v == valueInteger && f.at == slotTS {
			inner.unit = time.Millisecond
		}
		inner.implied = true
		f.code, f.inner = protoWrapper, &protoMessage{}
		f.inner.add(1, inner)
		return v, ok
	}
	return 0, false
}
