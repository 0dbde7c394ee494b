package history

import (
	"cmp"
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
)

//go:embed sql/sample.sql
var sampleSQL string

//go:embed sql/width.sql
var widthSQL string

const (
	// sampled is about how many predictions strata are chosen by, and sampledValues
	// about how many values of features those have together, where that is fewer of
	// them: each takes some 80 bytes. leastSample is the fewest that are looked at.
	sampled       = 20_000
	sampledValues = 2_000_000
	leastSample   = 2 * leastSampled
	// cutInto is how many strata numbers are cut into, listedValues how many
	// values are told apart.
	cutInto      = 5
	listedValues = 10
	// leastSampled predictions, and leastLabels labels of them, must be there.
	leastSampled = 500
	leastLabels  = 100
	// leastShare is the least share of the uncertainty about when a label comes
	// that strata must take away, and switchShare how much more than the former
	// ones others must, for all of the history is counted again then.
	leastShare  = 0.02
	switchShare = 0.05
)

// Evidence says why strata were chosen.
type Evidence struct {
	// Predictions were looked at.
	Predictions int
	// Explained is the share of the uncertainty about when a label comes that the
	// strata take away (Theil's U), less what noise would.
	Explained float64
}

// row is one prediction of the sample.
type row struct {
	numbers              map[string]float64
	categories, segments map[string]string
	score                *float64
	predicted            string
	waited, at           int64
}

// Choose returns the strata that best say when a label comes, by a sample of the
// predictions of [from, at) and the labels known at that time: among every
// numeric and text feature, every segment, the score and the class. Former strata
// stay unless others explain clearly more. Strata that wanted leaves open are cut
// by the same sample. Without evidence there is one stratum.
func (r Reader) Choose(ctx context.Context, model plumbline.Model, wanted *Strata, former Strata, from, at time.Time, expected uint64) (Strata, Evidence, error) {
	if wanted != nil && !wanted.Open() {
		return *wanted, Evidence{}, nil
	}
	rows, err := r.sample(ctx, model, from, at, expected)
	if err != nil {
		return Strata{}, Evidence{}, fmt.Errorf("choose strata of model %q: %w", model, err)
	}
	if wanted != nil {
		s := *wanted
		if s.open(rows) {
			return s, Evidence{Predictions: len(rows)}, nil
		}
		return NoStrata(), Evidence{Predictions: len(rows)}, nil
	}
	s, evidence := choose(rows, former, at.Unix())
	return s, evidence, nil
}

// sampleOf is how many predictions of so many features are looked at.
func sampleOf(width uint64) uint64 {
	return max(min(sampled, sampledValues/max(width, 1)), leastSample)
}

func (r Reader) sample(ctx context.Context, model plumbline.Model, from, at time.Time, expected uint64) ([]row, error) {
	width, err := r.width(ctx, model, from, at)
	if err != nil {
		return nil, err
	}
	size := sampleOf(width)
	found, err := r.Conn.Query(ctx, sampleSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", at.Unix()),
		clickhouse.Named("at", at.Unix()), clickhouse.Named("classes", max(expected/size, 1)), clickhouse.Named("most", 2*size))
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []row
	for found.Next() {
		var r row
		if err := found.Scan(&r.numbers, &r.categories, &r.segments, &r.score, &r.predicted, &r.waited, &r.at); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, found.Err()
}

func (r Reader) width(ctx context.Context, model plumbline.Model, from, at time.Time) (width uint64, err error) {
	rows, err := r.Conn.Query(ctx, widthSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", at.Unix()))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := rows.Scan(&width); err != nil {
			return 0, err
		}
	}
	return width, rows.Err()
}

// open takes cuts or values from the sample; false where it has none.
func (s *Strata) open(rows []row) bool {
	if s.numeric() {
		values := make([]float64, len(rows))
		for i, r := range rows {
			values[i] = s.number(r)
		}
		cuts, err := estimate.CutStrata(values, cutInto)
		s.Cuts = cuts
		return err == nil && len(cuts) > 0
	}
	counts := map[string]int{}
	for _, r := range rows {
		if v := s.word(r); v != "" {
			counts[v]++
		}
	}
	s.Values = slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	s.Values = s.Values[:min(len(s.Values), listedValues)]
	slices.Sort(s.Values)
	return len(s.Values) > 0 && len(s.String()) <= maxDefinition
}

// number is what cuts are about, NaN where the row has none.
func (s Strata) number(r row) float64 {
	if s.Kind == Score {
		if r.score == nil {
			return math.NaN()
		}
		return *r.score
	}
	v, ok := r.numbers[s.Name]
	if !ok {
		return math.NaN()
	}
	return v
}

func (s Strata) word(r row) string {
	switch s.Kind {
	case Category:
		return r.categories[s.Name]
	case Segment:
		return r.segments[s.Name]
	}
	return r.predicted
}

// of is the stratum of a row, as the expression of sql has it.
func (s Strata) of(r row) estimate.Stratum {
	switch {
	case s.Kind == None:
		return 0
	case s.numeric():
		return s.Cuts.Of(s.number(r))
	}
	return estimate.Stratum(slices.Index(s.Values, s.word(r)) + 1)
}

// choose compares every candidate.
func choose(rows []row, former Strata, at int64) (Strata, Evidence) {
	rows, when := speeds(rows, at)
	if when == nil {
		return former.orNone(), Evidence{Predictions: len(rows)}
	}
	best, bestGain := NoStrata(), 0.0
	for _, s := range candidates(rows) {
		if !s.open(rows) {
			continue
		}
		if gain, sure := explained(rows, when, s); sure && gain >= leastShare && gain > bestGain {
			best, bestGain = s, gain
		}
	}
	if former.Kind != "" && former.Kind != None {
		if gain, sure := explained(rows, when, former); sure && gain+switchShare >= bestGain {
			best, bestGain = former, gain
		}
	}
	return best, Evidence{Predictions: len(rows), Explained: bestGain}
}

func (s Strata) orNone() Strata {
	if s.Kind == "" {
		return NoStrata()
	}
	return s
}

// speeds keeps the predictions that were watched for as long as nine of ten
// labels took, and says of each whether its label came within the median delay
// (0), within nine tenths of them (1), or not (2).
func speeds(rows []row, at int64) (watched []row, when []int) {
	var delays []int64
	for _, r := range rows {
		if r.waited >= 0 {
			delays = append(delays, r.waited)
		}
	}
	if len(delays) < leastLabels {
		return rows, nil
	}
	slices.Sort(delays)
	median, most := delays[len(delays)/2], delays[len(delays)*9/10]
	for _, r := range rows {
		if at-r.at < most {
			continue
		}
		class := 2
		switch {
		case r.waited >= 0 && r.waited <= median:
			class = 0
		case r.waited >= 0 && r.waited <= most:
			class = 1
		}
		watched, when = append(watched, r), append(when, class)
	}
	if len(watched) < leastSampled {
		return watched, nil
	}
	return watched, when
}

// candidates are all that the rows have, in order.
func candidates(rows []row) []Strata {
	numbers, categories, segments := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		for name := range r.numbers {
			numbers[name] = true
		}
		for name := range r.categories {
			categories[name] = true
		}
		for name := range r.segments {
			segments[name] = true
		}
	}
	all := []Strata{{Kind: Score}, {Kind: Predicted}}
	for _, named := range []struct {
		kind  Kind
		names map[string]bool
	}{{Segment, segments}, {Number, numbers}, {Category, categories}} {
		for _, name := range slices.Sorted(maps.Keys(named.names)) {
			all = append(all, Strata{Kind: named.kind, Name: name})
		}
	}
	return all
}

// explained is the share of the uncertainty about when that strata take away,
// less its mean under independence (Miller 1955), and whether that is beyond
// noise: G = 2 n I is chi-square with df degrees of freedom then.
func explained(rows []row, when []int, s Strata) (share float64, sure bool) {
	joint, strata, classes := map[[2]int]float64{}, map[int]float64{}, map[int]float64{}
	for i, r := range rows {
		stratum := int(s.of(r))
		joint[[2]int{stratum, when[i]}]++
		strata[stratum]++
		classes[when[i]]++
	}
	n, information, entropy := float64(len(rows)), 0.0, 0.0
	for key, c := range joint {
		information += c / n * math.Log(c*n/(strata[key[0]]*classes[key[1]]))
	}
	for _, c := range classes {
		entropy -= c / n * math.Log(c/n)
	}
	df := float64((len(strata) - 1) * (len(classes) - 1))
	if entropy == 0 || df == 0 {
		return 0, false
	}
	return (information - df/(2*n)) / entropy, 2*n*information > df+6*math.Sqrt(2*df)+20
}

//go:embed sql/former.sql
var formerSQL string

// Former returns the scope under which an hour of a model was counted last: strata
// and classes, and as To the end of the newest hour. Its strata are of no kind at
// all if nothing was counted.
func (r Reader) Former(ctx context.Context, model plumbline.Model) (Scope, error) {
	fail := func(err error) (Scope, error) {
		return Scope{}, fmt.Errorf("read former strata of model %q: %w", model, err)
	}
	rows, err := r.Conn.Query(ctx, formerSQL, clickhouse.Named("model", string(model)), clickhouse.Named("mark", plumbline.StratumHourMark))
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	s := Scope{Model: model}
	for rows.Next() {
		var (
			definition string
			end        int64
		)
		if err := rows.Scan(&definition, &end); err != nil {
			return fail(err)
		}
		if s.Strata, s.Classes, err = parseDefinition(definition); err != nil {
			return fail(err)
		}
		s.To = time.Unix(end, 0).UTC()
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return s, nil
}

//go:embed sql/newest.sql
var newestSQL string

// Newest returns the end of the newest hour from an hour on that was over at now and
// has predictions, counted here or not; zero without any. Of the zero time it looks
// at all hours that are kept.
func (r Reader) Newest(ctx context.Context, model plumbline.Model, from, now time.Time) (end time.Time, err error) {
	rows, err := r.Conn.Query(ctx, newestSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", max(from.Unix(), 0)), clickhouse.Named("to", now.Truncate(time.Hour).Unix()))
	if err != nil {
		return end, fmt.Errorf("read newest predictions of model %q: %w", model, err)
	}
	defer rows.Close()
	for rows.Next() {
		var at int64
		if err := rows.Scan(&at); err != nil {
			return end, fmt.Errorf("read newest predictions of model %q: %w", model, err)
		}
		end = time.Unix(at, 0).UTC()
	}
	if err := rows.Err(); err != nil {
		return end, fmt.Errorf("read newest predictions of model %q: %w", model, err)
	}
	return end, nil
}

// parseDefinition reads what Definition spells.
func parseDefinition(text string) (Strata, []string, error) {
	strata, list, binary := strings.Cut(text, "|")
	s, err := ParseStrata(strata)
	if err != nil || !binary {
		return s, nil, err
	}
	var classes []string
	for _, c := range strings.Split(list, ",") {
		classes = append(classes, unescape(c))
	}
	return s, classes, nil
}
