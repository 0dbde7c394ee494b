package analyze

import (
	"cmp"
	"math"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// Finding is one row of the table findings; the table's documentation says what
// each field means.
type Finding struct {
	At        time.Time
	Signal    plumbline.SignalName
	Model     plumbline.Model
	Deploy    plumbline.DeployHash
	Stage     plumbline.Stage
	Segment   plumbline.Segment
	Feature   plumbline.Feature
	SLO       plumbline.SLOName
	Reference string
	Window    time.Duration
	// Period names the window where its length is the calendar's; empty names Window.
	Period    string
	WindowEnd time.Time
	Measure   string
	// Value, NullMean, Low, High, P and Effect are NaN where nothing can be said.
	Value, NullMean, Low, High float64
	P, Effect                  float64
	Count                      uint64
	// Total is what Value is a share of, 0 where that is not known.
	Total    uint64
	Coverage float64
	Verdict  string
	Assumes  string
}

// newFinding returns a finding about which nothing is said yet.
func newFinding(signal plumbline.SignalName, measure string) Finding {
	nan := math.NaN()
	return Finding{
		Signal: signal, Measure: measure, Value: nan, NullMean: nan, Low: nan, High: nan, P: nan, Effect: nan,
		Coverage: nan, Verdict: plumbline.VerdictMissing,
	}
}

// record builds the Arrow record of the findings, columns by name in the
// declared order. The caller releases it.
func record(findings []Finding) arrow.Record {
	schema := storage.ArrowSchema(plumbline.TableFindings)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, field := range schema.Fields() {
		column := b.Field(i)
		for _, f := range findings {
			switch column := column.(type) {
			case *array.BinaryDictionaryBuilder:
				// A dictionary that grows in memory cannot fail.
				_ = column.AppendString(f.text(field.Name))
			case *array.StringBuilder:
				column.Append(f.text(field.Name))
			case *array.TimestampBuilder:
				column.Append(arrow.Timestamp(f.time(field.Name).UnixMilli()))
			case *array.Float64Builder:
				column.Append(f.number(field.Name))
			case *array.Uint64Builder:
				column.Append(f.whole(field.Name))
			}
		}
	}
	return b.NewRecord()
}

func (f Finding) text(column string) string {
	switch column {
	case "signal":
		return string(f.Signal)
	case "model":
		return string(f.Model)
	case "deploy_hash":
		return string(f.Deploy)
	case "stage":
		return string(f.Stage)
	case "segment":
		return string(f.Segment)
	case "feature":
		return string(f.Feature)
	case "slo":
		return string(f.SLO)
	case "reference":
		return f.Reference
	case "window":
		return cmp.Or(f.Period, plumbline.WindowName(f.Window))
	case "measure":
		return f.Measure
	case "verdict":
		return f.Verdict
	case "assumes":
		return f.Assumes
	}
	return ""
}

func (f Finding) time(column string) time.Time {
	if column == "window_end" {
		if f.WindowEnd.IsZero() {
			return time.Unix(0, 0)
		}
		return f.WindowEnd
	}
	return f.At
}

func (f Finding) whole(column string) uint64 {
	if column == "total" {
		return f.Total
	}
	return f.Count
}

func (f Finding) number(column string) float64 {
	switch column {
	case "value":
		return f.Value
	case "null_mean":
		return f.NullMean
	case "p":
		return f.P
	case "effect":
		return f.Effect
	case "low":
		return f.Low
	case "high":
		return f.High
	}
	return f.Coverage
}

// withhold takes back what labels alone say of models that decide themselves who
// gets one: it is no estimate of all predictions, and no page may rest on it. What
// is known of those stands in estimated_quality.
func (c Config) withhold(findings []Finding) {
	for i := range findings {
		f := &findings[i]
		if f.Signal == plumbline.SignalCoverage || !c.Models[f.Model].Feedback.Partial() {
			continue
		}
		f.Value, f.Low, f.High = math.NaN(), math.NaN(), math.NaN()
		if f.Verdict != plumbline.VerdictMissing {
			f.Verdict = plumbline.VerdictInsufficient
			f.Assumes = "the model itself decides which predictions ever get a label, so that these say nothing of the others; estimated_quality has bounds"
		}
	}
}

// unsigned returns a count that may be negative for a moment, while labels are
// withdrawn, as a number of events.
func unsigned(n int64) uint64 { return uint64(max(n, 0)) }
