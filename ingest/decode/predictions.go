package decode

// Predictions are decoded prediction events as columns. The zero value is not
// ready; use NewPredictions. Keys of Numbers, Categories and Nulls are
// identifiers in Features; keys of Segments in SegmentKeys.
type Predictions struct {
	limits Limits
	scan   scanner

	Model, Deploy, Stage, Predicted, Status Names

	ID             Text
	TS             []int64 // event time, Unix milliseconds
	Score          Floats
	PredictedValue Floats
	Latency        Floats
	Weight         []float64
	Source         Source

	Features     Dict
	Numbers      List
	NumberValues []float64

	Categories     List
	CategoryValues []int32 // identifiers in Values
	Values         Dict
	Nulls          List

	SegmentKeys   Dict
	Segments      List
	SegmentValues []int32 // identifiers in SegmentTexts
	SegmentTexts  Dict

	// Unknown counts top-level fields that the schema does not know. They are
	// skipped, so that producers may add fields before the service knows them.
	Unknown int

	// order is the feature at each position of the event before: producers
	// write their features in one order, and a comparison is cheaper than a
	// hash. seen is the event in which a feature was last read, plain whether its
	// name needs no escape in JSON.
	order   []int32
	plain   []bool
	seen    []uint64
	seenSeg []uint64
	event   uint64
}

// NewPredictions returns empty columns.
func NewPredictions(limits Limits) *Predictions { return &Predictions{limits: limits} }

// Len returns the number of rows.
func (p *Predictions) Len() int { return len(p.TS) }

// Reset empties the columns and keeps their memory.
func (p *Predictions) Reset() {
	p.Model.Reset()
	p.Deploy.Reset()
	p.Stage.Reset()
	p.Predicted.Reset()
	p.Status.Reset()
	p.ID.Truncate(0)
	p.TS, p.Weight = p.TS[:0], p.Weight[:0]
	p.Score.Reset()
	p.PredictedValue.Reset()
	p.Latency.Reset()
	p.Source.Reset()
	p.Features.Reset()
	p.Values.Reset()
	p.SegmentKeys.Reset()
	p.SegmentTexts.Reset()
	p.Numbers.Reset()
	p.Categories.Reset()
	p.Nulls.Reset()
	p.Segments.Reset()
	p.NumberValues, p.CategoryValues, p.SegmentValues = p.NumberValues[:0], p.CategoryValues[:0], p.SegmentValues[:0]
	p.order, p.seen, p.seenSeg, p.plain = p.order[:0], p.seen[:0], p.seenSeg[:0], p.plain[:0]
	p.Unknown = 0
}

// prediction is the plain part of the event that is being read.
type prediction struct {
	fields                                           uint32
	id, model, deploy, stage, predicted, status      []byte
	ts                                               int64
	score, value, latency, weight                    float64
	hasScore, hasValue, hasLatency, hasWeight, hasTS bool
	unknown                                          int
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
func (p *Predictions) Append(rec Record) error {
	if err := p.limits.start(rec); err != nil {
		return err
	}
	m := p.mark()
	p.event++
	// Also after a panic, which the caller recovers from, event by event.
	good := false
	defer func() {
		if !good {
			p.rollback(m)
		}
	}()
	var e prediction
	if err := p.read(&e, rec); err != nil {
		return err
	}
	p.commit(&e, rec)
	good = true
	return nil
}

func (p *Predictions) read(e *prediction, rec Record) *Error {
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
	return e.check(p.limits, rec.Known)
}

func (e *prediction) check(l Limits, known int64) *Error {
	switch {
	case len(e.id) == 0:
		return &Error{MissingField, "prediction_id", "send the id that the label will carry"}
	case len(e.model) == 0:
		return &Error{MissingField, "model", "send the model's name"}
	case len(e.deploy) == 0:
		return &Error{MissingField, "deploy_hash", "send the hash of the deploy that answered"}
	case !e.hasTS:
		return &Error{MissingField, "ts", timeHint}
	}
	return l.checkTime(e.ts, known)
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
func (p *Predictions) field(e *prediction, key []byte) (err *Error) {
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

var wordProduction = []byte("production")

func orElse(b, otherwise []byte) []byte {
	if len(b) == 0 {
		return otherwise
	}
	return b
}

func (p *Predictions) commit(e *prediction, rec Record) {
	p.Model.Append(e.model)
	p.Deploy.Append(e.deploy)
	p.Stage.Append(orElse(e.stage, wordProduction))
	p.Predicted.Append(e.predicted)
	p.Status.Append(orElse(e.status, wordOK))
	p.ID.Append(e.id)
	p.TS = append(p.TS, e.ts)
	p.Score.Append(e.score, e.hasScore)
	p.PredictedValue.Append(e.value, e.hasValue)
	p.Latency.Append(e.latency, e.hasLatency)
	if !e.hasWeight {
		e.weight = 1
	}
	p.Weight = append(p.Weight, e.weight)
	p.Source.append(rec)
	p.Numbers.close()
	p.Categories.close()
	p.Nulls.close()
	p.Segments.close()
	p.Unknown += e.unknown
}

// mark holds the lengths that a refused event is rolled back to. Plain columns
// are written only by commit and need none.
type mark struct {
	numbers, categories, nulls, segments        int
	features, values, segmentKeys, segmentTexts int
}

func (p *Predictions) mark() mark {
	return mark{
		numbers: len(p.Numbers.Keys), categories: len(p.Categories.Keys), nulls: len(p.Nulls.Keys), segments: len(p.Segments.Keys),
		features: p.Features.Len(), values: p.Values.Len(), segmentKeys: p.SegmentKeys.Len(), segmentTexts: p.SegmentTexts.Len(),
	}
}

func (p *Predictions) rollback(m mark) {
	p.Numbers.Keys, p.NumberValues = p.Numbers.Keys[:m.numbers], p.NumberValues[:m.numbers]
	p.Categories.Keys, p.CategoryValues = p.Categories.Keys[:m.categories], p.CategoryValues[:m.categories]
	p.Nulls.Keys = p.Nulls.Keys[:m.nulls]
	p.Segments.Keys, p.SegmentValues = p.Segments.Keys[:m.segments], p.SegmentValues[:m.segments]
	p.Features.Truncate(m.features)
	p.Values.Truncate(m.values)
	p.SegmentKeys.Truncate(m.segmentKeys)
	p.SegmentTexts.Truncate(m.segmentTexts)
	p.order = p.order[:0]
}
