package decode

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
		s.space()
		var err *Error
		id, known := p.order.match(s, n)
		if known == 0 {
			if id, err = p.featureKey(n); err != nil {
				return err
			}
		}
		if err = p.featureValue(id); err != nil {
			return err.at("features." + string(p.Features.Value(id)))
		}
		if s.i < len(s.b) && s.b[s.i] == ',' {
			s.i++
			continue
		}
		if more, err = s.more('}'); err != nil {
			return err
		}
	}
	return nil
}

// featureKey reads the name and the colon of a feature that did not stand at this
// position before.
func (p *JSONPredictions) featureKey(position int) (int32, *Error) {
	key, err := p.scan.key()
	if err != nil {
		return 0, err
	}
	if len(key) == 0 || len(key) > maxName {
		return 0, bad(BadValue, "a feature's name has 1 to 256 bytes")
	}
	id := p.intern(key)
	p.order.learn(position, id, key)
	return id, nil
}

func (p *JSONPredictions) featureValue(id int32) *Error {
	if err := p.once(id); err != nil {
		return err
	}
	s := &p.scan
	switch c := s.space(); {
	case c-'0' <= 9 || c == '-':
		// The usual number is read here at once, for there are many. Signs come at
		// random, so they are no branches.
		sign := 0
		if c == '-' {
			sign = 1
		}
		if v, length := shortDecimal(s.b, s.i+sign, sign); length > 0 {
			s.i += sign + length
			p.number(id, v)
			return nil
		}
		v, err := s.number()
		p.number(id, v)
		return err
	case c == '"':
		text, err := s.text()
		if err == nil {
			p.category(id, text)
		}
		return err
	default:
		return p.rareFeature(id, c)
	}
}

// rareFeature reads a feature that is neither a number that begins with a digit
// or a minus, nor text.
func (p *JSONPredictions) rareFeature(id int32, c byte) (err *Error) {
	s := &p.scan
	switch c {
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
	return err
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
