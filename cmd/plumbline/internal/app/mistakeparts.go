package app

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// parted takes a section's mistakes apart that stand together behind one prefix: each
// gets the prefix, and so a line of its own. It is nil where there are not several.
func parted(err error) []error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		many, ok := inner.(interface{ Unwrap() []error })
		if !ok {
			continue
		}
		var texts []string
		for _, e := range many.Unwrap() {
			texts = append(texts, e.Error())
		}
		prefix, whole := strings.CutSuffix(err.Error(), strings.Join(texts, "\n"))
		if !whole {
			return nil
		}
		if strings.HasSuffix(prefix, "privacy: ") {
			prefix = strings.TrimSuffix(prefix, ": ") + "." // fields follow
		}
		var parts []error
		for _, e := range many.Unwrap() {
			parts = append(parts, fmt.Errorf("%s%w", prefix, e))
		}
		return parts
	}
	return nil
}

// privacy finds what a mistake in the rules of privacy is about, that yaml.v3 tells by
// its line alone, and the model. Of several on a line it is the first that was not told.
func (m *mistakes) privacy(line int, message string) (path []string, model string) {
	models := nodeAt(m.root, "ingest", "privacy", "models")
	if models == nil || models.Kind != yaml.SequenceNode {
		return nil, ""
	}
	for i, policy := range models.Content {
		at := []string{"ingest", "privacy", "models", strconv.Itoa(i)}
		var wrong []string
		if strings.HasPrefix(message, "a raw_rate ") {
			wrong = m.wrongOf(policy, line, at, new(privacy.Rate), "raw_rate")
		}
		for _, kind := range []string{"features", "segments"} {
			rules := nodeAt(policy, kind)
			if wrong != nil || rules == nil || rules.Kind != yaml.MappingNode || !strings.HasPrefix(message, "a rule ") {
				continue
			}
			for k := 0; wrong == nil && k+1 < len(rules.Content); k += 2 {
				wrong = m.wrongOf(rules, line, append(slices.Clone(at), kind), new(privacy.Rule), rules.Content[k].Value)
			}
		}
		if wrong != nil {
			m.told = append(m.told, spell(wrong))
			if name := nodeAt(policy, "model"); name != nil {
				model = name.Value
			}
			return wrong, model
		}
	}
	return nil, ""
}

// wrongOf is the path of a key whose value stands on the line, cannot be read, and was
// not told.
func (m *mistakes) wrongOf(section *yaml.Node, line int, at []string, into yaml.Unmarshaler, name string) []string {
	value := nodeAt(section, name)
	path := append(slices.Clone(at), name)
	if value == nil || value.Line != line || slices.Contains(m.told, spell(path)) || into.UnmarshalYAML(value) == nil {
		return nil
	}
	return path
}

// nodeAt is what stands under some keys, or nil.
func nodeAt(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if n == nil {
			return nil
		}
		n, _ = child(n, key, 0)
	}
	return n
}
