package decode

// JSONLabels decodes our own JSON label events. Use NewJSONLabels.
type JSONLabels struct {
	*Labels
	scan scanner
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
	var e label
	if err := l.read(&e, rec); err != nil {
		return err
	}
	// A nil *Error must not become an error that is not nil.
	if err := l.end(&e, rec); err != nil {
		return err
	}
	return nil
}

func (l *JSONLabels) read(e *label, rec Record) *Error {
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
