package decode

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// rules names the rules that every decoder of this package shares. It is part of
// the plan hash: change it with every change that decodes any event differently.
const rules = "decode/4"

// Limits bound one event. They are part of the plan hash.
type Limits struct {
	// MaxBytes is the largest event. Default 1 MiB.
	MaxBytes int `yaml:"max_event_bytes"`
	// MaxFeatures is the largest number of features of one event. Default 1,000.
	MaxFeatures int `yaml:"max_features"`
	// MaxAge is how far an event time may lie before the Kafka timestamp of its
	// record. Default 400 days.
	MaxAge time.Duration `yaml:"max_event_age"`
	// MaxAhead is how far it may lie after it. Default 1 hour.
	MaxAhead time.Duration `yaml:"max_event_ahead"`
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 1 << 20, MaxFeatures: 1000, MaxAge: 400 * 24 * time.Hour, MaxAhead: time.Hour}
}

// Validate returns every mistake of the limits, by field.
func (l Limits) Validate() error {
	var errs []error
	if l.MaxBytes < 1 || l.MaxBytes > 64<<20 {
		errs = append(errs, fmt.Errorf("max_event_bytes: %d is not between 1 and 64 MiB", l.MaxBytes))
	}
	if l.MaxFeatures < 1 || l.MaxFeatures > 100_000 {
		errs = append(errs, fmt.Errorf("max_features: %d is not between 1 and 100,000", l.MaxFeatures))
	}
	if l.MaxAge <= 0 || l.MaxAhead < 0 {
		errs = append(errs, errors.New("max_event_age and max_event_ahead: must not be negative, and the age not 0"))
	}
	return errors.Join(errs...)
}

// maxName bounds identifiers and names, in bytes: model, deploy_hash, feature,
// class and so on.
const maxName = 256

const maxSegments = 64

// Kafka timestamps outside these bounds (2000 and 2100, in Unix milliseconds)
// are mistakes of a producer's unit, and DateTime could not hold them.
const (
	earliestKnown = 946_684_800_000
	latestKnown   = 4_102_444_800_000
)

// start checks what can be checked before the first byte is read.
func (l Limits) start(rec Record) *Error { return l.startOf(len(rec.Value), rec.Known) }

// startOf is start for decoders of which a copy of the record would take as long
// as a field does.
func (l *Limits) startOf(size int, known int64) *Error {
	if size > l.MaxBytes {
		return bad(TooLarge, fmt.Sprintf("the event has %d bytes; send at most %d", size, l.MaxBytes))
	}
	if size == 0 {
		return bad(Unparsable, "the record has no value; send an event, and let a connector write no tombstones (Debezium: tombstones.on.delete=false)")
	}
	if known < earliestKnown || known >= latestKnown {
		return &Error{TimeOutOfRange, "", "the Kafka timestamp of the record lies outside 2000 to 2100; producers set it in Unix milliseconds"}
	}
	return nil
}

// checkTime compares an event time with the Kafka timestamp, never with the
// clock: decoding again must decide the same.
func (l Limits) checkTime(ts, known int64) *Error {
	if ts < known-l.MaxAge.Milliseconds() {
		return &Error{TimeOutOfRange, "ts", fmt.Sprintf("the event time is more than %s before the record's Kafka timestamp", l.MaxAge)}
	}
	if ts > known+l.MaxAhead.Milliseconds() {
		return &Error{TimeOutOfRange, "ts", fmt.Sprintf("the event time is more than %s after the record's Kafka timestamp; check the producer's clock and unit", l.MaxAhead)}
	}
	if ts < earliestKnown {
		return &Error{TimeOutOfRange, "ts", "the event time lies before 2000"}
	}
	return nil
}

// name reads a string of at most maxName bytes. null counts as absent: nil.
func (s *scanner) name() ([]byte, *Error) {
	b, err := s.plainText()
	if err == nil && len(b) > maxName {
		return nil, bad(BadValue, "the text is longer than 256 bytes")
	}
	return b, err
}

// plainText reads a string of any length. null counts as absent: nil.
func (s *scanner) plainText() ([]byte, *Error) {
	switch s.space() {
	case '"':
		return s.text()
	case 'n':
		return nil, s.word("null")
	}
	return nil, s.mistyped("send a string")
}

// measured reads a number; null counts as absent.
func (s *scanner) measured() (v float64, ok bool, err *Error) {
	switch s.space() {
	case 'n':
		return 0, false, s.word("null")
	case '"', 't', 'f', '{', '[':
		return 0, false, s.mistyped("send a number")
	}
	v, err = s.number()
	return v, err == nil, err
}

// mistyped tells a value of the wrong type from a document that is not JSON.
func (s *scanner) mistyped(hint string) *Error {
	c := s.space()
	if err := s.skip(0); err != nil {
		return err
	}
	if c == '{' || c == '[' {
		return bad(TooNested, hint+", not an object or array")
	}
	return bad(WrongType, hint)
}

// class reads a value that is a class (string or bool) or a number; null
// counts as neither.
func (s *scanner) class() (class []byte, v float64, isNumber bool, err *Error) {
	switch s.space() {
	case '"':
		class, err = s.name()
	case 't':
		class, err = wordTrue, s.word("true")
	case 'f':
		class, err = wordFalse, s.word("false")
	case 'n':
		err = s.word("null")
	case '{', '[':
		err = s.mistyped("send a class or a number")
	default:
		from := s.i
		if v, err = s.number(); err == nil && roundedWhole(v, s.b[from:s.i]) {
			err = bad(BadValue, wholeHint)
		}
		isNumber = err == nil
	}
	return class, v, isNumber, err
}

// The texts under which booleans are counted; nobody writes to them.
var (
	wordTrue  = []byte("true")
	wordFalse = []byte("false")
	wordOK    = []byte("ok")
	wordNone  = []byte{}
)

// maxWeight bounds the requests that one event may stand for: a mistake of its
// producer must not drown all other counts.
const maxWeight = 1e9

const weightHint = "send how many requests the event stands for: 1 to 1e9"

// isWeight reports whether v can be a weight. An event stands at least for
// itself.
func isWeight(v float64) bool { return v >= 1 && v <= maxWeight }

const propensityHint = "send the probability with which this prediction is given a label: over 0, at most 1"

// minPropensity bounds the labels that one may stand for, as maxWeight does the
// requests.
const minPropensity = 1e-9

// isPropensity reports whether v can be the probability of a label. One of 0
// would never be weighed, and a label that came none the less belies it.
func isPropensity(v float64) bool { return v >= minPropensity && v <= 1 }

// Floats is a column of numbers that may be absent, in Arrow's layout.
type Floats struct {
	Values []float64
	Valid  []byte // bitmap, least significant bit first
	Nulls  int
}

// Append adds a value, or an absence.
func (f *Floats) Append(v float64, ok bool) {
	i := len(f.Values)
	if i&7 == 0 {
		f.Valid = append(f.Valid, 0)
	}
	if ok {
		f.Valid[i>>3] |= 1 << (i & 7)
	} else {
		v = 0
		f.Nulls++
	}
	f.Values = append(f.Values, v)
}

// Put appends a value, or an absence, of a row of a column that most producers
// never send: as long as it holds no value it holds no rows either, which costs
// nothing. Rows that are behind its end are absent; Fill writes them out.
func (f *Floats) Put(row int, v float64, ok bool) {
	if !ok && len(f.Values) == 0 {
		return
	}
	f.Fill(row)
	f.Append(v, ok)
}

// Fill appends absences up to so many rows.
func (f *Floats) Fill(rows int) {
	n := len(f.Values)
	if n >= rows {
		return
	}
	f.Nulls += rows - n
	f.Values = slices.Grow(f.Values, rows-n)[:rows]
	clear(f.Values[n:])
	bytes := len(f.Valid)
	f.Valid = slices.Grow(f.Valid, (rows+7)/8-bytes)[:(rows+7)/8]
	clear(f.Valid[bytes:])
}

// At returns the i-th value and whether there is one.
func (f *Floats) At(i int) (float64, bool) {
	if i >= len(f.Values) {
		return 0, false
	}
	return f.Values[i], f.Valid[i>>3]&(1<<(i&7)) != 0
}

// truncate keeps the first rows.
func (f *Floats) truncate(rows int) {
	if len(f.Values) <= rows {
		return
	}
	for i := rows; i < len(f.Values); i++ {
		if _, ok := f.At(i); !ok {
			f.Nulls--
		}
	}
	f.Values, f.Valid = f.Values[:rows], f.Valid[:(rows+7)/8]
	if rest := rows & 7; rest != 0 {
		f.Valid[rows>>3] &= 1<<rest - 1
	}
}

// Reset empties the column and keeps the memory.
func (f *Floats) Reset() { f.Values, f.Valid, f.Nulls = f.Values[:0], f.Valid[:0], 0 }

// Origin holds, for each row, where it came from.
type Origin struct {
	Known  []int64 // Kafka timestamp, Unix milliseconds
	Offset []int64
}

func (s *Origin) append(rec Record) { s.add(rec.Known, rec.Offset) }

func (s *Origin) add(known, offset int64) {
	s.Known = append(s.Known, known)
	s.Offset = append(s.Offset, offset)
}

func (s *Origin) Reset() { s.Known, s.Offset = s.Known[:0], s.Offset[:0] }

// pick appends row i of from.
func (s *Origin) pick(from *Origin, i int) {
	s.Known = append(s.Known, from.Known[i])
	s.Offset = append(s.Offset, from.Offset[i])
}

// Names is a dictionary-encoded column of names.
type Names struct {
	Dict Dict
	IDs  []int32
}

// Append adds a name. Consecutive rows mostly repeat it.
func (n *Names) Append(b []byte) { n.IDs = append(n.IDs, n.Dict.again(b)) }

// At returns the name of row i.
func (n *Names) At(i int) []byte { return n.Dict.Value(n.IDs[i]) }

func (n *Names) Reset() { n.Dict.Reset(); n.IDs = n.IDs[:0] }

// List says which entries of a flat column belong to which row, in Arrow's
// layout: row i has the entries Offsets[i] to Offsets[i+1].
type List struct {
	Offsets []int32
	Keys    []int32
}

func (l *List) close() {
	if len(l.Offsets) == 0 {
		l.Offsets = append(l.Offsets, 0)
	}
	l.Offsets = append(l.Offsets, int32(len(l.Keys)))
}

// cut keeps the first rows, without the entries of a row that is not closed.
func (l *List) cut(rows int) {
	if len(l.Offsets) == 0 {
		l.Keys = l.Keys[:0]
		return
	}
	l.Offsets = l.Offsets[:rows+1]
	l.Keys = l.Keys[:l.Offsets[rows]]
}

// Row returns the range of the entries of row i.
func (l *List) Row(i int) (from, to int32) { return l.Offsets[i], l.Offsets[i+1] }

func (l *List) Reset() { l.Offsets, l.Keys = l.Offsets[:0], l.Keys[:0] }
