package decode

// Predictions are decoded prediction events as columns. The zero value is not
// ready; use NewPredictions. Keys of Numbers, Categories and Nulls are
// identifiers in Features; keys of Segments in SegmentKeys.
type Predictions struct {
	limits Limits

	Model, Deploy, Stage, Predicted, Status Names
	// Half says which half of an exchange the row is: HalfRequest, HalfResponse,
	// or empty for both in one.
	Half Names

	ID             Text
	TS             []int64 // event time, Unix milliseconds
	Score          Floats
	PredictedValue Floats
	Latency        Floats
	Weight         []float64
	// Propensity is the probability with which the prediction is given a label,
	// where its producer knows it.
	Propensity Floats
	// Disagreement is that of an ensemble's members, Explained 1 where the
	// prediction carries an explanation and 0 where it has none.
	Disagreement, Explained Floats
	Source                  Origin

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

	categoryText, segmentText volume

	Tally
	// ensemble is that of the event under way.
	ensemble ensemble

	// seen is the event in which a feature was last read, seenSeg a segment.
	seen    []uint64
	seenSeg []uint64
	event   uint64
	// life changes when identifiers of the dictionaries lose their meaning, so
	// that a decoder may keep those it has looked up until then.
	life uint64
}

// The halves of an exchange that shapes log apart, under one identifier. The
// request has the features, the response what the model answered; ClickHouse
// merges them (the view predictions_whole), and only the request counts as a
// delivery.
const (
	HalfRequest  = "request"
	HalfResponse = "response"
)

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
	p.Half.Reset()
	p.ID.Truncate(0)
	p.TS, p.Weight = p.TS[:0], p.Weight[:0]
	p.Score.Reset()
	p.PredictedValue.Reset()
	p.Latency.Reset()
	p.Propensity.Reset()
	p.Disagreement.Reset()
	p.Explained.Reset()
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
	p.categoryText, p.segmentText = volume{}, volume{}
	p.seen, p.seenSeg = p.seen[:0], p.seenSeg[:0]
	p.Tally = Tally{}
	p.life++
}

// prediction is the plain part of the event that is being read.
type prediction struct {
	fields                                            uint32
	id, model, deploy, stage, predicted, status, half []byte
	ts                                                int64
	score, value, latency, weight, propensity         float64
	hasScore, hasValue, hasLatency, hasWeight, hasTS  bool
	hasPropensity                                     bool
	disagreement, explained, explanation              float64
	hasDisagreement, hasExplained, hasExplanation     bool
	unknown                                           int
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
	case e.status != nil && len(e.status) == 0:
		return &Error{BadValue, "status", emptyStatusHint}
	case e.predicted != nil && len(e.predicted) == 0:
		return &Error{BadValue, "predicted", emptyClassHint}
	}
	return l.checkTime(e.ts, known)
}

// What to do about a text that is there and empty: whether its producer meant the
// default or lost a value, nobody can tell.
const (
	emptyStatusHint = "an empty status says neither that the request went well nor what failed; send ok or the class of the error, or leave it out"
	emptyClassHint  = "an empty class cannot be told from none; send the class, or null if there is none"
)

var wordProduction = []byte("production")

func orElse(b, otherwise []byte) []byte {
	if len(b) == 0 {
		return otherwise
	}
	return b
}

func (p *Predictions) commit(e *prediction, rec *Record) {
	p.Model.Append(e.model)
	p.Deploy.Append(e.deploy)
	p.Stage.Append(orElse(e.stage, wordProduction))
	p.Predicted.Append(e.predicted)
	p.Status.Append(orElse(e.status, wordOK))
	p.Half.Append(e.half)
	p.ID.Append(e.id)
	p.TS = append(p.TS, e.ts)
	p.Score.Append(e.score, e.hasScore)
	p.PredictedValue.Append(e.value, e.hasValue)
	p.Latency.Append(e.latency, e.hasLatency)
	if !e.hasWeight {
		e.weight = 1
	}
	p.Weight = append(p.Weight, e.weight)
	p.Propensity.Append(e.propensity, e.hasPropensity)
	e.doubt(&p.ensemble)
	row := len(p.TS) - 1
	p.Disagreement.Put(row, e.disagreement, e.hasDisagreement)
	p.Explained.Put(row, e.explained, e.hasExplained)
	p.Source.add(rec.Known, rec.Offset)
	p.Numbers.close()
	p.Categories.close()
	p.Nulls.close()
	p.Segments.close()
	p.Unknown += e.unknown
}

// begin starts a row and returns what rollback needs.
func (p *Predictions) begin() mark {
	p.event++
	p.ensemble.reset()
	return p.mark()
}

// end checks and commits the row that is under way.
func (p *Predictions) end(e *prediction, rec Record) *Error { return p.endOf(e, &rec) }

// endOf is end for decoders of which each copy of the record would take as long
// as a field does.
func (p *Predictions) endOf(e *prediction, rec *Record) *Error {
	if err := e.check(p.limits, rec.Known); err != nil {
		return err
	}
	p.commit(e, rec)
	return nil
}

// intern returns the identifier of a feature's name, valid for one life.
func (p *Predictions) intern(name []byte) int32 {
	id := p.Features.ID(name)
	for int(id) >= len(p.seen) {
		p.seen = append(p.seen, 0)
	}
	return id
}

// once refuses a feature that the row under way has already.
func (p *Predictions) once(feature int32) *Error {
	if p.seen[feature] == p.event {
		return bad(DuplicateKey, "send each feature once")
	}
	p.seen[feature] = p.event
	return nil
}

// feature is intern and once behind a check of the name.
func (p *Predictions) feature(name []byte) (int32, *Error) {
	if len(name) == 0 || len(name) > maxName {
		return 0, bad(BadValue, "a feature's name has 1 to 256 bytes")
	}
	id := p.intern(name)
	return id, p.once(id)
}

func (p *Predictions) number(feature int32, v float64) {
	p.Numbers.Keys = append(p.Numbers.Keys, feature)
	p.NumberValues = append(p.NumberValues, v)
}

func (p *Predictions) category(feature int32, text []byte) {
	p.Categories.Keys = append(p.Categories.Keys, feature)
	p.CategoryValues = append(p.CategoryValues, p.Values.ID(text))
}

func (p *Predictions) null(feature int32) { p.Nulls.Keys = append(p.Nulls.Keys, feature) }

// segmentID returns the identifier of a segment's name, which the row under way
// may not have already.
func (p *Predictions) segmentID(name []byte) (int32, *Error) {
	if len(name) == 0 || len(name) > maxName {
		return 0, bad(BadValue, "a segment's name has 1 to 256 bytes")
	}
	id := p.SegmentKeys.ID(name)
	for int(id) >= len(p.seenSeg) {
		p.seenSeg = append(p.seenSeg, 0)
	}
	if p.seenSeg[id] == p.event {
		return 0, bad(DuplicateKey, "send each segment once")
	}
	p.seenSeg[id] = p.event
	return id, nil
}

// slice puts the row under way into a segment.
func (p *Predictions) slice(segment int32, text []byte) {
	p.Segments.Keys = append(p.Segments.Keys, segment)
	p.SegmentValues = append(p.SegmentValues, p.SegmentTexts.ID(text))
}

// mark holds the lengths that a refused record is rolled back to. Those of the
// lists are known from the number of rows.
type mark struct {
	rows                                        int
	features, values, segmentKeys, segmentTexts int
}

func (p *Predictions) mark() (m mark) {
	m.set(p)
	return m
}

// set is mark in place: a mark that is copied at once waits for its own stores.
func (m *mark) set(p *Predictions) {
	m.rows = p.Len()
	m.features, m.values = p.Features.Len(), p.Values.Len()
	m.segmentKeys, m.segmentTexts = p.SegmentKeys.Len(), p.SegmentTexts.Len()
}

func (p *Predictions) rollback(m mark) {
	if p.Len() > m.rows { // a record of several rows
		p.truncate(m.rows)
	}
	for _, l := range []*List{&p.Numbers, &p.Categories, &p.Nulls, &p.Segments} {
		l.cut(m.rows)
	}
	p.NumberValues = p.NumberValues[:len(p.Numbers.Keys)]
	p.CategoryValues = p.CategoryValues[:len(p.Categories.Keys)]
	p.SegmentValues = p.SegmentValues[:len(p.Segments.Keys)]
	var now mark
	now.set(p)
	if now == m { // most bad events bring no new name: what decoders know stays true
		return
	}
	p.Features.Truncate(m.features)
	p.Values.Truncate(m.values)
	p.SegmentKeys.Truncate(m.segmentKeys)
	p.SegmentTexts.Truncate(m.segmentTexts)
	p.life++
}

// truncate keeps the first rows of the plain columns; rollback does the rest.
func (p *Predictions) truncate(rows int) {
	for _, n := range []*Names{&p.Model, &p.Deploy, &p.Stage, &p.Predicted, &p.Status, &p.Half} {
		n.IDs = n.IDs[:rows]
	}
	for _, f := range []*Floats{&p.Score, &p.PredictedValue, &p.Latency, &p.Propensity, &p.Disagreement, &p.Explained} {
		f.truncate(rows)
	}
	p.ID.Truncate(rows)
	p.TS, p.Weight = p.TS[:rows], p.Weight[:rows]
	p.Source.Known, p.Source.Offset = p.Source.Known[:rows], p.Source.Offset[:rows]
}
