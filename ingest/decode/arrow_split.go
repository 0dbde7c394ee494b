package decode

import (
	"errors"
	"fmt"
)

// ArrowPart is some rows of an Arrow stream as a record.
type ArrowPart struct {
	// Rows are the rows' numbers in the whole stream, from 0, ascending.
	Rows []int
	// Key is the first row's prediction_id, of deployments its model.
	Key   []byte
	Value []byte
}

// ErrNoRoom says that there was no room for what a stream decompresses to.
var ErrNoRoom = errors.New("there is no room now for what the stream decompresses to")

// SplitArrow checks a stream of events that does not come from Kafka, as the
// source's decoder would check it at the time known (Unix milliseconds), and
// writes the good rows as streams that each fit a record of limits.MaxBytes. The
// stream itself may have up to most bytes, and its compressed buffers as many
// once they are decompressed. A stream that is good and fits is the only part, as
// it is; other parts have only the columns that are read.
//
// room is asked before memory is taken for decompressed buffers, with the bytes
// that they have then in all. Where it says no, the error is ErrNoRoom.
//
// refused are the other rows, without their Value. The error is an *Error if the
// stream as a whole cannot be read, or an internal one of writing.
func SplitArrow(source Source, limits Limits, body []byte, known int64, most int, room func(bytes int) bool) (parts []ArrowPart, refused []Refusal, err error) {
	rows, fault := verifyArrow(source, limits, Record{Known: known, Value: body}, most, room)
	if rows.reader.memory.refused {
		return nil, nil, ErrNoRoom
	}
	if fault != nil {
		return nil, nil, fault
	}
	rows.faults.sort()
	for _, f := range rows.faults.all {
		refused = append(refused, Refusal{Error: f.err, Index: f.row})
	}
	good := make([]int, 0, rows.reader.rows-len(refused))
	for row := range rows.reader.rows {
		if !rows.faults.has(row) {
			good = append(good, row)
		}
	}
	if len(good) == 0 {
		return nil, refused, nil
	}
	streams := []arrowStream{{good, body}}
	if len(refused) > 0 || len(body) > limits.MaxBytes {
		w := arrowWriter{reader: &rows.reader}
		if streams, err = w.split(good, limits.MaxBytes); err != nil {
			return nil, nil, fmt.Errorf("split an Arrow stream: %w", err)
		}
	}
	for _, s := range streams {
		if len(s.value) > limits.MaxBytes {
			refused = append(refused, Refusal{Index: s.rows[0], Error: bad(TooLarge, fmt.Sprintf("the row has %d bytes as a stream of its own; send at most %d", len(s.value), limits.MaxBytes))})
			continue
		}
		parts = append(parts, ArrowPart{Rows: s.rows, Key: rows.key(s.rows[0]), Value: s.value})
	}
	return parts, refused, nil
}

// verifyArrow verifies a stream with the decoder of what its source holds.
func verifyArrow(source Source, limits Limits, rec Record, most int, room func(int) bool) (*arrowRows, *Error) {
	var verify func(Record) (bool, *Error)
	var rows *arrowRows
	into := source.Columns(limits)
	switch {
	case into.Predictions != nil:
		a := newArrowPredictions(source, into.Predictions)
		verify, rows = a.verify, &a.arrowRows
	case into.Labels != nil:
		a := newArrowLabels(source, into.Labels)
		verify, rows = a.verify, &a.arrowRows
	case into.KPIs != nil:
		a := newArrowKPIs(source, into.KPIs)
		verify, rows = a.verify, &a.arrowRows
	default:
		a := newArrowDeployments(source, into.Deployments)
		verify, rows = a.verify, &a.arrowRows
	}
	// What is bounded by the record in Kafka stays so: every part must be
	// readable there.
	rows.reader.limits.MaxBytes = most
	rows.reader.plain = min(rows.reader.plain, most)
	rows.reader.memory.room = room
	_, err := verify(rec)
	return rows, err
}

// key returns a copy of a row's identifier.
func (a *arrowRows) key(row int) []byte {
	b, at := a.reader.place(row)
	column := a.reader.plan.one[roleID]
	if column < 0 {
		column = a.reader.plan.one[roleModel]
	}
	if column >= 0 && a.reader.plan.columns[column].kind.text() {
		if text, ok := b.vectors[column].text(at); ok {
			return append([]byte(nil), text...)
		}
	}
	return []byte(a.source.Model)
}
