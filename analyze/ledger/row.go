package ledger

import (
	"math"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// Entry is one row of the table ledger.
type Entry struct {
	Alarm
	Judgement
	// Back is the deploy that was brought back; its At is zero if none was.
	Back Deployment
	// Judged is when the judgement was made.
	Judged time.Time
}

// Record builds the Arrow record of entries, columns by name in the declared
// order. The caller releases it.
func Record(entries []Entry) arrow.Record {
	schema := storage.ArrowSchema(plumbline.TableLedger)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, field := range schema.Fields() {
		for _, e := range entries {
			switch column := b.Field(i).(type) {
			case *array.BinaryDictionaryBuilder:
				// A dictionary that grows in memory cannot fail.
				_ = column.AppendString(e.text(field.Name))
			case *array.StringBuilder:
				column.Append(e.text(field.Name))
			case *array.TimestampBuilder:
				column.Append(arrow.Timestamp(e.time(field.Name).UnixMilli()))
			case *array.Float64Builder:
				if v, ok := e.number(field.Name); ok {
					column.Append(v)
				} else {
					column.AppendNull()
				}
			case *array.Int64Builder:
				column.Append(e.count(field.Name))
			case *array.Uint64Builder:
				column.Append(uint64(e.Judged.UnixMilli()))
			}
		}
	}
	return b.NewRecord()
}

func (e Entry) text(column string) string {
	switch column {
	case "alarm":
		return e.ID
	case "kind":
		return string(e.Kind)
	case "model":
		return string(e.Model)
	case "deploy_hash":
		return string(e.Deploy)
	case "slo":
		return string(e.SLO)
	case "segment":
		return string(e.Segment)
	case "signal":
		return string(e.Signal)
	case "severity":
		return e.Severity
	case "claim":
		return e.Claim
	case "truth":
		return string(e.Truth)
	case "reason":
		return e.Reason
	}
	return string(e.Back.Deploy) // rollback_to
}

func (e Entry) time(column string) time.Time {
	at := e.Judged
	switch column {
	case "opened":
		at = e.Opened
	case "closed":
		at = e.Closed
	case "window_from":
		at = e.From
	case "window_to":
		at = e.To
	case "matured":
		at = e.Matured
	case "rollback_at":
		at = e.Back.At
	}
	if at.IsZero() {
		return time.Unix(0, 0)
	}
	return at
}

func (e Entry) number(column string) (float64, bool) {
	switch column {
	case "target":
		return e.promised(e.Promise.Value), true
	case "promised_low":
		return e.promised(e.Promise.Low), true
	case "promised_high":
		return e.promised(e.Promise.High), true
	case "quality":
		return e.Quality, true
	case "low":
		return e.Low, true
	case "high":
		return e.High, true
	case "coverage":
		return e.Coverage, true
	}
	return e.Lead.Seconds(), e.Leads // lead_s
}

// promised is a number of the promise, NaN without one.
func (e Entry) promised(v float64) float64 {
	if !e.Promise.Made() {
		return math.NaN()
	}
	return v
}

func (e Entry) count(column string) int64 {
	if column == "labelled" {
		return e.Labelled
	}
	return e.Requests
}

// Same reports whether two entries say the same, whenever they were judged.
func (e Entry) Same(other Entry) bool {
	equal := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
	numbers := e.Promise == other.Promise && equal(e.Quality, other.Quality) && equal(e.Low, other.Low) && equal(e.High, other.High) && equal(e.Coverage, other.Coverage)
	times := e.Opened.Equal(other.Opened) && e.Closed.Equal(other.Closed) && e.From.Equal(other.From) && e.To.Equal(other.To) && e.Matured.Equal(other.Matured) && e.Back.At.Equal(other.Back.At)
	return numbers && times && e.Labelled == other.Labelled && e.Requests == other.Requests && e.Truth == other.Truth && e.Reason == other.Reason &&
		e.Severity == other.Severity && e.Claim == other.Claim && e.SLO == other.SLO && e.Back.Deploy == other.Back.Deploy
}
