package decode

import (
	"errors"
	"fmt"
)

// An Arrow record carries an IPC stream of many events. The stream is read by
// this package alone, not by arrow-go: random byte flips of a stream made
// arrow-go try an allocation of 131 GB, which ends the process whatever recovers,
// and a verifier that goes before it would have to read everything that this
// reader reads. It also saves the copies and the objects of arrow-go's reader:
// values go from the record's bytes into the columns once. Only the rare writing,
// of refused rows, is left to arrow-go.
//
// Reading has three steps. read verifies the whole stream and changes nothing;
// check finds rows that are refused, as JSON events of their content would be;
// fill appends the others, column by column.

// arrowPredictions decodes Arrow streams of prediction events.
type arrowPredictions struct {
	*Predictions
	arrowRows

	row                      uint64
	featureNames             Dict
	featureSeen, segmentSeen []uint64
	segmentNames             Dict
	record                   uint64
	remaps                   []remap
	keys                     []int32
	keyLife                  uint64
	keyPlan                  *arrowPlan
	cursor                   []int32
	ids                      [][]int32
	withNulls                []int
	digits                   []byte
}

// arrowRows is what the decoders of the kinds share.
type arrowRows struct {
	source Source
	reader arrowReader
	faults arrowFaults
	times  []int64 // by row, Unix milliseconds
}

func newArrowRows(kind Kind, source Source, limits Limits) arrowRows {
	return arrowRows{source: source, reader: arrowReader{
		kind: kind, source: source, limits: limits,
		most: limits.MaxBytes * cellRatio, plain: limits.MaxBytes * plainRatio,
		mostText: min(limits.MaxBytes*textRatio, maxArrowText),
	}}
}

func openArrow(source Source, into Columns) (Decoder, error) {
	switch {
	case into.Predictions != nil:
		return newArrowPredictions(source, into.Predictions), nil
	case into.Labels != nil:
		return newArrowLabels(source, into.Labels), nil
	case into.Deployments != nil:
		return newArrowDeployments(source, into.Deployments), nil
	case into.KPIs != nil:
		return newArrowKPIs(source, into.KPIs), nil
	}
	return nil, errors.New("decode: a source that holds nothing")
}

// checkArrow returns the mistakes of an Arrow source.
func checkArrow(s Source) error {
	if len(s.Holds) > 1 {
		return errors.New("holds: arrow holds one kind of events a topic")
	}
	if s.Stage != "" && checkStage([]byte(s.Stage)) != nil {
		return fmt.Errorf("stage: %q is none of production, canary, shadow and training", s.Stage)
	}
	for _, name := range []string{string(s.Model), string(s.Deploy)} {
		if len(name) > maxName || !clean([]byte(name)) {
			return fmt.Errorf("model, deploy_hash: %.40q is not UTF-8 of at most 256 bytes", name)
		}
	}
	return nil
}

func newArrowPredictions(source Source, into *Predictions) *arrowPredictions {
	return &arrowPredictions{Predictions: into, arrowRows: newArrowRows(KindPredictions, source, into.limits)}
}

// start verifies a record's stream; of a stream without rows it reports false.
func (a *arrowRows) start(rec Record) (bool, *Error) {
	if len(rec.Value) == 0 {
		return false, bad(Unparsable, "the record has no value; send an Arrow IPC stream")
	}
	if err := a.reader.limits.start(rec); err != nil {
		return false, err
	}
	if err := a.reader.read(rec.Value); err != nil {
		return false, err
	}
	a.faults.reset()
	a.times = a.times[:0]
	return a.reader.rows > 0, nil
}

// verify verifies a record and finds its bad rows; of one without rows it
// reports false. It changes no columns.
func (a *arrowPredictions) verify(rec Record) (bool, *Error) {
	some, err := a.start(rec)
	if !some {
		return false, err
	}
	if a.featureNames.Len()+a.segmentNames.Len() > maxArrowValues { // names that only a mistake can make
		a.featureNames.Reset()
		a.segmentNames.Reset()
	}
	for i := range a.reader.batches[:a.reader.count] {
		a.check(&a.reader.batches[i], rec.Known)
	}
	return true, nil
}

// Append decodes the events of a record. Its error is an *Error if all are
// refused, *Refusals if some are.
func (a *arrowPredictions) Append(rec Record) error {
	switch some, err := a.verify(rec); {
	case err != nil:
		return err
	case !some:
		a.Skipped++
		return nil
	}
	a.record++
	if refused := a.all(rec); refused != nil {
		return refused
	}
	return a.whole(Columns{Predictions: a.Predictions}, func() error {
		for i := range a.reader.batches[:a.reader.count] {
			b := &a.reader.batches[i]
			for from := 0; from < b.rows; {
				to := a.faults.run(b, from)
				if to > from {
					a.fill(b, from, to, rec)
				}
				from = to + 1 // the row that ends a run is refused
			}
		}
		a.Unknown += a.reader.plan.unknown
		return a.refusals()
	})
}

// whole does something that appends rows, and takes them back if it panics or
// cannot say which events of the record are refused.
func (a *arrowRows) whole(into Columns, do func() error) error {
	before := into.save()
	good := false
	defer func() {
		if !good {
			into.restore(&before)
		}
	}()
	err := do()
	some := new(Refusals)
	good = err == nil || errors.As(err, &some)
	return err
}

// run returns the end of the good rows of a batch that begin at from.
func (f *arrowFaults) run(b *arrowBatch, from int) int {
	if len(f.all) == 0 {
		return b.rows
	}
	for from < b.rows && !f.has(b.first+from) {
		from++
	}
	return from
}

// maxWholeRefusal is up to which size in bytes a record of which every row is
// refused is refused whole: a dead letter of it is not cut.
const maxWholeRefusal = 256 << 10

// all returns the refusal of the record, if none of its rows is good.
func (a *arrowRows) all(rec Record) error {
	if len(a.faults.all) < a.reader.rows || len(rec.Value) > maxWholeRefusal {
		return nil
	}
	a.faults.sort()
	first := *a.faults.all[0].err
	if n := a.reader.rows; n > 1 {
		first.Hint = fmt.Sprintf("%s (none of the record's %d rows is good; this is the first)", first.Hint, n)
	}
	return wholly(&first, a.reader.rows)
}

// aloneRefusals is how many refused rows of a record stand alone. What is refused
// beyond is kept in streams of several rows, so that a record that is wrong
// throughout does not grow a hundredfold.
const aloneRefusals = 1024

// refusals returns the refused rows, nil if there are none.
func (a *arrowRows) refusals() error {
	if len(a.faults.all) == 0 {
		return nil
	}
	a.faults.sort()
	w := arrowWriter{reader: &a.reader}
	var r Refusals
	alone := a.faults.all[:min(len(a.faults.all), aloneRefusals)]
	for _, f := range alone {
		value, err := w.write([]int{f.row})
		if err != nil {
			return fmt.Errorf("decode: write refused row %d: %w", f.row, err)
		}
		r.Events = append(r.Events, Refusal{Error: f.err, Index: f.row, Value: value})
	}
	rows := make([]int, 0, len(a.faults.all)-len(alone))
	faults := map[int]*Error{}
	for _, f := range a.faults.all[len(alone):] {
		rows, faults[f.row] = append(rows, f.row), f.err
	}
	streams, err := w.split(rows, maxWholeRefusal)
	if err != nil {
		return fmt.Errorf("decode: write %d refused rows: %w", len(rows), err)
	}
	for _, s := range streams {
		fault := *faults[s.rows[0]]
		if len(s.rows) > 1 {
			fault.Hint = fmt.Sprintf("%s (the first of %d refused rows)", fault.Hint, len(s.rows))
		}
		r.Events = append(r.Events, Refusal{Error: &fault, Index: s.rows[0], Value: s.value, More: len(s.rows) - 1})
	}
	return &r
}

// place returns the batch of a row of the record and its number there.
func (r *arrowReader) place(row int) (*arrowBatch, int) {
	for i := range r.batches[:r.count] {
		if b := &r.batches[i]; row < b.first+b.rows {
			return b, row - b.first
		}
	}
	panic("decode: a row beyond the record")
}
