package count

import (
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

//go:embed sql/windows.sql
var windowsSQL string

//go:embed sql/slices.sql
var slicesSQL string

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader evaluates objectives over the stored counts.
type Reader struct {
	// Conn is where the table sli is.
	Conn Querier
}

// key is one deploy's part in an indicator, budgeted in one way.
type key struct {
	of     budgeting
	deploy plumbline.DeployHash
}

// budgeting is what counts can be shared by: the same indicator in the same
// slices.
type budgeting struct {
	sli    plumbline.SLIID
	slice  time.Duration
	target float64
}

// end is where windows of slices end: with the last whole slice, or they would miss
// what began in it and, of slices as long as they are, nearly all.
func (b budgeting) end(end time.Time) time.Time {
	if b.slice > 0 {
		return end.Truncate(b.slice)
	}
	return end
}

// ratioTarget stands for no target of a slice: its bad share counts.
const ratioTarget = 0

func budgetingOf(slo plumbline.SLO) budgeting {
	b := budgeting{sli: slo.SLIID()}
	switch slo.Budgeting {
	case plumbline.Timeslices:
		b.slice, b.target = slo.SliceWindow, slo.SliceTarget
	case plumbline.RatioTimeslices:
		b.slice, b.target = slo.SliceWindow, ratioTarget
	}
	return b
}

// cell is what one bucket of one key holds.
type cell struct {
	count  burn.Count
	last   burn.Count
	lastAt time.Time
}

// Evaluation is what one objective says of one deploy.
type Evaluation struct {
	Objective plumbline.Objective
	Deploy    plumbline.DeployHash
	Counted   []burn.Counted
}

// At evaluates the objectives in windows that end at end, exclusive, a whole
// minute. It reads the counts of all of them together, and again, in longer
// windows, those of which too little comes in. Objectives nobody has counts for
// are missing, for the deploy without a name; those of quality are left out, for
// their windows end elsewhere, and so are the parts of composites. Those whose
// counts could not be read are left out as well, and the error says why: the others
// are there.
func (r Reader) At(ctx context.Context, objectives []plumbline.Objective, end time.Time) ([]Evaluation, error) {
	return evaluateAt(ctx, objectives, end, counts{cells: r.cells, since: func(plumbline.SLIID) time.Time { return time.Time{} }})
}

// counts are what objectives are evaluated on.
type counts struct {
	// cells enters the counts of every indicator of a group by bucket: the shortest
	// window that they are in.
	cells func(ctx context.Context, group budgeting, slis []plumbline.SLIID, lengths []time.Duration, end time.Time, found map[key]map[time.Duration]cell) error
	// since returns since when an indicator is counted as a whole; zero is always.
	since func(plumbline.SLIID) time.Time
	// storedTo returns until when all is stored of what a deploy's events come by, which
	// had its last one at last; nil where nobody knows.
	storedTo func(of served, last, end time.Time) time.Time
}

func evaluateAt(ctx context.Context, objectives []plumbline.Objective, end time.Time, from counts) ([]Evaluation, error) {
	end = end.Truncate(time.Minute)
	slos := make(map[plumbline.SLOName]plumbline.SLO, len(objectives))
	for _, o := range objectives {
		slos[o.SLO.Name] = o.SLO
	}
	var counting []plumbline.Objective
	for _, o := range objectives {
		if len(o.Pairs) > 0 && !o.SLO.SLI.Is(plumbline.SLIQuality) {
			counting = append(counting, o)
		}
	}
	all, err := from.evaluate(ctx, counting, slos, end)
	if err != nil {
		err = fmt.Errorf("evaluate SLOs on counts: %w", err)
	}
	return all, err
}

func (from counts) evaluate(ctx context.Context, objectives []plumbline.Objective, slos map[plumbline.SLOName]plumbline.SLO, end time.Time) ([]Evaluation, error) {
	usual := make([]plumbline.Objective, len(objectives))
	var longest time.Duration
	for _, o := range objectives {
		longest = max(longest, o.Longest())
	}
	for i, o := range objectives {
		usual[i] = o
		usual[i].Pairs = slices.Clone(o.Pairs)
		for k, p := range o.Pairs {
			usual[i].Pairs[k].Evidence = slices.DeleteFunc(slices.Clone(p.Evidence), func(l time.Duration) bool { return l > longest })
		}
	}
	all, err := from.read(ctx, usual, slos, end)
	thin := make(map[plumbline.SLOName]bool)
	for _, e := range all {
		for _, c := range e.Counted {
			if c.Thin {
				thin[e.Objective.SLO.Name] = true
			}
		}
	}
	again := slices.DeleteFunc(slices.Clone(objectives), func(o plumbline.Objective) bool { return !thin[o.SLO.Name] })
	more, errMore := from.read(ctx, again, slos, end)
	all = slices.DeleteFunc(all, func(e Evaluation) bool { return thin[e.Objective.SLO.Name] })
	return append(all, more...), errors.Join(err, errMore)
}

// read evaluates objectives on one read.
func (from counts) read(ctx context.Context, objectives []plumbline.Objective, slos map[plumbline.SLOName]plumbline.SLO, end time.Time) ([]Evaluation, error) {
	lengths := lengthsOf(objectives)
	if len(lengths) == 0 {
		return nil, nil
	}
	found, unread := make(map[key]map[time.Duration]cell), make(map[budgeting]bool)
	var errs []error
	for group, slis := range grouped(objectives, slos) {
		if err := from.cells(ctx, group, slis, lengths, end, found); err != nil {
			unread[group], errs = true, append(errs, err)
		}
	}
	deploys := make(map[budgeting][]plumbline.DeployHash)
	for k := range found {
		deploys[k.of] = append(deploys[k.of], k.deploy)
	}
	models := make(map[plumbline.SLIID]plumbline.Model, len(slos))
	for _, slo := range slos {
		models[slo.SLIID()] = slo.Model
	}
	e := evaluator{deploys: deploys, slos: slos, end: end, windows: func(k key, series int) burn.Windows {
		w := windowsOf(found[k], k.of.end(end), series)
		w.From = from.since(k.of.sli)
		w.OthersAt = othersAt(found, deploys[k.of], k)
		if from.storedTo != nil {
			w.StoredTo = func() time.Time { return from.storedTo(served{models[k.of.sli], k.deploy}, w.LastAt, w.End) }
		}
		return w
	}}
	var all []Evaluation
	for _, o := range objectives {
		if len(unread) == 0 || !needs(o, slos, unread) {
			all = append(all, e.objective(o)...)
		}
	}
	return all, errors.Join(errs...)
}

// othersAt is the last minute in which another deploy than the key's had an event, zero
// if none had. What is counted without a deploy has no other.
func othersAt(found map[key]map[time.Duration]cell, deploys []plumbline.DeployHash, k key) (last time.Time) {
	for _, d := range deploys {
		if d == k.deploy || k.deploy == "" {
			continue
		}
		for _, c := range found[key{k.of, d}] {
			if c.lastAt.After(last) {
				last = c.lastAt
			}
		}
	}
	return last
}

// needs reports whether an objective, or a part of it, is evaluated on one of groups.
func needs(o plumbline.Objective, slos map[plumbline.SLOName]plumbline.SLO, groups map[budgeting]bool) bool {
	for group := range grouped([]plumbline.Objective{o}, slos) {
		if groups[group] {
			return true
		}
	}
	return false
}

// lengthsOf returns every window that the objectives look at, shortest first.
func lengthsOf(objectives []plumbline.Objective) []time.Duration {
	var all []time.Duration
	for _, o := range objectives {
		for _, p := range o.Pairs {
			all = append(append(all, p.Long, p.Short), p.Evidence...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// bucketsSQL is the expression of the shortest window that an age, in seconds,
// lies in. ClickHouse is quicker with constants than with an array and a lambda.
func bucketsSQL(lengths []time.Duration, age string) string {
	var b strings.Builder
	last := int64(lengths[len(lengths)-1] / time.Second)
	b.WriteString("toInt64(multiIf(")
	for _, l := range lengths {
		fmt.Fprintf(&b, "%s <= %d, %d, ", age, l/time.Second, l/time.Second)
	}
	fmt.Fprintf(&b, "%d))", last)
	return b.String()
}

// grouped returns the indicators that the objectives and their parts count, by how they
// are budgeted.
func grouped(objectives []plumbline.Objective, slos map[plumbline.SLOName]plumbline.SLO) map[budgeting][]plumbline.SLIID {
	asked := make(map[budgeting][]plumbline.SLIID)
	ask := func(slo plumbline.SLO) {
		b := budgetingOf(slo)
		group := budgeting{slice: b.slice, target: b.target}
		asked[group] = append(asked[group], b.sli)
	}
	for _, o := range objectives {
		if !o.SLO.SLI.Is(plumbline.SLIComposite) {
			ask(o.SLO)
		}
		for _, p := range o.SLO.Parts {
			ask(slos[p.SLO])
		}
	}
	for group, slis := range asked {
		slices.Sort(slis)
		asked[group] = slices.Compact(slis)
	}
	return asked
}

// cells reads the counts of a group by bucket.
func (r Reader) cells(ctx context.Context, group budgeting, slis []plumbline.SLIID, lengths []time.Duration, end time.Time, found map[key]map[time.Duration]cell) error {
	statement := strings.Replace(windowsSQL, "/*bucket*/", bucketsSQL(lengths, "({end:Int64} - toUnixTimestamp(time))"), 1)
	if group.slice > 0 {
		statement = strings.Replace(slicesSQL, "/*bucket*/", bucketsSQL(lengths, "({end:Int64} - toUnixTimestamp(slice))"), 1)
	}
	last := group.end(end)
	rows, err := r.Conn.Query(ctx, statement,
		clickhouse.Named("slis", texts(slis)),
		clickhouse.Named("from", last.Add(-lengths[len(lengths)-1]).Unix()), clickhouse.Named("end", last.Unix()),
		clickhouse.Named("slice", int64(group.slice/time.Second)), clickhouse.Named("target", group.target))
	if err != nil {
		return err
	}
	return scanCells(rows, group, found)
}

// texts are identities as ClickHouse takes them.
func texts(slis []plumbline.SLIID) []string {
	all := make([]string, len(slis))
	for i, id := range slis {
		all[i] = string(id)
	}
	return all
}

func scanCells(rows driver.Rows, group budgeting, found map[key]map[time.Duration]cell) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			sli, deploy string
			bucket      int64
			last        uint32
			c           cell
		)
		if err := rows.Scan(&sli, &deploy, &bucket, &c.count.Bad, &c.count.Total, &c.count.Rows, &last, &c.last.Bad, &c.last.Total, &c.last.Rows); err != nil {
			return err
		}
		c.lastAt = time.Unix(int64(last), 0)
		k := key{of: budgeting{plumbline.SLIID(sli), group.slice, group.target}, deploy: plumbline.DeployHash(deploy)}
		if found[k] == nil {
			found[k] = make(map[time.Duration]cell)
		}
		found[k][time.Duration(bucket)*time.Second] = c
	}
	return rows.Err()
}

// evaluator evaluates objectives on counts that are there.
type evaluator struct {
	// windows returns the counts of a key.
	windows func(k key, series int) burn.Windows
	deploys map[budgeting][]plumbline.DeployHash
	slos    map[plumbline.SLOName]plumbline.SLO
	end     time.Time
}

// objective evaluates one objective for each deploy that has counts in its
// windows.
func (e evaluator) objective(o plumbline.Objective) []Evaluation {
	var hashes []plumbline.DeployHash
	of := []budgeting{budgetingOf(o.SLO)}
	if o.SLO.SLI.Is(plumbline.SLIComposite) {
		of = nil
		for _, p := range o.SLO.Parts {
			of = append(of, budgetingOf(e.slos[p.SLO]))
		}
	}
	for _, b := range of {
		for _, d := range e.deploys[b] {
			if (o.SLO.Deploy == "" || o.SLO.Deploy == d) && !slices.Contains(hashes, d) && e.spoke(o, key{b, d}) {
				hashes = append(hashes, d)
			}
		}
	}
	slices.Sort(hashes)
	if len(hashes) > 1 && hashes[0] == "" && o.SLO.SLI.Is(plumbline.SLIComposite) {
		hashes = hashes[1:] // a part without deploys is a part of each
	}
	series := len(hashes)
	if series == 0 {
		hashes = []plumbline.DeployHash{o.SLO.Deploy}
	}
	var all []Evaluation
	for _, d := range hashes {
		one := Evaluation{Objective: o, Deploy: d}
		for _, p := range o.Pairs {
			if o.SLO.SLI.Is(plumbline.SLIComposite) {
				one.Counted = append(one.Counted, e.composite(o, p, d, series))
				continue
			}
			one.Counted = append(one.Counted, burn.EvaluateCounts(e.windows(key{of[0], d}, series), o.SLO, p))
		}
		all = append(all, one)
	}
	return all
}

// spoke reports whether a deploy has counts in the longest of the objective's
// long windows: one that served before has no part in the objective any more.
func (e evaluator) spoke(o plumbline.Objective, k key) bool {
	return e.windows(k, 1).Of(o.Longest()).Total > 0
}

// windowsOf sums the buckets, which are disjoint, up to each length.
func windowsOf(cells map[time.Duration]cell, end time.Time, series int) burn.Windows {
	w := burn.Windows{End: end, Series: series, LastAt: time.Unix(0, 0)}
	for _, c := range cells {
		if c.lastAt.After(w.LastAt) {
			w.LastAt, w.Last = c.lastAt, c.last
		}
	}
	w.Of = func(length time.Duration) burn.Count {
		var sum burn.Count
		for bucket, c := range cells {
			if bucket <= length {
				sum.Bad, sum.Total, sum.Rows = sum.Bad+c.count.Bad, sum.Total+c.count.Total, sum.Rows+c.count.Rows
			}
		}
		return sum
	}
	return w
}

// composite weighs the parts: its burn rate is the weighted mean of theirs, so
// its bad share is that times its budget. It is missing where a part is, and
// noise where all of its parts are.
func (e evaluator) composite(o plumbline.Objective, pair plumbline.WindowPair, deploy plumbline.DeployHash, series int) burn.Counted {
	sum := burn.Counted{Pair: pair, End: e.end, Threshold: pair.Threshold(o.SLO.Target), Noise: 1, Evidence: pair.Long, Verdict: plumbline.VerdictMissing}
	var weights, long, short float64
	rows := burn.Count{}
	noise := 1.0
	for _, p := range o.SLO.Parts {
		slo := e.slos[p.SLO]
		part := burn.EvaluateCounts(e.windows(e.part(p, deploy), series*len(o.SLO.Parts)), slo, pair)
		sum.Partly = sum.Partly || part.Partly
		if part.Verdict == plumbline.VerdictMissing {
			sum.Parts, sum.Elsewhere = nil, e.elsewhere(o, pair, deploy)
			return sum
		}
		weights += p.Weight
		burnt := p.Weight * part.Long.Share() / (1 - slo.Target)
		sum.Parts = append(sum.Parts, burn.Part{SLO: p.SLO, Bad: burnt})
		long += burnt
		short += p.Weight * part.Short.Share() / (1 - slo.Target)
		rows.Total, rows.Rows = rows.Total+part.Long.Total, rows.Rows+part.Long.Rows
		noise = min(noise, part.Noise)
		sum.Thin = sum.Thin || part.Thin
	}
	budget := 1 - o.SLO.Target
	for i := range sum.Parts {
		sum.Parts[i].Bad *= budget / weights
	}
	sum.Long = burn.Count{Bad: long / weights * budget * rows.Total, Total: rows.Total, Rows: rows.Rows}
	sum.Short = burn.Count{Bad: short / weights * budget * rows.Total, Total: rows.Total, Rows: rows.Rows}
	sum.Noise = noise
	sum.Verdict = sum.Judge()
	return sum
}

// part is what a part of a composite of a deploy is counted by.
func (e evaluator) part(p plumbline.Part, deploy plumbline.DeployHash) key {
	k := key{budgetingOf(e.slos[p.SLO]), deploy}
	if of := e.deploys[k.of]; len(of) == 1 && of[0] == "" {
		k.deploy = ""
	}
	return k
}

// elsewhere are the windows of a composite in which every part that is counted by deploy
// is empty because other deploys serve. While the deploy has events of one of them, it
// serves, and what is missing of the others is not known.
func (e evaluator) elsewhere(o plumbline.Objective, pair plumbline.WindowPair, deploy plumbline.DeployHash) []time.Duration {
	return slices.DeleteFunc([]time.Duration{pair.Long, pair.Short}, func(l time.Duration) bool {
		byDeploy := false
		for _, p := range o.SLO.Parts {
			k := e.part(p, deploy)
			if k.deploy == "" {
				continue
			}
			byDeploy = true
			if !e.windows(k, 1).Elsewhere(l) {
				return true
			}
		}
		return !byDeploy
	})
}
