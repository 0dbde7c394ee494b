package privacy

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Config says what is personal in the events of which model.
type Config struct {
	// KeysFile holds the keys of hashes and seals, see docs/privacy.md. Nobody but
	// its owner and, to read it, its group may reach it (mode 0600 or 0440). A
	// policy that hides anything needs it, if only to seal dead letters.
	KeysFile string   `yaml:"keys_file"`
	Models   []Policy `yaml:"models"`
}

// Policy is what becomes of the events of one model. Models without one keep
// everything.
type Policy struct {
	Model plumbline.Model `yaml:"model"`
	// PredictionID is keep (the default) or hash. A label's is hashed alike, so
	// that the two still meet.
	PredictionID Action `yaml:"prediction_id"`
	// Features and Segments hold a rule by name; * is the rule of all that are
	// not named.
	Features map[string]Rule `yaml:"features"`
	Segments map[string]Rule `yaml:"segments"`
	// RawRate is the share of the predictions whose raw rows are stored, in
	// (0, 1]; rollups count all of them. Default 1. The choice is by
	// prediction_id, and a row that is stored stands for 1/RawRate times its
	// weight.
	RawRate Rate `yaml:"raw_rate"`
}

// Rate is a share in (0, 1]; 0 is the default.
type Rate float64

// UnmarshalYAML refuses a 0 that somebody wrote: who means to store nothing must
// not get everything.
func (r *Rate) UnmarshalYAML(node *yaml.Node) error {
	var v float64
	if err := node.Decode(&v); err != nil || !(v > 0 && v <= 1) {
		return mistake(node, "a raw_rate is above 0 and at most 1")
	}
	*r = Rate(v)
	return nil
}

// mistake is an error with which yaml.v3 goes on decoding, so that it does not hide
// the file's others.
func mistake(node *yaml.Node, what string) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", node.Line, what)}}
}

// Action is what is done to a value.
type Action string

// The actions.
const (
	Keep Action = "keep"
	Drop Action = "drop"
	// Hash replaces a value by its HMAC-SHA-256; a number becomes a text.
	Hash Action = "hash"
	// Truncate cuts a text to so many characters, and a number down to a
	// multiple.
	Truncate Action = "truncate"
)

// Rule is an action, with what a truncation needs. In YAML it is the action's
// name, or truncate with its number: `city: {truncate: 3}`.
type Rule struct {
	Action Action
	// To is the number of characters that are kept of a text, or the step that a
	// number is cut down to a multiple of; above 0.
	To float64
}

// UnmarshalYAML reads a rule.
func (r *Rule) UnmarshalYAML(node *yaml.Node) error {
	wrong := mistake(node, "a rule is keep, drop, hash, or truncate with a number such as {truncate: 3}")
	if node.Kind == yaml.ScalarNode {
		*r = Rule{Action: Action(node.Value)}
		if r.Action != Keep && r.Action != Drop && r.Action != Hash {
			return wrong
		}
		return nil
	}
	var to map[string]float64
	if err := node.Decode(&to); err != nil || len(to) != 1 {
		return wrong
	}
	*r = Rule{Truncate, to[string(Truncate)]}
	if !r.valid() {
		return wrong
	}
	return nil
}

// valid reports whether a rule can be applied. One without an action is none:
// a name with nothing behind it must not mean keep.
func (r Rule) valid() bool {
	switch r.Action {
	case Keep, Drop, Hash:
		return true
	case Truncate:
		return r.To > 0 && !math.IsInf(r.To, 1)
	}
	return false
}

// String is the rule as Identity spells it.
func (r Rule) String() string {
	if r.Action == Truncate {
		return fmt.Sprintf("%s %g", r.Action, r.To)
	}
	return string(r.Action)
}

// Validate returns every mistake of the configuration, by field. It reads no
// file.
func (c Config) Validate() error {
	var errs []error
	seen := map[plumbline.Model]bool{}
	for i, p := range c.Models {
		at := fmt.Sprintf("models[%d]", i)
		if p.Model == "" {
			errs = append(errs, fmt.Errorf("%s.model: empty; name the model", at))
		}
		if seen[p.Model] {
			errs = append(errs, fmt.Errorf("%s.model: %q has two policies", at, p.Model))
		}
		seen[p.Model] = true
		if p.PredictionID != "" && p.PredictionID != Keep && p.PredictionID != Hash {
			errs = append(errs, fmt.Errorf("%s.prediction_id: %q is neither keep nor hash (model %s)", at, p.PredictionID, p.Model))
		}
		for kind, rules := range map[string]map[string]Rule{"features": p.Features, "segments": p.Segments} {
			for _, name := range slices.Sorted(maps.Keys(rules)) {
				if !rules[name].valid() {
					errs = append(errs, fmt.Errorf("%s.%s.%s: a rule is keep, drop, hash, or truncate with a number such as {truncate: 3} (model %s)", at, kind, name, p.Model))
				}
			}
		}
		if !(p.RawRate >= 0 && p.RawRate <= 1) {
			errs = append(errs, fmt.Errorf("%s.raw_rate: %g is not above 0 and at most 1 (model %s)", at, p.RawRate, p.Model))
		}
		if c.KeysFile == "" && p.hides() {
			errs = append(errs, fmt.Errorf("keys_file: missing; the policy of %q hides values, so hashes and dead letters need a key", p.Model))
		}
	}
	return errors.Join(errs...)
}

// hides reports whether something of an event must not be seen, not even in its
// dead letter.
func (p Policy) hides() bool {
	for _, rules := range []map[string]Rule{p.Features, p.Segments} {
		for _, r := range rules {
			if r.Action != Keep {
				return true
			}
		}
	}
	return p.PredictionID == Hash
}

// rate is RawRate with its default.
func (p Policy) rate() float64 {
	if p.RawRate == 0 {
		return 1
	}
	return float64(p.RawRate)
}

// Samples reports whether a policy leaves raw rows out.
func (c Config) Samples() bool {
	return slices.ContainsFunc(c.Models, func(p Policy) bool { return p.rate() < 1 })
}

// identity returns everything that decides what becomes of an event: the rules,
// and of the keys their names and times, and a hash by which a secret is told
// from another.
func (c Config) identity(keys Keys) string {
	var b strings.Builder
	for _, p := range c.Models {
		fmt.Fprintf(&b, "%q id=%s raw=%g", p.Model, p.PredictionID, p.rate())
		for _, name := range slices.Sorted(maps.Keys(p.Features)) {
			fmt.Fprintf(&b, " %q=%s", name, p.Features[name])
		}
		for _, name := range slices.Sorted(maps.Keys(p.Segments)) {
			fmt.Fprintf(&b, " segment %q=%s", name, p.Segments[name])
		}
		b.WriteByte('\n')
	}
	for _, k := range keys {
		fmt.Fprintf(&b, "key %d %d %s\n", k.From, k.Until, k.Hash(nil))
	}
	return b.String()
}

// FeatureRule returns the rule of a feature; keep where there is none.
func (p Policy) FeatureRule(name string) Rule {
	return ruleOf(p.Features, name)
}

// SegmentRule returns the rule of a segment; keep where there is none.
func (p Policy) SegmentRule(name string) Rule {
	return ruleOf(p.Segments, name)
}

func ruleOf(rules map[string]Rule, name string) Rule {
	if rule, ok := rules[name]; ok {
		return rule
	}
	if rule, ok := rules["*"]; ok {
		return rule
	}
	return Rule{Action: Keep}
}
