package decode

// Labels are decoded label events as columns. Use NewLabels.
type Labels struct {
	limits Limits

	Model   Names
	ID      Text
	TS      []int64 // label time, Unix milliseconds
	Class   Names
	Value   Floats
	Deleted []uint8 // 1 if the label withdraws those before it
	Source  Origin
	Tally
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
	l.Tally = Tally{}
}

type label struct {
	fields          uint32
	id, model       []byte
	ts              int64
	class           []byte
	value           float64
	hasTS, hasValue bool
	hasLabel        bool
	unknown         int
}

// end checks and commits one label.
func (l *Labels) end(e *label, rec Record) *Error {
	if err := e.check(l.limits, rec.Known); err != nil {
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

func (e *label) check(l Limits, known int64) *Error {
	switch {
	case len(e.id) == 0:
		return &Error{MissingField, "prediction_id", "send the id of the prediction"}
	case len(e.model) == 0:
		return &Error{MissingField, "model", "send the model's name"}
	case !e.hasTS:
		return &Error{MissingField, "ts", timeHint}
	case !e.hasLabel:
		return &Error{MissingField, "label", "send the true class or number; null withdraws the labels before"}
	case e.class != nil && len(e.class) == 0:
		return &Error{BadValue, "label", "an empty class cannot be told from none; send null to withdraw a label"}
	case e.hasValue && !finite(e.value):
		return &Error{BadValue, "label", "NaN or an infinity is no truth, and would count as a wrong prediction; where there is no label, send no event (null withdraws the labels before)"}
	}
	return l.checkTime(e.ts, known)
}
