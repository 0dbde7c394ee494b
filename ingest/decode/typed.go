package decode

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	plumbline "github.com/plumbline-slo/plumbline"
)

// typed collects one event of a shape with a schema and makes it a row. Its
// methods are told the slot of each value; the decoder knows it from its plan.
type typed struct {
	into  Columns
	event prediction // what the kinds have in common, and predictions
	label bool       // a label was sent, if only null
	texts [6][]byte  // of a deployment
	// order is the feature at each position of the event before, for one life of
	// the columns: producers write their features in one order.
	order   []int32
	ordered uint64
	scratch []byte

	// interned are those of the plan in use; feature and part are the feature and
	// the segment of a map whose value is being read.
	*interned
	feature, part int32
}

// interned are the identifiers of a plan's features, for one life of the columns.
type interned struct {
	features []int32
	named    uint64
}

// category adds a category of a feature. Most values are among the recent ones,
// whose text is good.
func (t *typed) category(feature int32, text []byte) *Error {
	p := t.into.Predictions
	id, known := p.Values.recent(text)
	if !known {
		if err := checkText(text); err != nil {
			return err
		}
		id = p.Values.ID(text)
	}
	p.Categories.Keys = append(p.Categories.Keys, feature)
	p.CategoryValues = append(p.CategoryValues, id)
	return nil
}

// know interns the names of a plan's features, unless that was done.
func (t *typed) know(names [][]byte) {
	p := t.into.Predictions
	if t.named == p.life+1 {
		return
	}
	t.features = t.features[:0]
	for _, name := range names {
		t.features = append(t.features, p.intern(name))
	}
	t.named = p.life + 1 // 0 is none
}

// begin forgets the event before.
func (t *typed) begin() {
	t.event = prediction{}
	t.scratch = t.scratch[:0]
	if t.into.Predictions == nil {
		t.label, t.texts = false, [6][]byte{}
		return
	}
	if p := t.into.Predictions; t.ordered != p.life {
		t.order, t.ordered = t.order[:0], p.life
	}
}

// end checks the event and makes it a row.
func (t *typed) end(rec Record) *Error { return t.endOf(&rec) }

func (t *typed) endOf(rec *Record) *Error {
	e := &t.event
	switch {
	case t.into.Predictions != nil:
		return t.into.Predictions.endOf(e, rec)
	case t.into.Labels != nil:
		l := label{id: e.id, model: e.model, ts: e.ts, hasTS: e.hasTS, class: e.predicted, value: e.value, hasValue: e.hasValue, hasLabel: t.label, unknown: e.unknown}
		return t.into.Labels.end(&l, *rec)
	}
	if t.into.KPIs != nil {
		k := kpi{model: e.model, name: e.id, segment: t.texts[0], ts: e.ts, hasTS: e.hasTS, value: e.value, hasValue: e.hasValue, unknown: e.unknown}
		return t.into.KPIs.end(&k, *rec)
	}
	d := deployment{model: e.model, deploy: e.deploy, stage: e.stage, texts: t.texts, ts: e.ts, hasTS: e.hasTS, unknown: e.unknown}
	return t.into.Deployments.end(&d, *rec)
}

// text sets a slot to a text, which must stay as it is until end.
func (t *typed) text(at slot, b []byte) *Error {
	if err := checkText(b); err != nil {
		return err
	}
	e := &t.event
	if at == slotTS {
		var err *Error
		e.ts, err = parseTime(b)
		e.hasTS = err == nil
		return err
	}
	if at >= slotVersion && at <= slotNote {
		t.texts[at-slotVersion] = b
		return nil
	}
	if len(b) > maxName {
		return bad(BadValue, "the text is longer than 256 bytes")
	}
	switch at {
	case slotID, slotKPIName:
		e.id = b
	case slotKPISegment:
		t.texts[0] = b
	case slotModel:
		e.model = b
	case slotDeploy:
		e.deploy = b
	case slotStage:
		e.stage = b
		return checkStage(b)
	case slotStatus:
		e.status = b
	case slotPredicted, slotLabel:
		e.predicted, t.label = b, true
	}
	return nil
}

// checkStage refuses what is no stage of the domain.
func checkStage(b []byte) *Error {
	if plumbline.Stage(text(b)).Valid() {
		return nil
	}
	return bad(BadValue, "send production, canary, shadow or training")
}

// checkText refuses what a text column cannot hold: bytes that are not UTF-8,
// and NUL.
func checkText(b []byte) *Error {
	const lows, highs = 0x0101010101010101, 0x8080808080808080
	rest := b
	for len(rest) >= 8 {
		w := binary.LittleEndian.Uint64(rest)
		// A byte above 0x7f, or one that borrows because it is 0.
		if (w|(w-lows))&highs != 0 {
			return checkWide(b)
		}
		rest = rest[8:]
	}
	for _, c := range rest {
		if c-1 >= utf8.RuneSelf-1 {
			return checkWide(b)
		}
	}
	return nil
}

func checkWide(b []byte) *Error {
	for _, c := range b {
		if c == 0 {
			return bad(BadText, "remove the NUL")
		}
	}
	if !utf8.Valid(b) {
		return bad(BadText, "send valid UTF-8")
	}
	return nil
}

// number sets a slot to a number.
func (t *typed) number(at slot, v float64) *Error {
	e := &t.event
	switch at {
	case slotScore:
		e.score, e.hasScore = v, true
	case slotLatency:
		e.latency, e.hasLatency = v, true
	case slotPredicted, slotLabel, slotKPIValue:
		e.value, e.hasValue, t.label = v, true, true
	case slotDisagreement:
		e.disagreement, e.hasDisagreement = v, true
	case slotWeight:
		if !isWeight(v) {
			return bad(BadValue, weightHint)
		}
		e.weight, e.hasWeight = v, true
	case slotPropensity:
		if !isPropensity(v) {
			return bad(BadValue, propensityHint)
		}
		e.propensity, e.hasPropensity = v, true
	}
	return nil
}

// instant sets the event time from a whole number of units.
func (t *typed) instant(v int64, unit time.Duration) {
	t.event.ts, t.event.hasTS = milli(v, unit), true
}

// milli cuts a time to the millisecond, towards the past as parseTime does.
// Times beyond the range of checkTime may come out as any time beyond it.
func milli(v int64, unit time.Duration) int64 {
	if unit == time.Millisecond {
		return v
	}
	if unit >= time.Millisecond {
		per := int64(unit / time.Millisecond)
		if v > math.MaxInt64/per || v < math.MinInt64/per {
			return math.MinInt64 / 2
		}
		return v * per
	}
	per := int64(time.Millisecond / unit)
	if v < 0 && v%per != 0 {
		return v/per - 1
	}
	return v / per
}

// boolean sets a slot to a boolean, which is a class.
func (t *typed) boolean(at slot, v bool) {
	if at == slotPredicted || at == slotLabel {
		t.event.predicted, t.label = booleanText(v), true
	}
	if at == slotExplained {
		t.event.explained, t.event.hasExplained = share(v), true
	}
}

func booleanText(v bool) []byte {
	if v {
		return wordTrue
	}
	return wordFalse
}

// null notes that a slot was sent without a value.
func (t *typed) null(at slot) {
	if at == slotLabel {
		t.label = true
	}
}

// position returns the identifier of the feature whose name stands at a
// position of a map, and refuses a name that the event has already.
func (t *typed) position(n int, name []byte) (int32, *Error) {
	p := t.into.Predictions
	if n < len(t.order) {
		if id := t.order[n]; p.Features.Is(id, name) {
			return id, p.once(id)
		}
	}
	if n >= p.limits.MaxFeatures {
		return 0, bad(TooManyFeatures, "send fewer features, or raise max_features")
	}
	if err := checkText(name); err != nil {
		return 0, err
	}
	id, err := p.feature(name)
	switch {
	case err != nil:
	case n < len(t.order):
		t.order[n] = id
	case n == len(t.order):
		t.order = append(t.order, id)
	}
	return id, err
}

// segment puts the event into a segment; a number is written in decimal.
func (t *typed) segment(id int32, text []byte) *Error {
	if err := checkText(text); err != nil {
		return err
	}
	if len(text) > maxName {
		return bad(BadValue, "the text is longer than 256 bytes")
	}
	t.into.Predictions.slice(id, text)
	return nil
}

func (t *typed) decimal(v float64) []byte {
	from := len(t.scratch)
	t.scratch = strconv.AppendFloat(t.scratch, v, 'g', -1, 64)
	return t.scratch[from:]
}

func (t *typed) whole(v int64) []byte {
	from := len(t.scratch)
	t.scratch = strconv.AppendInt(t.scratch, v, 10)
	return t.scratch[from:]
}

// segmentNamed returns the identifier of the segment whose name stands at a
// position of a map.
func (t *typed) segmentNamed(n int, name []byte) (int32, *Error) {
	if n >= maxSegments {
		return 0, bad(TooManyFeatures, "send at most 64 segments")
	}
	if err := checkText(name); err != nil {
		return 0, err
	}
	return t.into.Predictions.segmentID(name)
}

func (t *typed) setNumber(s *target, v float64) *Error {
	switch s.at {
	case slotFeature:
		t.into.Predictions.number(t.feature, v)
		return nil
	case slotSegment:
		return t.slice(s, t.decimal(v))
	}
	return t.number(s.at, v)
}

// setFloat is setNumber for a float of 32 bits. As a segment it is written in the
// fewest digits that tell it from others of its type, as arrow writes it.
func (t *typed) setFloat(s *target, v float32) *Error {
	if s.at != slotSegment {
		return t.setNumber(s, float64(v))
	}
	from := len(t.scratch)
	t.scratch = strconv.AppendFloat(t.scratch, float64(v), 'g', -1, 32)
	return t.slice(s, t.scratch[from:])
}

func (t *typed) setInteger(s *target, v int64) *Error {
	switch s.at {
	case slotSegment:
		return t.slice(s, t.whole(v))
	case slotPredicted, slotLabel:
		if rounded(float64(v)) {
			return bad(BadValue, wholeHint)
		}
	}
	return t.setNumber(s, float64(v))
}

func (t *typed) setText(s *target, b []byte) *Error {
	switch s.at {
	case slotFeature:
		return t.category(t.feature, b)
	case slotSegment:
		return t.slice(s, b)
	}
	return t.text(s.at, b)
}

func (t *typed) setBoolean(s *target, v bool) *Error {
	switch s.at {
	case slotFeature:
		t.into.Predictions.category(t.feature, booleanText(v))
		return nil
	case slotSegment:
		return t.slice(s, booleanText(v))
	}
	t.boolean(s.at, v)
	return nil
}

// none takes a null.
func (t *typed) none(s *target) {
	if s.at == slotFeature {
		t.into.Predictions.null(t.feature)
		return
	}
	t.null(s.at)
}

// slice puts the event into a segment whose name stands in the schema, or in
// the event.
func (t *typed) slice(s *target, text []byte) *Error {
	id := t.part
	if s.feature >= 0 {
		var err *Error
		if id, err = t.into.Predictions.segmentID(s.name); err != nil {
			return err
		}
	}
	return t.segment(id, text)
}
