package decode

import (
	"encoding/binary"
	"math"
	"slices"
)

// avroDecoder decodes Avro events by the plan of the schema they were written
// with. It has no reader's schema: fields are matched by name, so a schema may
// gain and lose fields as the registry's rules allow.
type avroDecoder struct {
	typed
	planUser[avroPlan]
	r avroReader

	plan *avroPlan
	key  string // of the plan
	mark mark   // before the event
}

// Append decodes one event.
func (a *avroDecoder) Append(rec Record) error {
	if err := a.into.limits().startOf(len(rec.Value), rec.Known); err != nil {
		return err
	}
	body, header := rec.Value, []byte(nil)
	if a.plans.framed() {
		var err *Error
		if header, body, err = frame(rec.Value); err != nil {
			return err
		}
	}
	if a.plan == nil || a.key != string(header) {
		used, err := a.use(header)
		if err != nil {
			return err
		}
		a.plan, a.key, a.interned = used.plan, used.header, &used.interned
	}
	if p := a.into.Predictions; p != nil {
		return a.prediction(p, &rec, body)
	}
	if err := a.read(&rec, body); err != nil {
		return err
	}
	return nil
}

func (a *avroDecoder) prediction(p *Predictions, rec *Record, body []byte) error {
	if a.plan.most > p.limits.MaxFeatures {
		return &Error{TooManyFeatures, "features", "send fewer features, or raise max_features"}
	}
	p.event++
	a.mark.set(p)
	good := false
	defer func() { // also after a panic
		if !good {
			p.rollback(a.mark)
		}
	}()
	a.know(a.plan.features)
	if err := a.read(rec, body); err != nil {
		return err
	}
	good = true
	return nil
}

func (a *avroDecoder) read(rec *Record, body []byte) *Error {
	a.begin()
	a.event.unknown = a.plan.unknown
	a.r = avroReader{b: body}
	err := a.run(a.plan.steps)
	if err == nil && a.r.i != len(a.r.b) {
		err = misread("bytes are left over behind the event")
	}
	if err == nil {
		err = a.endOf(rec)
	}
	if err != nil {
		return a.plans.unframed(err, body)
	}
	return nil
}

// run executes steps. It is one switch, longer than most functions, because it
// is the inner loop: a call a field would cost more than most fields.
func (a *avroDecoder) run(steps []avroStep) (err *Error) {
	r := &a.r
	for k := range steps {
		s := &steps[k]
		if s.at == slotFeature && s.feature >= 0 {
			a.feature = a.features[s.feature]
		}
		if s.nullable {
			v, ok := r.long()
			if !ok {
				return cutShort().at(s.place())
			}
			if v == int64(s.null) {
				a.none(&s.target)
				continue
			}
			if v != int64(1-s.null) {
				return misread("a union has no such branch").at(s.place())
			}
		}
		switch s.code {
		case readDoubles:
			err = a.doubles(s)
		case readDouble:
			if len(r.b)-r.i < 8 {
				return cutShort().at(s.place())
			}
			v := math.Float64frombits(binary.LittleEndian.Uint64(r.b[r.i:]))
			r.i += 8
			err = a.setNumber(&s.target, v)
		case readFloat:
			if len(r.b)-r.i < 4 {
				return cutShort().at(s.place())
			}
			v := math.Float32frombits(binary.LittleEndian.Uint32(r.b[r.i:]))
			r.i += 4
			err = a.setFloat(&s.target, v)
		case readLong:
			v, ok := r.long()
			if !ok || (s.narrow && v != int64(int32(v))) {
				return misread("an integer is cut or too large").at(s.place())
			}
			if s.at == slotFeature {
				a.into.Predictions.number(a.feature, float64(v))
				continue
			}
			err = a.setInteger(&s.target, v)
		case readInstant:
			v, ok := r.long()
			if !ok {
				return cutShort().at(s.place())
			}
			a.instant(v, s.unit)
		case readText:
			var b []byte
			if b, err = r.bytes(); err != nil {
				return err.at(s.place())
			}
			if s.at == slotFeature {
				err = a.category(a.feature, b)
			} else {
				err = a.setText(&s.target, b)
			}
		case readFeatures, readSegments:
			err = a.members(s)
		default:
			err = a.rare(s)
		}
		if err != nil {
			return err.at(s.place())
		}
	}
	return nil
}

// doubles reads features that follow one another in the schema.
func (a *avroDecoder) doubles(s *avroStep) *Error {
	b, err := a.r.take(8 * s.size)
	if err != nil {
		return err
	}
	p := a.into.Predictions
	p.Numbers.Keys = append(p.Numbers.Keys, a.features[s.feature:int(s.feature)+s.size]...)
	from := len(p.NumberValues)
	p.NumberValues = slices.Grow(p.NumberValues, s.size)[:from+s.size]
	values := p.NumberValues[from:]
	for len(values) >= 4 && len(b) >= 32 { // four at a time, for one check of bounds
		values[0] = math.Float64frombits(binary.LittleEndian.Uint64(b))
		values[1] = math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
		values[2] = math.Float64frombits(binary.LittleEndian.Uint64(b[16:]))
		values[3] = math.Float64frombits(binary.LittleEndian.Uint64(b[24:]))
		values, b = values[4:], b[32:]
	}
	for i := range values {
		values[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return nil
}

// rare executes the steps that a typical event has few of.
func (a *avroDecoder) rare(s *avroStep) *Error {
	r := &a.r
	switch s.code {
	case readNull:
		a.none(&s.target)
		return nil
	case readBoolean:
		b, err := r.take(1)
		if err != nil {
			return err
		}
		if b[0] > 1 {
			return misread("a boolean is neither 0 nor 1")
		}
		return a.setBoolean(&s.target, b[0] == 1)
	case readDecimal:
		return a.readDecimal(s)
	case readEnum:
		i, err := r.branch(len(s.symbols))
		if err != nil {
			return err
		}
		return a.setText(&s.target, s.symbols[i])
	case readUnion:
		i, err := r.branch(len(s.unions))
		if err != nil {
			return err
		}
		return a.run(s.unions[i])
	}
	return r.skipOne(s)
}

func (a *avroDecoder) readDecimal(s *avroStep) (err *Error) {
	var b []byte
	if s.size < 0 {
		b, err = a.r.bytes()
	} else {
		b, err = a.r.take(s.size)
	}
	if err != nil {
		return err
	}
	v, err := decimal(b, int(s.scale))
	if err != nil {
		return err
	}
	if rounded(v) && (s.at == slotSegment || s.scale == 0 && (s.at == slotPredicted || s.at == slotLabel)) {
		return bad(BadValue, wholeHint)
	}
	return a.setNumber(&s.target, v)
}

// members reads the map of features or of segments.
func (a *avroDecoder) members(s *avroStep) *Error {
	for n := 0; ; {
		items, _, err := a.r.block()
		if err != nil || items == 0 {
			return err
		}
		if items > int64(len(a.r.b)-a.r.i) {
			return cutShort()
		}
		for range items {
			name, err := a.r.bytes()
			if err != nil {
				return err
			}
			if err = a.member(s, n, name); err != nil {
				return err.at(s.place() + "." + string(name))
			}
			n++
		}
	}
}

func (a *avroDecoder) member(s *avroStep, n int, name []byte) (err *Error) {
	if s.code == readFeatures {
		a.feature, err = a.position(n, name)
	} else {
		a.part, err = a.segmentNamed(n, name)
	}
	if err != nil {
		return err
	}
	return a.run(s.steps)
}
