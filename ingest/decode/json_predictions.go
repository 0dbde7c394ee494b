package decode

// JSONPredictions decodes our own JSON prediction events. Use
// NewJSONPredictions.
type JSONPredictions struct {
	*Predictions
	scan scanner
	// order is the feature at each position of the event before: producers
	// write their features in one order, and a comparison is cheaper than a
	// hash. plain is whether a feature's name needs no escape in JSON. Both hold
	// for one life of the columns.
	order   []int32
	plain   []bool
	ordered uint64
}

// NewJSONPredictions returns a decoder into empty columns of its own.
func NewJSONPredictions(limits Limits) *JSONPredictions {
	return newJSONPredictions(NewPredictions(limits))
}

func newJSONPredictions(into *Predictions) *JSONPredictions {
	return &JSONPredictions{Predictions: into}
}

// The fields of a prediction, as bits: a field that stands twice is refused.
const (
	fieldID uint32 = 1 << iota
	fieldModel
	fieldDeploy
	fieldStage
	fieldTS
	fieldFeatures
	fieldSegments
	fieldScore
	fieldPredicted
	fieldLatency
	fieldStatus
	fieldWeight
)

// Append decodes one event. On an error, which is an *Error, the columns are
// as they were.
func (p *JSONPredictions) Append(rec Record) error {
	if err := p.limits.start(rec); err != nil {
		return err
	}
	m := p.begin()
	// Also after a panic, which the caller recovers from, event by event.
	good := false
	defer func() {
		if !good {
			p.rollback(m)
		}
	}()
	if p.ordered != p.life {
		p.order, p.plain, p.ordered = p.order[:0], p.plain[:0], p.life
	}
	var e prediction
	if err := p.read(&e, rec); err != nil {
		return err
	}
	if err := p.end(&e, rec); err != nil {
		return err
	}
	good = true
	return nil
}

func (p *JSONPredictions) read(e *prediction, rec Record) *Error {
	s := &p.scan
	s.reset(rec.Value)
	if s.space() != '{' {
		return bad(Unparsable, "send one JSON object a record")
	}
	more := s.open('}')
	for more {
		key, err := s.key()
		if err == nil {
			if err = p.field(e, key); err != nil {
				err = err.at(string(key))
			}
		}
		if err == nil {
			more, err = s.more('}')
		}
		if err != nil {
			return err
		}
	}
	if err := s.end(); err != nil {
		return err
	}
	return nil
}

func (e *prediction) once(bit uint32) *Error {
	if e.fields&bit != 0 {
		return bad(DuplicateKey, "send each key once")
	}
	e.fields |= bit
	return nil
}

// field reads the value of one top-level key. It is one switch over the
// schema, longer than most functions, because splitting it would cost a second
// dispatch an event.
func (p *JSONPredictions) field(e *prediction, key []byte) (err *Error) {
	s := &p.scan
	switch string(key) {
	case "prediction_id":
		if err = e.once(fieldID); err == nil {
			e.id, err = s.name()
		}
	case "model":
		if err = e.once(fieldModel); err == nil {
			e.model, err = s.name()
		}
	case "deploy_hash":
		if err = e.once(fieldDeploy); err == nil {
			e.deploy, err = s.name()
		}
	case "stage":
		if err = e.once(fieldStage); err == nil {
			e.stage, err = s.stage()
		}
	case "ts":
		if err = e.once(fieldTS); err == nil {
			e.ts, err = s.instant()
			e.hasTS = err == nil
		}
	case "features":
		if err = e.once(fieldFeatures); err == nil {
			err = p.features()
		}
	case "segments":
		if err = e.once(fieldSegments); err == nil {
			err = p.segments()
		}
	case "score":
		if err = e.once(fieldScore); err == nil {
			e.score, e.hasScore, err = s.measured()
		}
	case "predicted":
		if err = e.once(fieldPredicted); err == nil {
			e.predicted, e.value, e.hasValue, err = s.class()
		}
	case "latency_ms":
		if err = e.once(fieldLatency); err == nil {
			e.latency, e.hasLatency, err = s.measured()
		}
	case "status":
		if err = e.once(fieldStatus); err == nil {
			e.status, err = s.name()
		}
	case "weight":
		if err = e.once(fieldWeight); err == nil {
			e.weight, e.hasWeight, err = s.weight()
		}
	default:
		e.unknown++
		err = s.skip(0)
	}
	return err
}

func (s *scanner) weight() (float64, bool, *Error) {
	v, ok, err := s.measured()
	if err == nil && ok && !positive(v) {
		return 0, false, bad(BadValue, "send a finite number above 0")
	}
	return v, ok, err
}

// stage reads one of the stages of the domain; absent is production.
func (s *scanner) stage() ([]byte, *Error) {
	b, err := s.name()
	if err != nil || b == nil {
		return nil, err
	}
	switch string(b) {
	case "production", "canary", "shadow", "training":
		return b, nil
	}
	return nil, bad(BadValue, "send production, canary, shadow or training")
}
