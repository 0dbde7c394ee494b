package why

import (
	"cmp"
	"context"
	_ "embed" // the statements
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

//go:embed sql/requests.sql
var requestsSQL string

//go:embed sql/numbers.sql
var numbersSQL string

//go:embed sql/categories.sql
var categoriesSQL string

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader reads the parts of a window from the hourly rollups.
type Reader struct {
	// Conn is where the rollups are.
	Conn Querier
}

// Scope says what to divide.
type Scope struct {
	// Window is divided by deploy and hour; its bounds are taken as drift.Reader
	// takes them. All traffic is divided by segments, too; a slice is not, since
	// segments are marginal. Its Series are not read.
	Window drift.Query
	// Current and Reference are what was compared.
	Current, Reference drift.Window
	// References are the queries that the reference was added up from. They are
	// read by segment; without any the segments are compared with all of it.
	References []drift.Query
	// Series are the ones to take apart, and Weights what they count in a report,
	// see Question.Weight; none means 0 for each.
	Series  []plumbline.Series
	Weights map[plumbline.Series]float64
	// Measure is the distance.
	Measure measure.ID
}

// Explain reads the parts of the window and takes the distances apart.
func (r Reader) Explain(ctx context.Context, s Scope) (Report, error) {
	parts, err := r.Read(ctx, s)
	if err != nil {
		return Report{}, err
	}
	var questions []Question
	for _, series := range s.Series {
		questions = append(questions, Question{
			Series: series, Measure: s.Measure, Weight: s.Weights[series], Parts: parts[series],
			Reference: s.Reference.Sample(series), Current: s.Current.Sample(series),
		})
	}
	return Explain(questions)
}

const (
	// A window is divided into at most about this many slots of time, so that a
	// quarter is not read by hour.
	mostSlots = 192
	day       = 24 * time.Hour
)

// slot returns the length of the slots of a window.
func slot(q drift.Query) time.Duration {
	length := q.To.Sub(q.From)
	switch {
	case q.From.IsZero() || q.To.IsZero() || length > mostSlots*6*time.Hour:
		return day
	case length > mostSlots*time.Hour:
		return 6 * time.Hour
	}
	return time.Hour
}

// Read returns the parts of each series, with three statements for the window,
// three for its segments and three for those of each reference.
func (r Reader) Read(ctx context.Context, s Scope) (map[plumbline.Series]Parts, error) {
	all := map[plumbline.Series]Parts{}
	window := pieces{}
	if err := r.pieces(ctx, s.Window, s, false, window); err != nil {
		return nil, fmt.Errorf("read parts of model %q: %w", s.Window.Model, err)
	}
	current, reference := pieces{}, pieces{}
	if s.Window.Segment == plumbline.SegmentAll {
		if err := r.pieces(ctx, s.Window, s, true, current); err != nil {
			return nil, fmt.Errorf("read segments of model %q: %w", s.Window.Model, err)
		}
		for _, q := range s.References {
			if len(current) == 0 {
				break // no segments are declared
			}
			if err := r.pieces(ctx, q, s, true, reference); err != nil {
				return nil, fmt.Errorf("read segments of the reference of model %q: %w", q.Model, err)
			}
		}
	}
	for _, series := range s.Series {
		version := cmp.Or(s.Current.Sample(series).Grid, grid.Full)
		parts := Parts{Deploys: map[plumbline.DeployHash]drift.Sample{}, Slots: map[time.Time]drift.Sample{}, SlotLength: slot(s.Window), End: s.Window.To}
		for _, k := range window.keys() {
			sample := window.sample(k, series, version)
			deploy, begin := plumbline.DeployHash(k.deploy), time.Unix(k.begin, 0).UTC()
			parts.Deploys[deploy] = plus(parts.Deploys[deploy], sample)
			parts.Slots[begin] = plus(parts.Slots[begin], sample)
		}
		parts.Segments = segments(current, reference, series, version)
		all[series] = parts
	}
	return all, nil
}

// keyAndValue takes a slice apart: "eu" of "region" for region=eu, and for a
// joint one such as a=x,b=y "x,y" of "a,b", which divides the traffic too.
// Names hold neither of the signs, and values no comma (docs/segments.md).
func keyAndValue(slice string) (key, value string) {
	var keys, values []string
	for pair := range strings.SplitSeq(slice, ",") {
		k, v, _ := strings.Cut(pair, "=")
		keys, values = append(keys, k), append(values, v)
	}
	return strings.Join(keys, ","), strings.Join(values, ",")
}

// segments sorts the slices key=value of one series by key.
func segments(current, reference pieces, series plumbline.Series, version grid.Version) map[string]map[string]Sides {
	all := map[string]map[string]Sides{}
	for i, side := range []pieces{current, reference} {
		for _, k := range side.keys() {
			key, value := keyAndValue(k.slice)
			if all[key] == nil {
				all[key] = map[string]Sides{}
			}
			s := all[key][value]
			if i == 0 {
				s.Current = plus(s.Current, side.sample(k, series, version))
			} else {
				s.Reference = plus(s.Reference, side.sample(k, series, version))
			}
			all[key][value] = s
		}
	}
	return all
}

// pieceKey names one piece of a window.
type pieceKey struct {
	deploy string
	begin  int64 // Unix seconds
	slice  string
}

// piece is what one piece of a window holds.
type piece struct {
	requests uint64
	series   map[seriesKey]drift.Sample
}

// seriesKey is a series on one grid; categories and nulls are on none.
type seriesKey struct {
	series  plumbline.Series
	version grid.Version
}

type pieces map[pieceKey]*piece

func (p pieces) at(k pieceKey) *piece {
	if p[k] == nil {
		p[k] = &piece{series: map[seriesKey]drift.Sample{}}
	}
	return p[k]
}

// keys returns the pieces that have requests, in order.
func (p pieces) keys() []pieceKey {
	return slices.SortedFunc(maps.Keys(p), func(a, b pieceKey) int {
		return strings.Compare(fmt.Sprintf("%s\x00%s\x00%020d", a.slice, a.deploy, a.begin), fmt.Sprintf("%s\x00%s\x00%020d", b.slice, b.deploy, b.begin))
	})
}

// sample returns a series of a piece on a grid; requests without it are absent.
func (p pieces) sample(k pieceKey, series plumbline.Series, version grid.Version) drift.Sample {
	s := p[k].series[seriesKey{series, grid.None}]
	for _, v := range []grid.Version{grid.Full, grid.FullOdds} {
		on := p[k].series[seriesKey{series, v}]
		if v != version {
			on.Elsewhere, on.Numbers = on.Numbers.Total(), drift.Histogram{}
		}
		s = plus(s, on)
	}
	if version != grid.Full {
		s.Grid = version
	}
	if present := s.Present(); p[k].requests > present {
		s.Absent = p[k].requests - present
	}
	return s
}

// plus returns the sum of two samples; neither is changed.
func plus(a, b drift.Sample) drift.Sample {
	sum := drift.Sample{
		Numbers: a.Numbers.Merge(b.Numbers), Other: a.Other + b.Other,
		Nulls: a.Nulls + b.Nulls, NaNs: a.NaNs + b.NaNs, Infs: a.Infs + b.Infs, Absent: a.Absent + b.Absent,
		Elsewhere: a.Elsewhere + b.Elsewhere, Grid: cmp.Or(a.Grid, b.Grid),
	}
	if len(a.Values)+len(b.Values) > 0 {
		sum.Values = maps.Clone(a.Values)
		if sum.Values == nil {
			sum.Values = map[string]uint64{}
		}
		for v, n := range b.Values {
			sum.Values[v] += n
		}
	}
	return sum
}

// pieces adds the pieces of one range.
func (r Reader) pieces(ctx context.Context, q drift.Query, s Scope, segmented bool, into pieces) error {
	parameters := parameters(q, s, segmented)
	for _, statement := range []struct {
		sql  string
		scan func(driver.Rows, pieces) error
	}{{requestsSQL, scanRequests}, {numbersSQL, scanNumbers}, {categoriesSQL, scanCategories}} {
		if err := r.each(ctx, statement.sql, parameters, func(rows driver.Rows) error { return statement.scan(rows, into) }); err != nil {
			return err
		}
	}
	return nil
}

func parameters(q drift.Query, s Scope, segmented bool) []any {
	var deploys, series []string
	for _, d := range q.Deploys {
		deploys = append(deploys, string(d))
	}
	for _, name := range s.Series {
		series = append(series, string(name))
	}
	from, to := int64(0), int64(1)<<31
	if !q.From.IsZero() {
		from = q.From.Truncate(time.Hour).Unix()
	}
	if !q.To.IsZero() {
		to = q.To.Unix()
	}
	var flag uint8
	if segmented {
		flag = 1
	}
	return []any{
		clickhouse.Named("model", string(q.Model)), clickhouse.Named("stage", string(q.Stage)), clickhouse.Named("segment", string(q.Segment)),
		clickhouse.Named("deploys", append([]string{}, deploys...)), clickhouse.Named("series", append([]string{}, series...)),
		clickhouse.Named("from", from), clickhouse.Named("to", to),
		clickhouse.Named("segmented", flag), clickhouse.Named("slot", int64(slot(s.Window)/time.Second)),
	}
}

func (r Reader) each(ctx context.Context, statement string, parameters []any, scan func(driver.Rows) error) error {
	rows, err := r.Conn.Query(ctx, statement, parameters...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanRequests(rows driver.Rows, into pieces) error {
	var (
		k     pieceKey
		count uint64
	)
	if err := rows.Scan(&k.deploy, &k.begin, &k.slice, &count); err != nil {
		return err
	}
	into.at(k).requests += count
	return nil
}

func scanNumbers(rows driver.Rows, into pieces) error {
	var (
		k                 pieceKey
		series, version   string
		nulls, nans, infs uint64
		buckets           []int32
		counts            []uint64
	)
	if err := rows.Scan(&series, &version, &k.deploy, &k.begin, &k.slice, &nulls, &nans, &infs, &buckets, &counts); err != nil {
		return err
	}
	h, err := drift.NewHistogram(buckets, counts)
	if err != nil {
		return fmt.Errorf("series %q: %w", series, err)
	}
	into.add(k, seriesKey{plumbline.Series(series), grid.Version(version)}, drift.Sample{Numbers: h, Nulls: nulls, NaNs: nans, Infs: infs})
	return nil
}

func scanCategories(rows driver.Rows, into pieces) error {
	var (
		k             pieceKey
		series, value string
		kind          uint8
		count         uint64
	)
	if err := rows.Scan(&series, &k.deploy, &k.begin, &k.slice, &value, &kind, &count); err != nil {
		return err
	}
	switch kind {
	case plumbline.KindValue:
		into.add(k, seriesKey{series: plumbline.Series(series)}, drift.Sample{Values: map[string]uint64{value: count}})
	case plumbline.KindNull:
		into.add(k, seriesKey{series: plumbline.Series(series)}, drift.Sample{Nulls: count})
	case plumbline.KindOther:
		into.add(k, seriesKey{series: plumbline.Series(series)}, drift.Sample{Other: count})
	default:
		return fmt.Errorf("series %q: category of kind %d", series, kind)
	}
	return nil
}

func (p pieces) add(k pieceKey, series seriesKey, s drift.Sample) {
	at := p.at(k)
	at.series[series] = plus(at.series[series], s)
}
