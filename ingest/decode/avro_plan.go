package decode

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// avroCode is what one step of a plan does. The codes from skipVarint on read
// past a value.
type avroCode uint8

const (
	readNull avroCode = iota
	readBoolean
	readLong
	readFloat
	readDouble
	readDoubles // size features in a row
	readDecimal // bytes, or a fixed of size bytes
	readInstant
	readText
	readEnum
	readUnion
	readBlock // the steps of one branch
	readFeatures
	readSegments
	skipVarint
	skipBytes
	skipSize
	skipUnion
	skipArray
	skipMap
)

// Bounds of a plan. A small schema can unfold to a large one, because its named
// types may be used any number of times.
const (
	maxAvroSteps = 20_000
	maxAvroPlan  = 16 // depth
)

// avroStep is one step of a plan.
type avroStep struct {
	target
	code avroCode
	// nullable steps are unions of null and one type; null is null's branch.
	nullable bool
	null     int8
	// narrow varints are of type int: beyond 32 bits they are refused.
	narrow  bool
	scale   int16 // of a decimal
	size    int
	unit    time.Duration
	symbols [][]byte
	steps   []avroStep   // of an array's items, a map's values, a block
	unions  [][]avroStep // by branch
}

// avroPlan is a writer's schema made into the steps that read one event.
type avroPlan struct {
	schema   string // names it in errors
	steps    []avroStep
	features [][]byte
	unknown  int // fields that are skipped
	most     int // features of the largest record of features
}

// avroCompiler compiles one schema.
type avroCompiler struct {
	plan  *avroPlan
	steps int
	// open are the types that are being unfolded, to refuse recursion.
	open []*avroType
}

// compileAvro makes the plan of a schema for one kind of events. The error
// names the schema and the field, and what to change.
func compileAvro(schema string, root *avroType, kind Kind) (*avroPlan, *Error) {
	c := avroCompiler{plan: &avroPlan{schema: schema}}
	steps, err := c.event(root, kind)
	if err != nil {
		err.Hint = schema + ": " + err.Hint
		return nil, err
	}
	c.plan.steps = runs(steps)
	return c.plan, nil
}

// runs joins the doubles that follow one another among features into one step,
// which copies them.
func runs(steps []avroStep) []avroStep {
	var joined []avroStep
	for _, s := range steps {
		if s.code == readDouble && s.at == slotFeature && !s.nullable {
			if last := len(joined) - 1; last >= 0 && joined[last].code == readDoubles && joined[last].feature+int32(joined[last].size) == s.feature {
				joined[last].size++
				continue
			}
			s.code, s.size = readDoubles, 1
		}
		for i, branch := range s.unions {
			s.unions[i] = runs(branch)
		}
		joined = append(joined, s)
	}
	return joined
}

func (c *avroCompiler) event(root *avroType, kind Kind) (steps []avroStep, err *Error) {
	if root.kind != avroRecord {
		return nil, bad(WrongType, "an event is a record; declare one as the schema")
	}
	for _, need := range kindFields(kind) {
		if need.required && !slices.ContainsFunc(root.fields, func(f avroField) bool { return f.name == need.name }) {
			return nil, &Error{MissingField, need.name, "the record " + root.name + " has no such field; add it"}
		}
	}
	c.open = append(c.open, root)
	for _, f := range root.fields {
		at := slotOf(kind, f.name)
		switch at {
		case slotNone:
			c.plan.unknown++
			steps, err = c.skip(steps, f.typ)
		case slotFeatures, slotSegments:
			steps, err = c.container(steps, f.typ, at)
		default:
			steps, err = c.value(steps, f.typ, avroStep{target: target{at: at, field: f.name}})
		}
		if err != nil {
			return nil, err.at(f.name)
		}
	}
	return steps, nil
}

// enter bounds depth and size and refuses recursion.
func (c *avroCompiler) enter(t *avroType) *Error {
	c.steps++
	switch {
	case t.kind == avroRecord && slices.Contains(c.open, t):
		return bad(TooNested, "type "+t.name+" contains itself; move it out of the event")
	case len(c.open) >= maxAvroPlan:
		return bad(TooNested, fmt.Sprintf("types nest deeper than %d; flatten the event", maxAvroPlan))
	case c.steps > maxAvroSteps:
		return bad(TooNested, fmt.Sprintf("the schema unfolds to more than %d values; flatten the event", maxAvroSteps))
	}
	c.open = append(c.open, t)
	return nil
}

func (c *avroCompiler) leave() { c.open = c.open[:len(c.open)-1] }

// nullable returns the other type of a union of null and one type.
func (t *avroType) nullable() (other *avroType, null int8, ok bool) {
	if t.kind != avroUnion || len(t.branches) != 2 {
		return nil, 0, false
	}
	for i, b := range t.branches {
		if b.kind == avroNull {
			return t.branches[1-i], int8(i), true
		}
	}
	return nil, 0, false
}

// value appends the step that reads a plain value.
func (c *avroCompiler) value(steps []avroStep, t *avroType, s avroStep) ([]avroStep, *Error) {
	if err := c.enter(t); err != nil {
		return nil, err
	}
	defer c.leave()
	if other, null, ok := t.nullable(); ok && other.kind != avroNull {
		s.nullable, s.null = true, null
		t = other
	} else if t.kind == avroUnion {
		for _, b := range t.branches {
			branch, err := c.value(nil, b, s)
			if err != nil {
				return nil, err
			}
			s.unions = append(s.unions, branch)
		}
		s.code = readUnion
		return append(steps, s), nil
	}
	if t.kind == avroNull {
		s.code = readNull
		return append(steps, s), nil
	}
	v, ok := s.plain(t)
	if !ok || !s.at.takes(v) {
		return nil, bad(avroMistype(t), fmt.Sprintf("%s is %s; %s", s.field, t, s.at.wants()))
	}
	return append(steps, s), nil
}

func avroMistype(t *avroType) Reason {
	switch t.kind {
	case avroRecord, avroArray, avroMap:
		return TooNested
	}
	return WrongType
}

// plain completes a step for a type that is neither a union nor null.
func (s *avroStep) plain(t *avroType) (valueType, bool) {
	switch t.kind {
	case avroBoolean:
		s.code = readBoolean
		return valueBool, true
	case avroInt, avroLong:
		s.code, s.narrow = readLong, t.kind == avroInt
		return s.long(t)
	case avroFloat:
		s.code = readFloat
		return valueNumber, true
	case avroDouble:
		s.code = readDouble
		return valueNumber, true
	case avroBytes, avroFixed:
		s.code, s.size, s.scale = readDecimal, -1, int16(min(t.scale, math.MaxInt16))
		if t.kind == avroFixed {
			s.size = t.size
		}
		return valueNumber, t.logical == "decimal" && t.scale <= maxDecimal && s.size <= maxDecimal
	case avroString:
		s.code = readText
		return valueText, true
	case avroEnum:
		s.code = readEnum
		for _, symbol := range t.symbols {
			s.symbols = append(s.symbols, []byte(symbol))
		}
		return valueText, true
	}
	return 0, false
}

// long looks at the logical type of an int or long. Where time is asked for, a
// long without one is Unix milliseconds, as in our JSON.
func (s *avroStep) long(t *avroType) (valueType, bool) {
	units := map[string]time.Duration{"timestamp-millis": time.Millisecond, "timestamp-micros": time.Microsecond, "timestamp-nanos": time.Nanosecond}
	if s.at != slotTS {
		return valueInteger, true
	}
	s.code = readInstant
	switch {
	case t.kind == avroLong && units[t.logical] != 0:
		s.unit = units[t.logical]
		return valueInstant, true
	case t.kind == avroLong && t.logical == "":
		s.unit = time.Millisecond
		return valueInstant, true
	}
	return valueInteger, false // a date, a time of day, a local time
}

// container appends the steps that read features or segments: the fields of a
// record in a row, or a map.
func (c *avroCompiler) container(steps []avroStep, t *avroType, at slot) ([]avroStep, *Error) {
	if err := c.enter(t); err != nil {
		return nil, err
	}
	defer c.leave()
	into := target{at: at, field: "features"}
	member, mapped := slotFeature, readFeatures
	if at == slotSegments {
		into.field, member, mapped = "segments", slotSegment, readSegments
	}
	switch t.kind {
	case avroNull:
		return append(steps, avroStep{code: readNull, target: into}), nil
	case avroUnion:
		s := avroStep{code: readUnion, target: into}
		for _, b := range t.branches {
			branch, err := c.container(nil, b, at)
			if err != nil {
				return nil, err
			}
			s.unions = append(s.unions, branch)
		}
		return append(steps, s), nil
	case avroMap:
		values, err := c.value(nil, t.items, avroStep{target: target{at: member, field: "values", feature: -1}})
		return append(steps, avroStep{code: mapped, target: into, steps: values}), err
	case avroRecord:
		return c.members(steps, t, member)
	}
	return nil, bad(avroMistype(t), fmt.Sprintf("it is %s; %s", t, at.wants()))
}

func (c *avroCompiler) members(steps []avroStep, t *avroType, member slot) ([]avroStep, *Error) {
	if member == slotFeature {
		c.plan.most = max(c.plan.most, len(t.fields))
	} else if len(t.fields) > maxSegments {
		return nil, bad(TooManyFeatures, "declare at most 64 segments")
	}
	for _, f := range t.fields {
		s := avroStep{target: target{at: member, field: f.name, name: []byte(f.name)}}
		if len(f.name) > maxName || checkText([]byte(f.name)) != nil {
			return nil, bad(BadValue, "a name has 1 to 256 bytes")
		}
		if member == slotFeature {
			s.feature = c.feature(f.name)
		}
		var err *Error
		if steps, err = c.value(steps, f.typ, s); err != nil {
			prefix := "features."
			if member == slotSegment {
				prefix = "segments."
			}
			return nil, err.at(prefix + f.name)
		}
	}
	return steps, nil
}

func (c *avroCompiler) feature(name string) int32 {
	for i, have := range c.plan.features {
		if string(have) == name {
			return int32(i)
		}
	}
	c.plan.features = append(c.plan.features, []byte(name))
	return int32(len(c.plan.features) - 1)
}

// skip appends the steps that read past a value. A value without bytes needs
// none, so each step reads at least one byte.
func (c *avroCompiler) skip(steps []avroStep, t *avroType) (_ []avroStep, err *Error) {
	if err = c.enter(t); err != nil {
		return nil, err
	}
	defer c.leave()
	s := avroStep{}
	switch t.kind {
	case avroNull:
		return steps, nil
	case avroBoolean:
		s.code, s.size = skipSize, 1
	case avroInt, avroLong, avroEnum:
		s.code = skipVarint
	case avroFloat:
		s.code, s.size = skipSize, 4
	case avroDouble:
		s.code, s.size = skipSize, 8
	case avroFixed:
		if t.size == 0 {
			return steps, nil
		}
		s.code, s.size = skipSize, t.size
	case avroBytes, avroString:
		s.code = skipBytes
	case avroArray, avroMap:
		s.code = skipArray
		if t.kind == avroMap {
			s.code = skipMap
		}
		s.steps, err = c.skip(nil, t.items)
	case avroUnion:
		s.code = skipUnion
		for _, b := range t.branches {
			branch, err := c.skip(nil, b)
			if err != nil {
				return nil, err
			}
			s.unions = append(s.unions, branch)
		}
	case avroRecord:
		for _, f := range t.fields {
			if steps, err = c.skip(steps, f.typ); err != nil {
				return nil, err
			}
		}
		return steps, nil
	}
	return append(steps, s), err
}

// String names a type for people.
func (t *avroType) String() string {
	kinds := [...]string{"null", "a boolean", "an int", "a long", "a float", "a double", "bytes", "a string", "a fixed", "an enum", "an array", "a map", "a union", "a record"}
	s := kinds[t.kind]
	if t.logical != "" {
		s += " (" + t.logical + ")"
	}
	return s
}
