// Package mutate damages valid events of every input shape, millions of them,
// and decodes them as ingest does: a record after another into the same columns,
// with whatever is refused left out. Nothing may crash, and every event must be
// stored, refused with a reason, or skipped because its shape says that it is no
// event; the columns must hold exactly what was said to be stored.
//
// It may import everything; only the command imports it.
package mutate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Options configure a run.
type Options struct {
	// Events is how many mutated records are decoded, spread over the samples.
	Events int
	// Seed makes the mutations repeatable; 0 takes one.
	Seed uint64
	// Testdata is the folder ingest/decode/testdata.
	Testdata string
	// Lines receives the figures as JSON, Text what a person reads.
	Lines, Text io.Writer
}

// ErrUnmet says that a figure fell short of its goal; Run has printed which.
var ErrUnmet = errors.New("fuzz-ingest: figures fall short of their goals")

// tally is what became of the records of one shape.
type tally struct {
	sent, stored, refused, part, skipped int
	// These must not be: no rows, no refusal and no skip; rows of a record that
	// was refused; columns of different lengths; an error of another kind; a
	// panic.
	vanished, leaked, ragged, strange, panics int
}

func (t *tally) add(o tally) {
	t.sent += o.sent
	t.stored += o.stored
	t.refused += o.refused
	t.part += o.part
	t.skipped += o.skipped
	t.vanished += o.vanished
	t.leaked += o.leaked
	t.ragged += o.ragged
	t.strange += o.strange
	t.panics += o.panics
}

func (t tally) wrong() int { return t.vanished + t.leaked + t.ragged + t.strange + t.panics }

// Run decodes Options.Events mutated records and prints the figures. Its error
// wraps ErrUnmet if one of them fell short.
func Run(ctx context.Context, opts Options) error {
	if opts.Seed == 0 {
		opts.Seed = rand.Uint64()
	}
	samples, err := load(opts.Testdata)
	if err != nil {
		return err
	}
	fmt.Fprintf(opts.Text, "fuzz-ingest: seed %d, %d events from %d samples of %d shapes\n", opts.Seed, opts.Events, len(samples), len(decode.Formats()))
	perSample := (opts.Events + len(samples) - 1) / len(samples)
	byFormat := make(map[decode.Format]*tally)
	for _, f := range decode.Formats() {
		byFormat[f] = &tally{}
	}
	var (
		mu   sync.Mutex
		errs []error
		left = make(chan int, len(samples))
		wg   sync.WaitGroup
	)
	for i := range samples {
		left <- i
	}
	close(left)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range left {
				t, err := attack(ctx, samples[i], neighbours(samples, i), perSample, rand.New(rand.NewPCG(opts.Seed, uint64(i))), opts.Text)
				mu.Lock()
				byFormat[samples[i].source.Format].add(t)
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return report(opts, byFormat)
}

func report(opts Options, byFormat map[decode.Format]*tally) error {
	var all tally
	tried := 0
	for _, f := range decode.Formats() {
		t := byFormat[f]
		if t.sent > 0 {
			tried++
		}
		fmt.Fprintf(opts.Text, "  %-22s sent %8d  stored %8d  in part %7d  refused %8d  skipped %7d  wrong %d\n", f, t.sent, t.stored, t.part, t.refused, t.skipped, t.wrong())
		all.add(*t)
	}
	count := func(name string, n int) figure.Figure {
		return figure.Exactly("fuzz-ingest: "+name, float64(n), "events", 0)
	}
	figures := []figure.Figure{
		figure.AtLeast("fuzz-ingest: mutated events", float64(all.sent), "events", float64(opts.Events)),
		figure.Exactly("fuzz-ingest: shapes without a sample", float64(len(decode.Formats())-tried), "shapes", 0),
		figure.AtLeast("fuzz-ingest: mutated events that were stored", float64(all.stored+all.part), "events", float64(opts.Events/100)),
		figure.AtLeast("fuzz-ingest: mutated events that were refused", float64(all.refused+all.part), "events", float64(opts.Events/100)),
		count("events less those stored, dead-lettered or skipped with a count", all.sent-all.stored-all.part-all.refused-all.skipped),
		count("events that vanished", all.vanished),
		count("refused events that left rows behind", all.leaked),
		count("events that made columns of different lengths", all.ragged),
		count("errors that are no refusal", all.strange),
		count("panics", all.panics),
	}
	if err := figure.Print(opts.Lines, opts.Text, figures...); err != nil {
		return err
	}
	for _, f := range figures {
		if !f.Met {
			return fmt.Errorf("%w, seed %d", ErrUnmet, opts.Seed)
		}
	}
	return nil
}

// batchRows is how many rows the columns hold before they are emptied, as a
// batch of ingest is.
const batchRows = 4096

// attack decodes n mutations of a sample.
func attack(ctx context.Context, s sample, others [][]byte, n int, r *rand.Rand, text io.Writer) (t tally, err error) {
	columns := s.source.Columns(decode.DefaultLimits())
	d, err := s.source.Open(columns)
	if err != nil {
		return t, fmt.Errorf("%s %s: %w", s.source.Format, s.name, err)
	}
	m := mutator{random: r, others: others}
	for i := range n {
		if i%1024 == 0 && ctx.Err() != nil {
			return t, ctx.Err()
		}
		if columns.Len() >= batchRows {
			columns.Reset()
		}
		value := m.mutate(s.value)
		wrong := t.wrong()
		one(d, columns, decode.Record{Offset: int64(i), Known: known, Key: s.key, Value: value, Headers: s.headers}, &t)
		if t.wrong() > wrong && t.wrong() <= 3 {
			fmt.Fprintf(text, "  %s %s: record %d is wrong: %.1000q\n", s.source.Format, s.name, i, value)
		}
	}
	return t, nil
}

// one decodes a record and counts what became of it.
func one(d decode.Decoder, c decode.Columns, rec decode.Record, t *tally) {
	t.sent++
	before, skipped := c.Len(), c.Tally().Skipped
	err, panicked := appendTo(d, rec)
	added := c.Len() - before
	var some *decode.Refusals
	var whole *decode.Error
	switch {
	case panicked:
		t.panics++
	case err == nil && added > 0:
		t.stored++
	case err == nil && c.Tally().Skipped > skipped:
		t.skipped++
	case err == nil:
		t.vanished++
	case errors.As(err, &some) && len(some.Events) > 0:
		if added > 0 {
			t.part++
		} else {
			t.refused++
		}
	case errors.As(err, &whole):
		t.refused++
		if added != 0 {
			t.leaked++
		}
	default:
		t.strange++
	}
	if !even(c) {
		t.ragged++
	}
}

func appendTo(d decode.Decoder, rec decode.Record) (err error, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			err, panicked = fmt.Errorf("panic: %v\n%s", p, debug.Stack()), true
		}
	}()
	return d.Append(rec), false
}

// even reports whether the columns are equally long.
func even(c decode.Columns) bool {
	if p := c.Predictions; p != nil {
		n := p.Len()
		for _, m := range []int{len(p.Model.IDs), len(p.Deploy.IDs), len(p.Stage.IDs), len(p.TS), len(p.Score.Values), len(p.Predicted.IDs),
			len(p.PredictedValue.Values), len(p.Latency.Values), len(p.Status.IDs), len(p.Weight), len(p.Propensity.Values), len(p.Source.Known), len(p.Source.Offset)} {
			if m != n {
				return false
			}
		}
	}
	if p := c.Predictions; p != nil && max(len(p.Disagreement.Values), len(p.Explained.Values)) > p.Len() {
		return false
	}
	if l := c.Labels; l != nil {
		n := l.Len()
		for _, m := range []int{len(l.Model.IDs), len(l.TS), len(l.Class.IDs), len(l.Value.Values), len(l.Deleted), len(l.Source.Known), len(l.Source.Offset)} {
			if m != n {
				return false
			}
		}
	}
	if k := c.KPIs; k != nil {
		n := k.Len()
		for _, m := range []int{len(k.Model.IDs), len(k.Name.IDs), len(k.Segment.IDs), len(k.Value), len(k.Source.Known), len(k.Source.Offset)} {
			if m != n {
				return false
			}
		}
	}
	if d := c.Deployments; d != nil {
		n := d.Len()
		return len(d.Model.IDs) == n && len(d.Deploy.IDs) == n && len(d.TS) == n && len(d.Source.Known) == n && len(d.Source.Offset) == n
	}
	return true
}
