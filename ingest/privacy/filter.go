package privacy

import (
	"maps"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// Filter is a configuration with its keys, ready to be applied. It is safe for
// concurrent use; a nil Filter keeps everything.
type Filter struct {
	cfg      Config
	keys     Keys
	policies map[plumbline.Model]*Policy
}

// New reads the keys. A configuration without a policy and without keys is a nil
// Filter.
func New(cfg Config) (*Filter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Models) == 0 && cfg.KeysFile == "" {
		return nil, nil
	}
	f := &Filter{cfg: cfg, policies: map[plumbline.Model]*Policy{}}
	if cfg.KeysFile != "" {
		var err error
		if f.keys, err = ReadKeys(cfg.KeysFile); err != nil {
			return nil, err
		}
	}
	for i := range cfg.Models {
		f.policies[cfg.Models[i].Model] = &f.cfg.Models[i]
	}
	return f, nil
}

// Unkeyed returns a Filter of a valid configuration whose keys are not there. What is
// to be hashed is dropped, and a prediction_id stays: this is for who shows what
// becomes of an event, and never for who stores it.
func Unkeyed(cfg Config) *Filter {
	f := &Filter{cfg: cfg, policies: map[plumbline.Model]*Policy{}}
	for _, p := range cfg.Models {
		p.PredictionID, p.Features, p.Segments = Keep, withoutHash(p.Features), withoutHash(p.Segments)
		f.policies[p.Model] = &p
	}
	return f
}

func withoutHash(rules map[string]Rule) map[string]Rule {
	rules = maps.Clone(rules)
	for name, rule := range rules {
		if rule.Action == Hash {
			rules[name] = Rule{Action: Drop}
		}
	}
	return rules
}

// Identity returns everything that decides what becomes of an event, secrets
// apart: a part of the plan hash.
func (f *Filter) Identity() string {
	if f == nil {
		return ""
	}
	return f.cfg.identity(f.keys)
}

// Samples reports whether raw rows of some model are left out.
func (f *Filter) Samples() bool { return f != nil && f.cfg.Samples() }

// Keys returns the keys of hashes and seals; nil if there are none.
func (f *Filter) Keys() Keys {
	if f == nil {
		return nil
	}
	return f.keys
}

// Columns applies a Filter to the columns of one buffer, whose memory it shares.
// It serves one goroutine.
type Columns struct {
	filter *Filter
	hasher *hasher

	policies []*Policy   // by model identifier of the batch
	rules    []ruleTable // by model identifier

	numbers, categories, nulls, segments decode.List
	numberValues                         []float64
	categoryValues, segmentValues        []int32
	ids                                  decode.Text
	text, name                           []byte
}

// ruleTable holds what was looked up of a policy, by feature or segment
// identifier; nil is not looked up yet.
type ruleTable struct{ features, segments []*Rule }

// NewColumns returns what applies the filter to one buffer; nil for a nil
// Filter, which is ready to use.
func (f *Filter) NewColumns() *Columns {
	if f == nil {
		return nil
	}
	return &Columns{filter: f, hasher: newHasher(f.keys)}
}

// keep is the rule of what nobody named.
var keep = Rule{Action: Keep}

// Predictions applies the rules to a batch, in place. Applied twice it would
// hash the hashes.
func (c *Columns) Predictions(p *decode.Predictions) {
	if c == nil || !c.begin(p) {
		return
	}
	for _, l := range []*decode.List{&c.numbers, &c.categories, &c.nulls, &c.segments} {
		l.Reset()
		l.Offsets = append(l.Offsets, 0)
	}
	c.numberValues, c.categoryValues, c.segmentValues = c.numberValues[:0], c.categoryValues[:0], c.segmentValues[:0]
	c.ids.Truncate(0)
	for row := range p.Len() {
		c.row(p, row)
	}
	p.Numbers, c.numbers = c.numbers, p.Numbers
	p.Categories, c.categories = c.categories, p.Categories
	p.Nulls, c.nulls = c.nulls, p.Nulls
	p.Segments, c.segments = c.segments, p.Segments
	p.NumberValues, c.numberValues = c.numberValues, p.NumberValues
	p.CategoryValues, c.categoryValues = c.categoryValues, p.CategoryValues
	p.SegmentValues, c.segmentValues = c.segmentValues, p.SegmentValues
	p.ID, c.ids = c.ids, p.ID
}

// begin looks up the policies of a batch's models and reports whether there is
// any.
func (c *Columns) begin(p *decode.Predictions) bool {
	c.policies, c.rules = c.policies[:0], c.rules[:0]
	found := false
	for id := range p.Model.Dict.Len() {
		policy := c.filter.policies[plumbline.Model(p.Model.Dict.Value(int32(id)))]
		c.policies = append(c.policies, policy)
		c.rules = append(c.rules, ruleTable{})
		found = found || policy != nil
	}
	return found && p.Len() > 0
}

// row applies the rules to one row and closes it.
func (c *Columns) row(p *decode.Predictions, row int) {
	model := p.Model.IDs[row]
	known := p.Source.Known[row]
	c.rowNumbers(p, row, model, known)
	c.rowCategories(p, row, model, known)
	from, to := p.Nulls.Row(row)
	for i := from; i < to; i++ {
		if c.feature(p, model, p.Nulls.Keys[i]).Action != Drop {
			c.nulls.Keys = append(c.nulls.Keys, p.Nulls.Keys[i])
		}
	}
	c.rowSegments(p, row, model, known)
	c.numbers.Offsets = append(c.numbers.Offsets, int32(len(c.numbers.Keys)))
	c.categories.Offsets = append(c.categories.Offsets, int32(len(c.categories.Keys)))
	c.nulls.Offsets = append(c.nulls.Offsets, int32(len(c.nulls.Keys)))
	c.segments.Offsets = append(c.segments.Offsets, int32(len(c.segments.Keys)))
	id := p.ID.At(row)
	if policy := c.policies[model]; policy != nil && policy.PredictionID == Hash {
		id = c.hash(known, id)
	}
	c.ids.Append(id)
}

func (c *Columns) rowNumbers(p *decode.Predictions, row int, model int32, known int64) {
	from, to := p.Numbers.Row(row)
	for i := from; i < to; i++ {
		key, v := p.Numbers.Keys[i], p.NumberValues[i]
		switch rule := c.feature(p, model, key); rule.Action {
		case Drop:
			continue
		case Hash:
			c.text = strconv.AppendFloat(c.text[:0], v, 'g', -1, 64)
			c.hashed(p, key, c.text, known)
			continue
		case Truncate:
			v = multiple(v, rule.To)
		}
		c.numbers.Keys = append(c.numbers.Keys, key)
		c.numberValues = append(c.numberValues, v)
	}
}

func (c *Columns) rowCategories(p *decode.Predictions, row int, model int32, known int64) {
	from, to := p.Categories.Row(row)
	for i := from; i < to; i++ {
		key, value := p.Categories.Keys[i], p.CategoryValues[i]
		switch rule := c.feature(p, model, key); rule.Action {
		case Drop:
			continue
		case Hash:
			// The text moves when the dictionary grows.
			c.text = append(c.text[:0], p.Values.Value(value)...)
			c.hashed(p, key, c.text, known)
			continue
		case Truncate:
			c.text = append(c.text[:0], prefix(p.Values.Value(value), rule.To)...)
			value = p.Values.ID(c.text)
		}
		c.categories.Keys = append(c.categories.Keys, key)
		c.categoryValues = append(c.categoryValues, value)
	}
}

// hash returns the value's hash under the newest key in use.
func (c *Columns) hash(known int64, value []byte) []byte {
	return c.hasher.hash(c.hasher.at(known)[0], value)
}

// hashed adds the value's hash under the newest key, and under every older one
// that is still in use as a feature of its own, NAME@KEY: the rows of that time
// join what was hashed before with what is hashed after.
func (c *Columns) hashed(p *decode.Predictions, feature int32, value []byte, known int64) {
	for i, key := range c.hasher.at(known) {
		id := feature
		if i > 0 {
			c.name = append(append(append(c.name[:0], p.Features.Value(feature)...), '@'), key.id...)
			id = p.Features.ID(c.name)
		}
		c.categories.Keys = append(c.categories.Keys, id)
		c.categoryValues = append(c.categoryValues, p.Values.ID(c.hasher.hash(key, value)))
	}
}

func (c *Columns) rowSegments(p *decode.Predictions, row int, model int32, known int64) {
	from, to := p.Segments.Row(row)
	for i := from; i < to; i++ {
		key, value := p.Segments.Keys[i], p.SegmentValues[i]
		switch rule := c.segment(p, model, key); rule.Action {
		case Drop:
			continue
		case Hash:
			value = p.SegmentTexts.ID(c.hash(known, p.SegmentTexts.Value(value)))
		case Truncate:
			c.text = append(c.text[:0], prefix(p.SegmentTexts.Value(value), rule.To)...)
			value = p.SegmentTexts.ID(c.text)
		}
		c.segments.Keys = append(c.segments.Keys, key)
		c.segmentValues = append(c.segmentValues, value)
	}
}

// feature returns the rule of a feature.
func (c *Columns) feature(p *decode.Predictions, model, id int32) *Rule {
	policy := c.policies[model]
	if policy == nil {
		return &keep
	}
	return lookUp(&c.rules[model].features, id, policy.Features, p.Features.Value(id))
}

func (c *Columns) segment(p *decode.Predictions, model, id int32) *Rule {
	policy := c.policies[model]
	if policy == nil {
		return &keep
	}
	return lookUp(&c.rules[model].segments, id, policy.Segments, p.SegmentKeys.Value(id))
}

// lookUp finds a rule by name once a batch.
func lookUp(known *[]*Rule, id int32, rules map[string]Rule, name []byte) *Rule {
	for int(id) >= len(*known) {
		*known = append(*known, nil)
	}
	if r := (*known)[id]; r != nil {
		return r
	}
	rule := ruleOf(rules, string(name))
	(*known)[id] = &rule
	return &rule
}

// multiple returns the greatest multiple of a step that is not above v. What is
// one but for the rounding of the quotient counts as one; what has none, an
// infinity or a number too large for the step, stays.
func multiple(v, step float64) float64 {
	q := v / step
	n := math.Floor(q)
	if near := math.Round(q); math.Abs(q-near) <= 1e-15*math.Abs(near)*4 {
		n = near
	}
	if cut := n * step; !math.IsInf(cut, 0) && !math.IsNaN(cut) {
		return cut
	}
	return v
}

// prefix returns the first n characters of a text.
func prefix(text []byte, n float64) []byte {
	end := 0
	for ; n >= 1 && end < len(text); n-- {
		_, size := utf8.DecodeRune(text[end:])
		end += size
	}
	return text[:end]
}

// Labels returns the labels with the rules applied: the columns themselves, or
// the space, where identifiers are hashed. There a label stands once for every
// key in use, so that it meets a prediction that was hashed under an older one;
// at most one of them has a prediction.
func (c *Columns) Labels(l, space *decode.Labels) *decode.Labels {
	if c == nil {
		return l
	}
	found := false
	hashes := make([]bool, l.Model.Dict.Len())
	for id := range hashes {
		policy := c.filter.policies[plumbline.Model(l.Model.Dict.Value(int32(id)))]
		hashes[id] = policy != nil && policy.PredictionID == Hash
		found = found || hashes[id]
	}
	if !found {
		return l
	}
	space.Reset()
	for row := range l.Len() {
		if !hashes[l.Model.IDs[row]] {
			space.Pick(l, row)
			continue
		}
		for _, key := range c.hasher.at(l.Source.Known[row]) {
			space.PickAs(l, row, c.hasher.hash(key, l.ID.At(row)))
		}
	}
	return space
}

// Sample returns the rows whose raw form is stored, and false if that is all of
// them. It comes after Predictions: the choice is by the identifier as it is
// stored.
func (c *Columns) Sample(p *decode.Predictions) (rows []int32, some bool) {
	if c == nil || !c.filter.Samples() || !c.begin(p) {
		return nil, false
	}
	for row := range p.Len() {
		if rate := c.Rate(p, row); rate == 1 || chosen(p.ID.At(row), rate) {
			rows = append(rows, int32(row))
		}
	}
	return rows, true
}

// Rate returns the share of the model's rows that Sample keeps, for a row of the
// batch of the last Sample.
func (c *Columns) Rate(p *decode.Predictions, row int) float64 {
	if policy := c.policies[p.Model.IDs[row]]; policy != nil {
		return policy.rate()
	}
	return 1
}

// chosen decides by a hash of the identifier, so that the halves and the repeats
// of one prediction are chosen together. The hash is mixed once more: rounding
// of weights goes by the plain one, and the two must not depend on each other.
func chosen(id []byte, rate float64) bool {
	h := xxhash.Sum64(id) // and splitmix64's finalizer (Steele, Lea and Flood 2014)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	return float64(h>>11) < rate*(1<<53)
}
