package decode

import "fmt"

// Reason says why an event was refused. The list is closed: it is a metric
// label.
type Reason uint8

// The reasons.
const (
	_               Reason = iota
	Unparsable             // not JSON, or not one JSON object
	MissingField           // a required field is absent, null or empty
	WrongType              // a field has another JSON type than the schema's
	BadValue               // the type is right, the value is not allowed
	BadText                // invalid UTF-8, a lone surrogate or a NUL
	DuplicateKey           // a key stands twice in one object
	TooNested              // an object or array where a plain value belongs
	TooLarge               // the event exceeds Limits.MaxBytes
	TooManyFeatures        // more features or segments than allowed
	TimeOutOfRange         // event time too far from the Kafka timestamp
	UnknownSchema          // the schema registry does not know the schema's id
	afterLastReason        // keep last
)

// Reasons returns every reason.
func Reasons() []Reason {
	all := make([]Reason, 0, afterLastReason-1)
	for r := Unparsable; r < afterLastReason; r++ {
		all = append(all, r)
	}
	return all
}

// String returns the reason as metrics and dead letters spell it.
func (r Reason) String() string {
	switch r {
	case Unparsable:
		return "unparsable"
	case MissingField:
		return "missing_field"
	case WrongType:
		return "wrong_type"
	case BadValue:
		return "bad_value"
	case BadText:
		return "bad_text"
	case DuplicateKey:
		return "duplicate_key"
	case TooNested:
		return "too_nested"
	case TooLarge:
		return "too_large"
	case TooManyFeatures:
		return "too_many_features"
	case TimeOutOfRange:
		return "time_out_of_range"
	case UnknownSchema:
		return "unknown_schema"
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// Error is a refused event: why, where, and what its producer can do.
type Error struct {
	Reason Reason
	// Field names the field, for example "ts" or "features.distance"; empty if
	// the event as a whole is meant.
	Field string
	// Hint is what to do about it, as a clause.
	Hint string
}

// Error returns the reason, the field and the hint in one line.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Reason.String() + ": " + e.Hint
	}
	return fmt.Sprintf("%s: field %q: %s", e.Reason, e.Field, e.Hint)
}

// at returns the error with its field set, unless a deeper one set it already.
// Names of fields are the producer's and may be as long as the event; what an
// error says goes into the headers of a dead letter, into logs and onto a page.
func (e *Error) at(field string) *Error {
	if e != nil && e.Field == "" {
		e.Field = cut(field)
	}
	return e
}

func bad(reason Reason, hint string) *Error { return &Error{Reason: reason, Hint: hint} }
