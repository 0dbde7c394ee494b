package baseline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Result is what an import came to.
type Result struct {
	// Rows is how many rows the training set has. Sent of them were produced now,
	// Known were found to be in.
	Rows, Sent, Known int64
	Labels            int64
}

// InputError is a mistake in the options or in the training set: nothing was
// sent.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap returns the mistake.
func (e *InputError) Unwrap() error { return e.Err }

// Import reads a training set, reports on it, and produces its rows.
func Import(ctx context.Context, o Options) (r Result, err error) {
	if o.Name == "" {
		o.Name = o.File
	}
	if err := o.Validate(); err != nil {
		return r, &InputError{err}
	}
	content, size, err := hashFile(o.File)
	if err != nil {
		return r, &InputError{err}
	}
	fmt.Fprintf(o.Progress, "%s: %d bytes, content %s\n", o.Name, size, content)
	t, err := open(o.File, o)
	if err != nil {
		return r, &InputError{err}
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	p, err := makePlan(o, t.Columns())
	if err != nil {
		return r, &InputError{fmt.Errorf("%s: %w", o.Name, err)}
	}
	i := importer{o: o, table: t, plan: p, content: content, result: &r, progress: newProgress(o)}
	if err := i.survey(ctx); err != nil {
		if ctx.Err() != nil {
			return r, err
		}
		return r, &InputError{err}
	}
	if err := i.report(o.Report); err != nil || o.DryRun {
		return r, err
	}
	return r, i.send(ctx)
}

// importer is one import.
type importer struct {
	o        Options
	table    table
	plan     *plan
	content  string
	result   *Result
	profiles []*profile
	progress *progress
}

// hashFile names a content by the first 128 bits of its SHA-256.
func hashFile(path string) (content string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("open training set: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, fmt.Errorf("read training set: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), size, nil
}

// survey reads every row and sends none: it finds what ingest would refuse, and
// what the columns hold.
func (i *importer) survey(ctx context.Context) error {
	roles, parts := i.plan.parts()
	for j, q := range parts {
		p := newProfile(q.name, roles[j], q.kind)
		p.odds = roles[j] == "score" && !i.o.ScoreIsNumber
		i.profiles = append(i.profiles, p)
	}
	e := newEncoder(i.o, i.plan, i.content, i.o.Now())
	return each(i.o.Name, i.table, i.plan.columns, func(b *Batch) error {
		for j, q := range parts {
			i.profiles[j].add(&b.Columns[q.vector])
		}
		for row := range b.Rows {
			if _, err := e.row(b, row); err != nil {
				return err
			}
		}
		i.result.Rows = b.First + int64(b.Rows)
		i.progress.say("read", i.result.Rows)
		return ctx.Err()
	})
}

// optionsHash is of everything that decides what is made of a row.
func (i *importer) optionsHash() string {
	o := i.o
	text := fmt.Sprintf("%q %q %q %q %q %q %q %q %q %q %q %q %v %v", o.Deploy, o.Features, o.Skip, o.ID, o.Time, o.Score, o.Predicted, o.Label, o.Segments,
		o.Nulls, o.TextColumns, o.At.UTC().Format(time.RFC3339Nano), o.TimesAsSeconds, o.Classes)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// errOther and errDone are imports that would count rows twice.
var (
	errOther = errors.New("an import of this content to this model began with other options and did not end; finish it with those, because its rows cannot be told from these")
	errDone  = errors.New("this content was imported to this model already, and the rollups would count it twice; --again imports it nevertheless")
)

// send produces what is not in yet.
func (i *importer) send(ctx context.Context) error {
	k := newProducer(i.o, i.content)
	defer k.close()
	s, err := i.begin(ctx, k)
	if err != nil {
		return fmt.Errorf("%s: %w", i.o.Name, err)
	}
	e := newEncoder(i.o, i.plan, s.ID, time.UnixMilli(s.At))
	var pending []event
	flush := func() error {
		if err := i.chunk(ctx, k, &s, pending); err != nil {
			return fmt.Errorf("%s: rows %d to %d: %w; run it once more: what was sent is recognised", i.o.Name, s.Row+1, s.Row+int64(len(pending)), err)
		}
		pending = pending[:0]
		i.progress.say("sent", s.Row)
		return nil
	}
	err = each(i.o.Name, i.table, i.plan.columns, func(b *Batch) error {
		for row := range b.Rows {
			if b.First+int64(row) < s.Row {
				continue
			}
			ev, err := e.row(b, row)
			if err != nil {
				return err
			}
			if pending = append(pending, ev); len(pending) == i.o.Batch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		s.Done = true
		err = flush()
	}
	return err
}

// begin returns the state to go on from.
func (i *importer) begin(ctx context.Context, k *producer) (state, error) {
	hash := i.optionsHash()
	s, ok, err := k.load(ctx)
	if err != nil {
		return state{}, err
	}
	switch {
	case ok && s.Done && !i.o.Again:
		return state{}, errDone
	case ok && !s.Done && s.Options != hash:
		return state{}, errOther
	case ok && !s.Done:
		i.result.Known = s.Row
		fmt.Fprintf(i.o.Progress, "an import of this content came to row %d; going on\n", s.Row)
		return s, nil
	}
	at := i.o.At
	if at.IsZero() {
		at = i.o.Now().Truncate(time.Hour)
	}
	next := state{Options: hash, At: at.UnixMilli(), ID: i.content, Round: 1}
	if ok {
		// Its rows are told from those of the rounds before.
		next.Round = s.Round + 1
		next.ID = fmt.Sprintf("%s-%d", i.content, next.Round)
	}
	return next, k.begin(ctx, next)
}

// attempts is how often a chunk is tried.
const attempts = 5

// chunk produces the events that are not in, and commits the progress. After an
// error nobody knows what is in, so the topics are asked.
func (i *importer) chunk(ctx context.Context, k *producer, s *state, events []event) error {
	var causes []error
	var sum, labelled int64
	for try := range attempts {
		if try > 0 {
			if err := pause(ctx, time.Duration(try)*time.Second); err != nil {
				return errors.Join(append(causes, err)...)
			}
			fmt.Fprintf(i.o.Progress, "row %d: %v; looking what is in\n", s.Row+1, causes[len(causes)-1])
		}
		sent, labels, err := k.send(ctx, *s, events)
		sum, labelled = sum+sent, labelled+labels
		if err == nil {
			next := *s
			next.Row += int64(len(events))
			if err = k.commit(ctx, next); err == nil {
				*s = next
				i.result.Sent, i.result.Labels = i.result.Sent+sum, i.result.Labels+labelled
				i.result.Known += int64(len(events)) - sum
				return nil
			}
		}
		if causes = append(causes, err); ctx.Err() != nil {
			break
		}
	}
	return causes[len(causes)-1]
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// progress says how far an import is, at most once a second.
type progress struct {
	o     Options
	began time.Time
	last  time.Time
}

func newProgress(o Options) *progress { return &progress{o: o, began: o.Now(), last: o.Now()} }

func (p *progress) say(verb string, rows int64) {
	now := p.o.Now()
	if now.Sub(p.last) < time.Second {
		return
	}
	p.last = now
	fmt.Fprintf(p.o.Progress, "%s %d rows, %s\n", verb, rows, now.Sub(p.began).Round(time.Second))
}
