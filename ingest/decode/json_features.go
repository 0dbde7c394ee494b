package decode

import "bytes"

const featureHint = "send features as an object of numbers, strings, booleans and nulls"

// features reads the object of features: numbers to Numbers, strings and
// booleans to Categories, nulls to Nulls.
func (p *JSONPredictions) features() *Error {
	s := &p.scan
	switch s.space() {
	case '{':
	case 'n':
		return s.word("null")
	default:
		return s.mistyped(featureHint)
	}
	more := s.open('}')
	for n := 0; more; n++ {
		if n >= p.limits.MaxFeatures {
			return bad(TooManyFeatures, "send fewer features, or raise max_features")
		}
		id, key, err := p.featureKey(n)
		if err == nil {
			err = p.feature(id, key)
		}
		if err == nil {
			more, err = s.more('}')
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// featureKey reads a feature's name and colon. Producers write their features
// in one order, so the name that stood at this position in the event before is
// compared with the raw text first, without looking for its end.
func (p *JSONPredictions) featureKey(position int) (id int32, key []byte, err *Error) {
	s := &p.scan
	if position < len(p.order) && s.space() == '"' {
		id = p.order[position]
		name := p.Features.Value(id)
		from, to := s.i+1, s.i+1+len(name)
		if p.plain[id] && to+1 < len(s.b) && s.b[to] == '"' && s.b[to+1] == ':' && bytes.Equal(s.b[from:to], name) {
			s.i = to + 2
			return id, name, nil
		}
	}
	if key, err = s.key(); err != nil {
		return 0, nil, err
	}
	if len(key) == 0 || len(key) > maxName {
		return 0, nil, bad(BadValue, "a feature's name has 1 to 256 bytes")
	}
	return p.featureID(position, key), key, nil
}

// isPlain reports whether a name stands in JSON as it is.
func isPlain(name []byte) bool {
	for _, c := range name {
		if c < 0x20 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (p *JSONPredictions) feature(id int32, key []byte) *Error {
	if err := p.once(id); err != nil {
		return err.at("features." + string(key))
	}
	s := &p.scan
	var err *Error
	switch s.space() {
	case '"':
		var text []byte
		if text, err = s.text(); err == nil {
			p.category(id, text)
		}
	case 't':
		p.category(id, wordTrue)
		err = s.word("true")
	case 'f':
		p.category(id, wordFalse)
		err = s.word("false")
	case 'n':
		p.null(id)
		err = s.word("null")
	case '{', '[':
		err = s.mistyped(featureHint)
	default:
		var v float64
		v, err = s.number()
		p.number(id, v)
	}
	if err != nil {
		return err.at("features." + string(key))
	}
	return nil
}

// featureID interns a feature's name and remembers its position.
func (p *JSONPredictions) featureID(position int, key []byte) int32 {
	id := p.intern(key)
	for int(id) >= len(p.plain) {
		p.plain = append(p.plain, false)
	}
	p.plain[id] = isPlain(key)
	if position < len(p.order) {
		p.order[position] = id
	} else {
		p.order = append(p.order, id)
	}
	return id
}

const segmentHint = "send segments as an object of strings, booleans and numbers"

// segments reads the object of segments; a number is kept as it is written,
// null is no segment.
func (p *JSONPredictions) segments() *Error {
	s := &p.scan
	switch s.space() {
	case '{':
	case 'n':
		return s.word("null")
	default:
		return s.mistyped(segmentHint)
	}
	more := s.open('}')
	for n := 0; more; n++ {
		if n >= maxSegments {
			return bad(TooManyFeatures, "send at most 64 segments")
		}
		key, err := s.key()
		if err == nil {
			if err = p.segment(key); err != nil {
				err = err.at("segments." + string(key))
			}
		}
		if err == nil {
			more, err = s.more('}')
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *JSONPredictions) segment(key []byte) *Error {
	id, err := p.segmentID(key)
	if err != nil {
		return err
	}
	text, ok, err := p.segmentText()
	if err == nil && ok {
		p.slice(id, text)
	}
	return err
}

func (p *JSONPredictions) segmentText() (text []byte, ok bool, err *Error) {
	s := &p.scan
	switch s.space() {
	case '"':
		text, err = s.name()
	case 't':
		text, err = wordTrue, s.word("true")
	case 'f':
		text, err = wordFalse, s.word("false")
	case 'n':
		return nil, false, s.word("null")
	case '{', '[':
		err = s.mistyped(segmentHint)
	default:
		from := s.i
		_, err = s.number()
		text = s.b[from:s.i]
	}
	return text, err == nil, err
}
