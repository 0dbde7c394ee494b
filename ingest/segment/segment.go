package segment

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
)

const (
	// Other is the value under which every value without a cell of its own is
	// counted.
	Other = "other"
	// DefaultCap is how many values a segment may list.
	DefaultCap = 20
	// DefaultBudget is how many segments one model may have, all values of all
	// declarations together.
	DefaultBudget = 200
	// MaxBudget bounds the budget that a model may be given: the cells of a batch
	// grow with it.
	MaxBudget = 2000
	// maxBytes bounds a name and a value, in bytes.
	maxBytes = 256
	// maxParameter bounds the declarations of all models as they travel in a
	// URL, in bytes: ClickHouse takes 128 KiB (http_max_field_value_size).
	maxParameter = 100 << 10
)

// Declared is what is declared, by model. A model without declarations is
// counted as a whole only.
type Declared map[plumbline.Model]Model

// Model declares the segments of one model.
type Model struct {
	Segments []Segment
	// Budget is how many segments the model may have at most, counting each
	// value and each combination, at most MaxBudget. Default 200.
	Budget int
}

// Segment declares one slicing of a model's traffic: a marginal one by Name and
// Values, or a joint one by the names of marginal ones.
type Segment struct {
	// Name is the key in the field segments of an event.
	Name string `yaml:"name"`
	// Values are those that are counted apart; all others are counted as other.
	// They are listed, because a list is what any process, any replay and the
	// recomputation in SQL agree on without asking one another.
	Values []string `yaml:"values"`
	// Cap is how many values may be listed. Default 20.
	Cap int `yaml:"cap"`
	// Joint names two or more segments of the model whose combinations are
	// counted too, in this order.
	Joint []string `yaml:"joint"`
}

// Cells returns how many segments the declarations of the model make.
func (m Model) Cells() int {
	sizes := map[string]int{}
	total := 0
	for _, s := range m.Segments {
		if len(s.Joint) == 0 {
			sizes[s.Name] = len(s.Values) + 1
			total += sizes[s.Name]
		}
	}
	for _, s := range m.Segments {
		if len(s.Joint) > 0 {
			total += product(s.Joint, sizes)
		}
	}
	return total
}

// product stops at a number that no budget allows, before it overflows.
func product(names []string, sizes map[string]int) int {
	n := 1
	for _, name := range names {
		n = min(n*sizes[name], 1<<30)
	}
	return n
}

// Validate returns every mistake of the declarations of one model.
func (m Model) Validate() error {
	var errs []error
	names, joints := map[string]bool{}, map[string]bool{}
	for _, s := range m.Segments {
		if len(s.Joint) == 0 {
			names[s.Name] = true
		}
	}
	seen := map[string]bool{}
	for i, s := range m.Segments {
		at := fmt.Sprintf("segments[%d]", i)
		if len(s.Joint) > 0 {
			errs = append(errs, s.validateJoint(at, names, joints))
			continue
		}
		if seen[s.Name] {
			errs = append(errs, fmt.Errorf("%s.name: %q stands twice; list all its values in one place", at, s.Name))
		}
		seen[s.Name] = true
		errs = append(errs, s.validate(at))
	}
	if m.Budget < 0 {
		errs = append(errs, fmt.Errorf("segment_budget: %d is negative", m.Budget))
	}
	if m.Budget > MaxBudget {
		errs = append(errs, fmt.Errorf("segment_budget: %d is more than %d, the most that a batch can count; list fewer values, or drop a joint segment", m.Budget, MaxBudget))
	}
	if cells := m.Cells(); cells > m.budget() {
		errs = append(errs, fmt.Errorf("segments: the values and combinations are %d segments, more than the budget of %d: every rollup row is stored up to once more for each; list fewer values, drop a joint segment, or raise segment_budget", cells, m.budget()))
	}
	return errors.Join(errs...)
}

func (m Model) budget() int {
	if m.Budget == 0 {
		return DefaultBudget
	}
	return m.Budget
}

func (s Segment) validate(at string) error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(at+format, args...)) }
	switch {
	case s.Name == "" || len(s.Name) > maxBytes:
		add(".name: %q has not 1 to %d bytes; name a key of the field segments, or the joint segments", s.Name, maxBytes)
	case strings.ContainsAny(s.Name, "=,"):
		add(".name: %q contains '=' or ',', which separate names and values of segments; let the producer, or the mapping of its topic, use another name", s.Name)
	}
	limit := s.Cap
	if limit == 0 {
		limit = DefaultCap
	}
	switch {
	case s.Cap < 0:
		add(".cap: %d is negative", s.Cap)
	case len(s.Values) == 0:
		add(".values: none; list those that are to be counted apart, all others are counted as %s", Other)
	case len(s.Values) > limit:
		add(".values: %d values are more than the cap of %d; list fewer, the others are counted as %s, or raise cap", len(s.Values), limit, Other)
	}
	seen := map[string]bool{}
	for _, v := range s.Values {
		switch {
		case v == "" || len(v) > maxBytes:
			add(".values: %q has not 1 to %d bytes; leave it out, it is counted as %s", v, maxBytes, Other)
		case strings.Contains(v, ","):
			add(".values: %q contains ',', which separates the parts of joint segments; leave it out, it is counted as %s", v, Other)
		case v == Other:
			add(".values: %q is where values that are not listed are counted; leave it out", v)
		case seen[v]:
			add(".values: %q stands twice", v)
		}
		seen[v] = true
	}
	return errors.Join(errs...)
}

func (s Segment) validateJoint(at string, names, joints map[string]bool) error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(at+format, args...)) }
	if s.Name != "" || len(s.Values) > 0 || s.Cap != 0 {
		add(": joint stands beside name, values or cap; it takes those of the segments it names")
	}
	if len(s.Joint) < 2 {
		add(".joint: %q alone; name at least two segments", s.Joint)
	}
	seen := map[string]bool{}
	for _, name := range s.Joint {
		if !names[name] {
			add(".joint: %q is no segment of this model; declare it with its values too", name)
		}
		if seen[name] {
			add(".joint: %q stands twice", name)
		}
		seen[name] = true
	}
	sorted := strings.Join(slices.Sorted(slices.Values(s.Joint)), ",")
	if joints[sorted] {
		add(".joint: %s is declared already", strings.Join(s.Joint, ", "))
	}
	joints[sorted] = true
	return errors.Join(errs...)
}

// Validate returns every mistake of every model's declarations, and whether all
// of them together are too long for a statement.
func (d Declared) Validate() error {
	var errs []error
	if n := len(url.QueryEscape(string(d.literal()))); n > maxParameter {
		errs = append(errs, fmt.Errorf("segments of %d models: they take %d bytes of a statement's parameters, more than %d; list fewer or shorter values, or drop joint segments, which repeat them", len(d), n, maxParameter))
	}
	for _, name := range slices.Sorted(maps.Keys(d)) {
		if err := d[name].Validate(); err != nil {
			errs = append(errs, fmt.Errorf("model %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// A Part is one key of a segment with the values that have cells of their own.
type Part struct {
	Name   string
	Values []string
}

// Slicings returns the declarations as the keys that each slices by: one part
// for a marginal segment, several for a joint one.
func (m Model) Slicings() [][]Part {
	parts := map[string]Part{}
	for _, s := range m.Segments {
		if len(s.Joint) == 0 {
			parts[s.Name] = Part{s.Name, s.Values}
		}
	}
	all := make([][]Part, 0, len(m.Segments))
	for _, s := range m.Segments {
		if len(s.Joint) == 0 {
			all = append(all, []Part{parts[s.Name]})
			continue
		}
		joint := make([]Part, len(s.Joint))
		for i, name := range s.Joint {
			joint[i] = parts[name]
		}
		all = append(all, joint)
	}
	return all
}

// ID names what is declared: declarations of the same segments have the same
// one, in whatever order values and models stand. It is empty where nothing is
// declared.
func (d Declared) ID() string {
	h := sha256.New()
	empty := true
	for _, model := range slices.Sorted(maps.Keys(d)) {
		var lines []string
		for _, slicing := range d[model].Slicings() {
			line := ""
			for _, part := range slicing {
				line += fmt.Sprintf("%q%q", part.Name, slices.Sorted(slices.Values(part.Values)))
			}
			lines = append(lines, line)
		}
		if slices.Sort(lines); len(lines) > 0 {
			empty = false
			fmt.Fprintf(h, "%q %s\n", model, lines)
		}
	}
	if empty {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))[:8]
}
