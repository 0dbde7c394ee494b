package decode

// KPIs are decoded readings of business figures as columns. Use NewKPIs.
type KPIs struct {
	limits Limits

	Model, Name, Segment Names
	TS                   []int64 // when the reading was taken, Unix milliseconds
	Value                []float64
	Source               Origin
	Tally
}

// NewKPIs returns empty columns.
func NewKPIs(limits Limits) *KPIs { return &KPIs{limits: limits} }

// Len returns the number of rows.
func (k *KPIs) Len() int { return len(k.TS) }

// Reset empties the columns and keeps their memory.
func (k *KPIs) Reset() {
	k.Model.Reset()
	k.Name.Reset()
	k.Segment.Reset()
	k.TS, k.Value = k.TS[:0], k.Value[:0]
	k.Source.Reset()
	k.Tally = Tally{}
}

// kpi is the reading that is being decoded.
type kpi struct {
	fields               uint32
	model, name, segment []byte
	ts                   int64
	value                float64
	hasTS, hasValue      bool
	unknown              int
}

// end checks and commits one reading.
func (k *KPIs) end(e *kpi, rec Record) *Error {
	if err := e.check(k.limits, rec.Known); err != nil {
		return err
	}
	k.Model.Append(e.model)
	k.Name.Append(e.name)
	k.Segment.Append(e.segment)
	k.TS = append(k.TS, e.ts)
	k.Value = append(k.Value, e.value)
	k.Source.append(rec)
	k.Unknown += e.unknown
	return nil
}

func (e *kpi) check(l Limits, known int64) *Error {
	switch {
	case len(e.model) == 0:
		return &Error{MissingField, "model", "send the model's name"}
	case len(e.name) == 0:
		return &Error{MissingField, "name", "send the name of the figure, for example revenue"}
	case !e.hasTS:
		return &Error{MissingField, "ts", timeHint}
	case !e.hasValue:
		return &Error{MissingField, "value", "send the reading as a number; where there is none, send no event"}
	case e.value-e.value != 0: // NaN or infinite
		return &Error{BadValue, "value", "send a finite number; where there is none, send no event"}
	}
	return l.checkTime(e.ts, known)
}

// Pick appends row i of from.
func (k *KPIs) Pick(from *KPIs, i int) { k.PickAs(from, i, from.Segment.At(i)) }

// PickAs appends row i of from in another segment.
func (k *KPIs) PickAs(from *KPIs, i int, segment []byte) {
	k.Model.Append(from.Model.At(i))
	k.Name.Append(from.Name.At(i))
	k.Segment.Append(segment)
	k.TS = append(k.TS, from.TS[i])
	k.Value = append(k.Value, from.Value[i])
	k.Source.pick(&from.Source, i)
}

func (k *KPIs) cut(n int) {
	for _, names := range []*Names{&k.Model, &k.Name, &k.Segment} {
		names.cut(n)
	}
	k.TS, k.Value = k.TS[:n], k.Value[:n]
	k.Source.cut(n)
}

// JSONKPIs decodes our own JSON readings. Use NewJSONKPIs.
type JSONKPIs struct {
	*KPIs
	scan  scanner
	event kpi // the one that is being read
}

// NewJSONKPIs returns a decoder into empty columns of its own.
func NewJSONKPIs(limits Limits) *JSONKPIs { return &JSONKPIs{KPIs: NewKPIs(limits)} }

// Append decodes one event. On an error, which is an *Error, the columns are
// as they were.
func (k *JSONKPIs) Append(rec Record) error {
	if err := k.limits.start(rec); err != nil {
		return err
	}
	k.event = kpi{}
	if err := k.scan.members(rec.Value, &k.event); err != nil {
		return err
	}
	if err := k.end(&k.event, rec); err != nil {
		return err
	}
	return nil
}

func (e *kpi) field(s *scanner, key []byte) (err *Error) {
	var bit uint32
	switch string(key) {
	case "model":
		bit = 1
		e.model, err = s.name()
	case "name":
		bit = 2
		e.name, err = s.name()
	case "ts":
		bit = 4
		e.ts, err = s.instant()
		e.hasTS = err == nil
	case "value":
		bit = 8
		e.value, e.hasValue, err = s.measured()
	case "segment":
		bit = 16
		e.segment, err = s.name()
	default:
		e.unknown++
		return s.skip(0)
	}
	if err == nil && e.fields&bit != 0 {
		err = bad(DuplicateKey, "send each key once")
	}
	e.fields |= bit
	return err
}
