package analyze

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
)

// assumesCounts is what burn rates on counts rest on.
const assumesCounts = "every event counts once it has come in; p is the chance, a minute, that noise at exactly the target starts this"

// assumesPart is what the part of a composite rests on.
const assumesPart = "parts burn their own budgets, and are weighed as the objective says: theirs sum to its bad share"

// assumesPartly is why windows are missing though events are counted in them.
const assumesPartly = "not all of the window is counted yet, or it could not be for a while; the log says which"

// counted looks at the objectives that count events as they come. A page waits
// for nothing else, so it looks often: every second, or as often as leaves the
// machine to others.
type counted struct {
	counter *count.Counter
	book    *count.Book
	changed func(...plumbline.SLOName)
	// interval is how often everything is written, changed or not.
	interval time.Duration

	// said are the verdicts that were written last, of each objective as one text;
	// wrote is when all of them were.
	said  map[plumbline.SLOName]string
	wrote time.Time
	// asked is when users' statements were, too.
	asked time.Time
	// seen is what had been counted when the counts were last read, and until the end
	// of which minute.
	seen uint64
	end  time.Time
	// idle says that nothing was counted in the last look: no event for a minute.
	idle bool
	// filled is how long backlogs were counted after the last look.
	filled time.Duration
	// leastFill is for how long backlogs are counted at least: before the first
	// evaluation of a process, and after looks that leave no pause, as those do in
	// which statements of users hang. A second.
	leastFill time.Duration
	// behind are the objectives of which it was logged that they have a backlog.
	behind map[plumbline.SLOName]bool
}

func newCounted(cfg Config, deps Dependencies) *counted {
	changed := deps.Changed
	if changed == nil {
		changed = func(...plumbline.SLOName) {}
	}
	counter := count.New(count.DefaultConfig(), deps.DB, deps.Queries, deps.PromQL)
	return &counted{
		counter: counter, book: count.NewBook(counter),
		changed: changed, interval: cfg.Interval, said: make(map[plumbline.SLOName]string), leastFill: time.Second,
	}
}

// countsShare is the part of the time, one in so many, that looks at counts may
// take. At 5,000 events a second and 120 objectives a look takes a tenth of a CPU-second,
// and seconds only where the machine is busy with other things: a page does not wait
// longer for that than it must.
const countsShare = 2

// pauseCounts is how long after a look at counts the next one begins. Backlogs are
// counted in the pause, so that those make no page later.
func (r *Runner) pauseCounts(took time.Duration) time.Duration {
	return max(r.pauseEvents(took-r.counted.filled)-r.counted.filled, 0)
}

// pauseEvents is how long after events were counted and evaluated the next ones are:
// longer where none come in.
func (r *Runner) pauseEvents(took time.Duration) time.Duration {
	if r.counted.idle {
		return max(r.cfg.BurnInterval, r.cfg.Interval/2-took)
	}
	return min(max(r.cfg.BurnInterval, (countsShare-1)*took), max(r.cfg.Interval-took, 0))
}

// lookCounts counts what is new and evaluates every window of an objective on
// counts. What it finds of an objective is one insert of one time, as lookService
// says: of all of them once an interval, and in between of those whose verdict is
// another.
func (r *Runner) lookCounts(ctx context.Context, now time.Time, keep keeper) error {
	began := time.Now()
	r.counted.filled = 0
	all, err := r.counted.look(ctx, r.patience, r.objectives, now)
	findings, said := r.counted.news(all, now)
	if kept := keep(findings); kept != nil {
		return errors.Join(err, kept)
	}
	r.counted.keep(said, now)
	err = errors.Join(err, r.counted.fill(ctx, r.objectives, now, max(r.pauseEvents(time.Since(began)), r.counted.leastFill)))
	r.metrics.uncounted.Set(r.counted.counter.Left(now).Seconds())
	r.sayBacklogs(now)
	return err
}

// sayBacklogs logs which objectives are not counted as a whole, once for each, and when
// they are: until then their longer windows are missing.
func (r *Runner) sayBacklogs(now time.Time) {
	left := r.counted.counter.Uncounted(r.objectives, now)
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if !r.counted.behind[name] {
			r.log.Info("windows of an SLO are missing until what is not counted of it is counted, the newest of it first", "slo", name, "uncounted", left[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.counted.behind)) {
		if _, ok := left[name]; !ok {
			r.log.Info("all of an SLO is counted", "slo", name)
		}
	}
	r.counted.behind = make(map[plumbline.SLOName]bool, len(left))
	for name := range left {
		r.counted.behind[name] = true
	}
}

// fill counts backlogs for so long. If it counted anything, that is soon looked at.
func (c *counted) fill(ctx context.Context, objectives []plumbline.Objective, now time.Time, within time.Duration) error {
	began, written := time.Now(), c.counter.Written()
	err := c.counter.CatchUp(ctx, objectives, now, within)
	c.filled = time.Since(began)
	c.idle = c.idle && c.counter.Written() == written
	return err
}

// look counts what is new and evaluates every window that ends with the minute
// now. What could not be counted is evaluated as far as it was, for a while: then it is
// missing. Where nothing was counted since, there is nothing to evaluate before the
// minute is over or everything is due. Either may take as long as patience says.
func (c *counted) look(ctx context.Context, patience time.Duration, objectives []plumbline.Objective, now time.Time) ([]count.Evaluation, error) {
	counting := objectives
	if now.Sub(c.asked) >= c.interval || now.Before(c.asked) {
		c.asked = now // though what they say may not be kept: they are not asked more often then
	} else {
		counting = ofEvents(objectives)
	}
	within, cancel := context.WithTimeout(ctx, patience)
	err := c.counter.Step(within, counting, now)
	cancel()
	if c.wrote.IsZero() {
		// What an earlier process said stands for a moment longer; of what is counted
		// but for the last hours it would now be said that nothing is known.
		err = errors.Join(err, c.fill(ctx, objectives, now, c.leastFill))
	}
	end, seen := now.Truncate(time.Minute).Add(time.Minute), c.counter.Written()
	c.idle = seen == c.seen
	if err == nil && seen == c.seen && end.Equal(c.end) && !c.due(now) {
		return nil, nil
	}
	within, cancel = context.WithTimeout(ctx, patience)
	defer cancel()
	all, readErr := c.book.At(within, objectives, end)
	if readErr == nil {
		c.seen, c.end = seen, end
	}
	return all, errors.Join(err, readErr)
}

// ofEvents are the objectives whose indicators batches of events tell the news of.
// The others are asked for by the minute, by statements of users too: once an
// interval is enough.
func ofEvents(objectives []plumbline.Objective) []plumbline.Objective {
	return slices.DeleteFunc(slices.Clone(objectives), func(o plumbline.Objective) bool {
		sli := o.SLO.SLI
		return !sli.Is(plumbline.SLILatency) && !sli.Is(plumbline.SLISuccess) && !sli.Is(plumbline.SLICost)
	})
}

// due reports whether everything is to be written, whatever it says.
func (c *counted) due(now time.Time) bool {
	return c.wrote.IsZero() || now.Sub(c.wrote) >= c.interval || now.Before(c.wrote)
}

// tell makes everything due.
func (c *counted) tell() { c.wrote, c.asked = time.Time{}, time.Time{} }

// news returns the findings that are to be written, and what they say of each
// objective.
func (c *counted) news(all []count.Evaluation, now time.Time) ([]Finding, map[plumbline.SLOName]string) {
	said := make(map[plumbline.SLOName]string)
	for _, e := range all {
		said[e.Objective.SLO.Name] += verdictsOf(e)
	}
	due := c.due(now)
	var findings []Finding
	for _, e := range all {
		if name := e.Objective.SLO.Name; due || said[name] != c.said[name] {
			findings = append(findings, uncounted(countedFindings(e), c.counter.Failure(e.Objective.SLO.SLIID()))...)
		}
	}
	return findings, said
}

// keep notes what was written, and tells which objectives it says something else
// of.
func (c *counted) keep(said map[plumbline.SLOName]string, now time.Time) {
	if len(said) == 0 {
		return // nothing was read
	}
	var changed []plumbline.SLOName
	for name, text := range said {
		if c.said[name] != text {
			changed = append(changed, name)
		}
		c.said[name] = text
	}
	if c.due(now) {
		c.wrote = now
	}
	if len(changed) > 0 {
		c.changed(changed...)
	}
}

// verdictsOf is what an evaluation says of each pair, as one text.
func verdictsOf(e count.Evaluation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", e.Deploy)
	for _, c := range e.Counted {
		b.WriteString(" " + c.Verdict)
	}
	return b.String() + "\n"
}

// countedFindings returns a finding for each window length; long windows carry
// what noise says of them.
func countedFindings(e count.Evaluation) []Finding {
	var findings []Finding
	counts := countsWhole(e.Objective.SLO)
	add := func(c burn.Counted, length time.Duration, w burn.Count, long bool) {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Window == length }) {
			return
		}
		slo := e.Objective.SLO
		f := newFinding(plumbline.SignalBurn, plumbline.MeasureBadShare)
		f.Model, f.SLO, f.Deploy, f.Stage = slo.Model, slo.Name, e.Deploy, plumbline.StageProduction
		f.Window, f.WindowEnd, f.Count = length, c.End, uint64(max(w.Rows, 0))
		f.Verdict, f.Assumes = c.Verdict, assumesCounts
		if c.Partly && c.Verdict == plumbline.VerdictMissing {
			f.Assumes = assumesPartly
		}
		if c.Verdict == plumbline.VerdictMissing && slices.Contains(c.Elsewhere, length) {
			f.Assumes = plumbline.AssumesElsewhere
		}
		if c.Verdict != plumbline.VerdictMissing {
			interval := w.Interval()
			f.Value, f.Low, f.High, f.NullMean = w.Share(), interval.Low, interval.High, 1-slo.Target
			f.Effect = f.Value - f.NullMean
			if counts && (long || !c.Before) {
				f.Total = uint64(max(w.Total, 0))
			}
			if long {
				f.P = c.Noise
			}
		}
		findings = append(findings, f)
		if long && c.Verdict != plumbline.VerdictMissing {
			findings = append(findings, partFindings(f, c.Parts)...)
		}
	}
	for _, c := range e.Counted {
		add(c, c.Pair.Long, c.Long, true)
	}
	for _, c := range e.Counted {
		add(c, c.Pair.Short, c.Short, false)
	}
	return findings
}

// uncounted says of windows that are missing how their SLO's statement failed, if it did:
// whoever asks why nothing is known reads it where nothing is.
func uncounted(findings []Finding, failure error) []Finding {
	if failure == nil {
		return findings
	}
	for i := range findings {
		if f := &findings[i]; f.Verdict == plumbline.VerdictMissing && f.Assumes != plumbline.AssumesElsewhere {
			f.Assumes = plumbline.AssumesUncounted + inOneLine(failure)
		}
	}
	return findings
}

// longestReason is how many characters of an error a finding tells.
const longestReason = 300

// inOneLine returns an error without its line ends, cut where it is too long.
func inOneLine(err error) string {
	text := []rune(strings.Join(strings.Fields(err.Error()), " "))
	if len(text) > longestReason {
		return string(text[:longestReason]) + "…"
	}
	return string(text)
}

// countsWhole reports whether the totals of an objective are numbers of what it counts:
// PromQL is counted in thousandths, and parts count different things.
func countsWhole(slo plumbline.SLO) bool {
	if slo.Budgeting == plumbline.Timeslices || slo.Budgeting == plumbline.RatioTimeslices {
		return true
	}
	return !slo.SLI.Is(plumbline.SLIPromQL) && !slo.SLI.Is(plumbline.SLIComposite)
}

// partFindings say what the parts of a composite make up of the bad share that a
// finding tells.
func partFindings(whole Finding, parts []burn.Part) []Finding {
	var findings []Finding
	for _, p := range parts {
		f := whole
		f.Measure, f.Reference, f.Value, f.Total = plumbline.MeasureBadShareOfPart, string(p.SLO), p.Bad, 0
		f.Low, f.High, f.NullMean, f.Effect, f.P = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
		f.Assumes = assumesPart
		findings = append(findings, f)
	}
	return findings
}
