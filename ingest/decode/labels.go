package decode

// Labels are decoded label events as columns. Use NewLabels.
type Labels struct {
	limits Limits
	scan   scanner

	Model   Names
	ID      Text
	TS      []int64 // label time, Unix milliseconds
	Class   Names
	Value   Floats
	Deleted []uint8 // 1 if the label withdraws those before it
	Source  Source
	// Unknown counts top-level fields that the schema does not know.
	Unknown int
}

// NewLabels returns empty columns.
func NewLabels(limits Limits) *Labels { return &Labels{limits: limits} }

// Len returns the number of rows.
func (l *Labels) Len() int { return len(l.TS) }

// Reset empties the columns and keeps their memory.
func (l *Labels) Reset() {
	l.Model.Reset()
	l.ID.Truncate(0)
	l.TS, l.Deleted = l.TS[:0], l.Deleted[:0]
	l.Class.Reset()
	l.Value.Reset()
	l.Source.Reset()
	l.Unknown = 0
}

type label struct {
	fields          uint32
	id, model       []byte
	ts              int64
	class           []byte
	value           float64
	hasTS, hasValue bool
	unknown         int
}

const (
	labelID uint32 = 1 << iota
	labelModel
	labelTS
	labelLabel
)

// Append decodes one event. On an error, which is an *Error, the columns are
// as they were.
func (l *Labels) Append(rec Record) error {
	if err := l.limits.start(rec); err != nil {
		return err
	}
	var e label
	if err := l.read(&e, rec); err != nil {
		return err
	}
	l.Model.Append(e.model)
	l.ID.Append(e.id)
	l.TS = append(l.TS, e.ts)
	l.Class.Append(e.class)
	l.Value.Append(e.value, e.hasValue)
	deleted := uint8(0)
	if e.class == nil && !e.hasValue {
		deleted = 1
	}
	l.Deleted = append(l.Deleted, deleted)
	l.Source.append(rec)
	l.Unknown += e.unknown
	return nil
}

func (l *Labels) read(e *label, rec Record) *Error {
	s := &l.scan
	s.reset(rec.Value)
	if s.space() != '{' {
		return bad(Unparsable, "send one JSON object a record")
	}
	more := s.open('}')
	for more {
		key, err := s.key()
		if err == nil {
			if err = e.field(s, key); err != nil {
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
	return e.check(l.limits, rec.Known)
}

func (e *label) field(s *scanner, key []byte) (err *Error) {
	bit := uint32(0)
	switch string(key) {
	case "prediction_id":
		bit = labelID
		e.id, err = s.name()
	case "model":
		bit = labelModel
		e.model, err = s.name()
	case "ts":
		bit = labelTS
		e.ts, err = s.instant()
		e.hasTS = err == nil
	case "label":
		bit = labelLabel
		e.class, e.value, e.hasValue, err = s.class()
	default:
		e.unknown++
		err = s.skip(0)
	}
	if err == nil && e.fields&bit != 0 {
		err = bad(DuplicateKey, "send each key once")
	}
	e.fields |= bit
	return err
}

func (e *label) check(l Limits, known int64) *Error {
	switch {
	case len(e.id) == 0:
		return &Error{MissingField, "prediction_id", "send the id of the prediction"}
	case len(e.model) == 0:
		return &Error{MissingField, "model", "send the model's name"}
	case !e.hasTS:
		return &Error{MissingField, "ts", timeHint}
	case e.fields&labelLabel == 0:
		return &Error{MissingField, "label", "send the true class or number; null withdraws the labels before"}
	case e.class != nil && len(e.class) == 0:
		return &Error{BadValue, "label", "an empty class cannot be told from none; send null to withdraw a label"}
	}
	return l.checkTime(e.ts, known)
}
