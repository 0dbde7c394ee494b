package decode

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// arrowFault is a refused row, by its number in the record.
type arrowFault struct {
	row int
	err *Error
}

// arrowFaults collects what is wrong with rows, one mistake a row: the first
// that was found.
type arrowFaults struct {
	all []arrowFault
	bad []bool // by row; empty while there are none
}

func (f *arrowFaults) reset() { f.all, f.bad = f.all[:0], f.bad[:0] }

func (f *arrowFaults) add(row int, err *Error) {
	for row >= len(f.bad) {
		f.bad = append(f.bad, false)
	}
	if !f.bad[row] {
		f.bad[row] = true
		f.all = append(f.all, arrowFault{row, err})
	}
}

func (f *arrowFaults) has(row int) bool { return row < len(f.bad) && f.bad[row] }

func (f *arrowFaults) sort() {
	slices.SortFunc(f.all, func(a, b arrowFault) int { return cmp.Compare(a.row, b.row) })
}

// check finds the rows that JSON events of the same content would be refused
// for. It changes no columns.
func (a *arrowPredictions) check(b *arrowBatch, known int64) {
	p := a.reader.plan
	a.texts(b, p.one[roleID], textRule{missing: "send the id that the label will carry", max: maxName})
	a.texts(b, p.one[roleModel], textRule{missing: "send the model's name", max: maxName})
	a.texts(b, p.one[roleDeploy], textRule{missing: "send the hash of the deploy that answered", max: maxName})
	a.stages(b, p.one[roleStage])
	a.texts(b, p.one[roleStatus], textRule{empty: emptyStatusHint, max: maxName})
	a.texts(b, p.one[rolePredicted], textRule{empty: emptyClassHint, max: maxName})
	if c := p.one[rolePredicted]; c >= 0 && p.columns[c].kind.integer() {
		a.within(b, c, func(v float64) bool { return !rounded(v) }, wholeHint)
	}
	a.within(b, p.one[roleWeight], isWeight, weightHint)
	a.within(b, p.one[rolePropensity], isPropensity, propensityHint)
	for _, c := range p.features {
		a.texts(b, c, textRule{max: math.MaxInt})
	}
	for _, c := range p.segments {
		a.texts(b, c, textRule{max: maxName})
	}
	for _, c := range p.votes {
		a.texts(b, c, textRule{max: maxName})
	}
	if len(p.maps) > 0 {
		a.maps(b)
	}
	a.instants(b, known)
}

// textRule says which texts a column may hold.
type textRule struct {
	missing string // the hint if there must be a text; empty if there need not
	empty   string // the hint if a text that is there must not be empty
	max     int    // bytes
}

// check checks a text; nil is none.
func (t textRule) check(text []byte, known bool) *Error {
	switch {
	case len(text) == 0 && t.missing != "":
		return bad(MissingField, t.missing)
	case len(text) == 0 && text != nil && t.empty != "":
		return bad(BadValue, t.empty)
	case len(text) > t.max:
		return bad(BadValue, "the text is longer than 256 bytes")
	case !known && !clean(text):
		return bad(BadText, "send valid UTF-8 without NUL")
	}
	return nil
}

// texts checks a column of text, if it is one.
func (a *arrowPredictions) texts(b *arrowBatch, column int, rule textRule) {
	if column < 0 {
		return
	}
	c, v := &a.reader.plan.columns[column], &b.vectors[column]
	if !c.kind.text() {
		if rule.missing != "" { // a column of nulls
			for i := range b.rows {
				a.faults.add(b.first+i, bad(MissingField, rule.missing).at(c.name))
			}
		}
		return
	}
	known := false
	switch {
	case v.index != nil:
		known = v.dict.clean
		if v.dict.names && (rule.missing == "" || !v.absent) {
			return
		}
	case v.kind == arrowText && b.rows > 0:
		from, to := binary.LittleEndian.Uint32(v.offsets), binary.LittleEndian.Uint32(v.offsets[4*b.rows:])
		known = plainASCII(v.data[from:to])
		if known && v.valid == nil && sizesWithin(v.offsets, b.rows, rule) {
			return
		}
	}
	for i := range b.rows {
		text, _ := v.text(i)
		if len(text) > 0 && len(text) <= rule.max && known {
			continue
		}
		if err := rule.check(text, known); err != nil && bit(v.parent, i) {
			a.faults.add(b.first+i, err.at(short(c.field())))
		}
	}
}

// sizesWithin reports whether texts all have the sizes that a rule allows.
func sizesWithin(offsets []byte, rows int, rule textRule) bool {
	least, most := uint32(0), uint32(min(rule.max, math.MaxInt32))
	if rule.missing != "" || rule.empty != "" {
		least = 1
	}
	last := binary.LittleEndian.Uint32(offsets)
	for offsets = offsets[4 : 4*(rows+1)]; len(offsets) >= 4; offsets = offsets[4:] {
		next := binary.LittleEndian.Uint32(offsets)
		if next-last-least > most-least {
			return false
		}
		last = next
	}
	return true
}

func (a *arrowPredictions) stages(b *arrowBatch, column int) {
	if column < 0 || !a.reader.plan.columns[column].kind.text() {
		return
	}
	v := &b.vectors[column]
	if v.index != nil && !slices.ContainsFunc(v.dict.texts, func(text []byte) bool { return text != nil && checkStage(text) != nil }) {
		return
	}
	for i := range b.rows {
		text, ok := v.text(i)
		if !ok {
			continue
		}
		if err := checkStage(text); err != nil {
			a.faults.add(b.first+i, err.at("stage"))
		}
	}
}

// within refuses the numbers of a column that its role cannot have.
func (a *arrowPredictions) within(b *arrowBatch, column int, good func(float64) bool, hint string) {
	if column < 0 {
		return
	}
	v := &b.vectors[column]
	for i := range b.rows {
		if !v.isNull(i) && !good(v.float(i)) {
			a.faults.add(b.first+i, bad(BadValue, hint).at(a.reader.plan.columns[column].name))
		}
	}
}

// instants reads the event times of a batch into times and checks them.
func (a *arrowPredictions) instants(b *arrowBatch, known int64) {
	column := a.reader.plan.one[roleTS]
	v := &b.vectors[column]
	a.times = slices.Grow(a.times, b.rows)[:len(a.times)+b.rows]
	times := a.times[b.first:]
	if v.nulls() {
		for i := range b.rows {
			if v.isNull(i) {
				a.faults.add(b.first+i, &Error{MissingField, "ts", arrowTimeHint})
			}
		}
	}
	if v.kind == arrowNull {
		return
	}
	v.milliseconds(times, a.reader.plan.perSecond)
	low, high := max(known-a.limits.MaxAge.Milliseconds(), earliestKnown), known+a.limits.MaxAhead.Milliseconds()
	for i, ts := range times {
		if (ts < low || ts > high) && !v.isNull(i) {
			a.faults.add(b.first+i, a.limits.checkTime(ts, known))
		}
	}
}

// milliseconds writes the rows of a column of times, cut to the millisecond.
func (v *arrowVector) milliseconds(into []int64, perSecond int64) {
	for i := range into {
		into[i] = int64(binary.LittleEndian.Uint64(v.data[8*i:]))
	}
	switch perSecond {
	case 1:
		for i, s := range into {
			into[i] = min(max(s, math.MinInt64/1000), math.MaxInt64/1000) * 1000
		}
	case 1e6:
		for i, us := range into {
			into[i] = floorDiv(us, 1e3)
		}
	case 1e9:
		for i, ns := range into {
			into[i] = floorDiv(ns, 1e6)
		}
	}
}

func floorDiv(a, by int64) int64 {
	q := a / by
	if a%by < 0 {
		q--
	}
	return q
}

// maps checks rows of maps: their keys, their texts, and that no row has a
// feature or segment twice or too many of them.
func (a *arrowPredictions) maps(b *arrowBatch) {
	for i := range b.rows {
		a.row++
		features, segments := 0, 0
		err := a.plainNames(b, i, &features, &segments)
		for _, m := range a.reader.plan.maps {
			if err != nil {
				break
			}
			n := &features
			if a.reader.plan.columns[m].role == roleSegment {
				n = &segments
			}
			err = a.entries(b, m, i, n)
		}
		switch {
		case err != nil:
		case features > a.limits.MaxFeatures:
			err = &Error{TooManyFeatures, "features", "send fewer features, or raise max_features"}
		case segments > maxSegments:
			err = &Error{TooManyFeatures, "segments", "send at most 64 segments"}
		}
		if err != nil {
			a.faults.add(b.first+i, err)
		}
	}
}

// plainNames marks the features and segments that a row has in columns.
func (a *arrowPredictions) plainNames(b *arrowBatch, row int, features, segments *int) *Error {
	p := a.reader.plan
	for _, c := range p.features {
		if bit(b.vectors[c].parent, row) {
			*features++
			if err := a.once(&p.columns[c], []byte(p.columns[c].name)); err != nil {
				return err
			}
		}
	}
	for _, c := range p.segments {
		if bit(b.vectors[c].parent, row) {
			*segments++
			if err := a.once(&p.columns[c], []byte(p.columns[c].name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// once refuses a name that the row has already.
func (a *arrowPredictions) once(c *arrowColumn, name []byte) *Error {
	names, seen := &a.featureNames, &a.featureSeen
	if c.role == roleSegment {
		names, seen = &a.segmentNames, &a.segmentSeen
	}
	id := int(names.ID(name))
	for id >= len(*seen) {
		*seen = append(*seen, 0)
	}
	if (*seen)[id] == a.row {
		return bad(DuplicateKey, "send each feature and segment once").at(short(c.fieldOf(name)))
	}
	(*seen)[id] = a.row
	return nil
}

// fieldOf is the name of a feature or segment as an Error names it.
func (c *arrowColumn) fieldOf(name []byte) string {
	if c.role == roleSegment {
		return "segments." + string(name)
	}
	return "features." + string(name)
}

// entries checks the entries of a row of a map and counts them.
func (a *arrowPredictions) entries(b *arrowBatch, column, row int, n *int) *Error {
	c, v := &a.reader.plan.columns[column], &b.vectors[column]
	keys := &b.vectors[c.keys]
	rule := textRule{max: math.MaxInt}
	if c.role == roleSegment {
		rule.max = maxName
	}
	from, to := v.entries(row)
	*n += to - from
	for k := from; k < to; k++ {
		key, _ := keys.text(k)
		if len(key) == 0 || len(key) > maxName {
			return bad(BadValue, "a feature's or segment's name has 1 to 256 bytes").at(c.name)
		}
		if !clean(key) {
			return bad(BadText, "send valid UTF-8 without NUL").at(c.name)
		}
		if err := a.once(c, key); err != nil {
			return err
		}
		if c.kind.text() {
			text, _ := v.text(k)
			if err := rule.check(text, false); err != nil {
				return err.at(short(c.fieldOf(key)))
			}
		}
	}
	return nil
}
