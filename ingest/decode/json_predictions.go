package decode

// JSONPredictions decodes our own JSON prediction events. Use
// NewJSONPredictions.
type JSONPredictions struct {
	*Predictions
	scan scanner
	// top and order are the keys of the events before, of the whole and of their
	// features: producers write theirs in one order, and a comparison is cheaper
	// than a search. What order says holds for one life of the columns.
	top     keyOrder
	order   keyOrder
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
	fieldPropensity
	fieldVotes
	fieldScores
	fieldDisagreement
	fieldExplained
	fieldExplanation
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
		p.order.forget()
		p.ordered = p.life
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
		return noObject(rec.Value)
	}
	more := s.open('}')
	for position := 0; more; position++ {
		field, key, err := p.topKey(position)
		if err == nil {
			if err = p.field(e, field); err != nil {
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

// topKey reads a top-level key and returns its field, 0 if it is none of ours.
func (p *JSONPredictions) topKey(position int) (field uint32, key []byte, err *Error) {
	s := &p.scan
	s.space()
	if id, size := p.top.match(s, position); size > 0 {
		return uint32(id), s.b[s.i-size+1 : s.i-2], nil
	}
	if key, err = s.key(); err != nil {
		return 0, nil, err
	}
	field = fieldOf(key)
	p.top.learn(position, int32(field), key)
	return field, key, nil
}

func fieldOf(key []byte) uint32 {
	switch string(key) {
	case "prediction_id":
		return fieldID
	case "model":
		return fieldModel
	case "deploy_hash":
		return fieldDeploy
	case "stage":
		return fieldStage
	case "ts":
		return fieldTS
	case "features":
		return fieldFeatures
	case "segments":
		return fieldSegments
	case "score":
		return fieldScore
	case "predicted":
		return fieldPredicted
	case "latency_ms":
		return fieldLatency
	case "status":
		return fieldStatus
	case "weight":
		return fieldWeight
	case "propensity":
		return fieldPropensity
	case "votes":
		return fieldVotes
	case "scores":
		return fieldScores
	case "disagreement":
		return fieldDisagreement
	case "explained":
		return fieldExplained
	case "explanation":
		return fieldExplanation
	}
	return 0
}

// field reads the value of one top-level key.
func (p *JSONPredictions) field(e *prediction, field uint32) (err *Error) {
	s := &p.scan
	if err = e.once(field); err != nil {
		return err
	}
	switch field {
	case fieldID:
		e.id, err = s.name()
	case fieldModel:
		e.model, err = s.name()
	case fieldDeploy:
		e.deploy, err = s.name()
	case fieldStage:
		e.stage, err = s.stage()
	case fieldTS:
		e.ts, err = s.instant()
		e.hasTS = err == nil
	case fieldFeatures:
		err = p.features()
	case fieldSegments:
		err = p.segments()
	case fieldScore:
		e.score, e.hasScore, err = s.measured()
	case fieldPredicted:
		e.predicted, e.value, e.hasValue, err = s.class()
	case fieldLatency:
		e.latency, e.hasLatency, err = s.measured()
	case fieldStatus:
		e.status, err = s.name()
	case fieldWeight:
		e.weight, e.hasWeight, err = s.weight()
	case fieldPropensity:
		e.propensity, e.hasPropensity, err = s.propensity()
	case fieldVotes:
		err = p.votes()
	case fieldScores:
		err = p.scores()
	case fieldDisagreement:
		e.disagreement, e.hasDisagreement, err = s.measured()
	case fieldExplained:
		e.explained, e.hasExplained, err = s.truth()
	case fieldExplanation:
		e.explanation, err = s.explanation()
		e.hasExplanation = true
	default:
		e.unknown++
		err = s.skip(0)
	}
	return err
}

func (s *scanner) weight() (float64, bool, *Error) {
	v, ok, err := s.measured()
	if err == nil && ok && !isWeight(v) {
		return 0, false, bad(BadValue, weightHint)
	}
	return v, ok, err
}

func (s *scanner) propensity() (float64, bool, *Error) {
	v, ok, err := s.measured()
	if err == nil && ok && !isPropensity(v) {
		return 0, false, bad(BadValue, propensityHint)
	}
	return v, ok, err
}

// stage reads one of the stages of the domain; absent is production.
func (s *scanner) stage() ([]byte, *Error) {
	b, err := s.name()
	if err != nil || b == nil {
		return nil, err
	}
	return b, checkStage(b)
}
