package decode

import (
	"fmt"
	"iter"
)

// Tally counts what a decoder met beside the rows it made.
type Tally struct {
	// Unknown counts top-level fields that the schema does not know. They are
	// skipped, so that producers may add fields before the service knows them.
	Unknown int
	// Skipped counts records that are no event of ours, such as a health probe
	// in a log of requests.
	Skipped int
}

// Record is one Kafka record as a decoder sees it. Its bytes are views that are
// valid during Append.
type Record struct {
	Offset int64
	// Known is the Kafka timestamp in Unix milliseconds.
	Known int64
	Key   []byte
	Value []byte
	// Headers gives the headers; nil if there are none.
	Headers Headers
}

// Headers are the headers of a record, in the producer's order; keys may repeat.
type Headers interface {
	Headers() iter.Seq2[[]byte, []byte]
}

// header returns the last value of a header, as Kafka's lastHeader does, and
// whether it stands there.
func (r Record) header(name string) (value []byte, ok bool) {
	if r.Headers == nil {
		return nil, false
	}
	for k, v := range r.Headers.Headers() {
		if string(k) == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// Decoder turns the records of one shape into rows of the columns it was made
// with. One record may give several rows, or none. Its error is one of
//
//   - *Error: the record is refused as a whole and the columns are as they were,
//   - *Whole: so it is, and it carries more than one event,
//   - *Refusals: some events of the record are refused, the others are rows,
//   - *Unavailable: what decoding needs (a schema registry) does not answer. The
//     columns are as they were, and the record must be tried again.
type Decoder interface {
	Append(Record) error
}

// Refusal is one refused event of a record that carries several.
type Refusal struct {
	*Error
	// Index is the place of the event in its record, from 0.
	Index int
	// Value is the event alone as a record of the same shape, so that it can be
	// mended and sent again. It is a copy.
	Value []byte
	// More is how many further refused events Value holds, of a record with too
	// many for each to stand alone.
	More int
}

// Whole is a refused record that carries several events, none of them good.
type Whole struct {
	Cause  *Error // of the first
	Events int    // that are known to be refused
}

func (w *Whole) Error() string { return w.Cause.Error() }

// Unwrap returns the cause.
func (w *Whole) Unwrap() error { return w.Cause }

// wholly refuses a record of so many events for what is wrong with the first.
func wholly(cause *Error, events int) error {
	if events <= 1 {
		return cause
	}
	return &Whole{cause, events}
}

// Refusals are the refused events of one record, of which others were taken.
type Refusals struct{ Events []Refusal }

// Error names the first refused event and the number of all.
func (r *Refusals) Error() string {
	return fmt.Sprintf("%d events of the record refused, the first is event %d: %s", len(r.Events), r.Events[0].Index, r.Events[0].Error.Error())
}

// Unavailable says that a record cannot be decoded now and must be tried again.
type Unavailable struct{ Cause error }

func (u *Unavailable) Error() string { return "cannot decode now: " + u.Cause.Error() }

// Unwrap returns the cause.
func (u *Unavailable) Unwrap() error { return u.Cause }
