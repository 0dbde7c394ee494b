package decode

// JSONLabels decodes our own JSON label events. Use NewJSONLabels.
type JSONLabels struct {
	*Labels
	scan  scanner
	event label // the one that is being read
}

// NewJSONLabels returns a decoder into empty columns of its own.
func NewJSONLabels(limits Limits) *JSONLabels { return newJSONLabels(NewLabels(limits)) }

func newJSONLabels(into *Labels) *JSONLabels { return &JSONLabels{Labels: into} }

const (
	labelID uint32 = 1 << iota
	labelModel
	labelTS
	labelLabel
)

// Append decodes one event. On an error, which is an *Error, the columns are
// as they were.
func (l *JSONLabels) Append(rec Record) error {
	if err := l.limits.start(rec); err != nil {
		return err
	}
	l.event = label{}
	if err := l.scan.members(rec.Value, &l.event); err != nil {
		return err
	}
	// A nil *Error must not become an error that is not nil.
	if err := l.end(&l.event, rec); err != nil {
		return err
	}
	return nil
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
		e.hasLabel = true
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
