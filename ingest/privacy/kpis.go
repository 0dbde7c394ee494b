package privacy

import (
	"bytes"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// KPIs returns the readings with the segments' rules applied: the columns
// themselves, or the space, where a policy has rules for segments. A reading's
// segment is key=value, or several of them with commas between, of which the rule
// of each key goes over its value; one without a key is a value that * is the rule
// of. A dropped value leaves the key and its = behind: without them the reading
// would be one of all traffic.
func (c *Columns) KPIs(k, space *decode.KPIs) *decode.KPIs {
	if c == nil {
		return k
	}
	found := false
	for id := range k.Model.Dict.Len() {
		policy := c.filter.policies[plumbline.Model(k.Model.Dict.Value(int32(id)))]
		found = found || policy != nil && len(policy.Segments) > 0
	}
	if !found {
		return k
	}
	space.Reset()
	for row := range k.Len() {
		segment := k.Segment.At(row)
		if policy := c.filter.policies[plumbline.Model(k.Model.At(row))]; policy != nil && len(segment) > 0 {
			segment = c.reading(policy, segment, k.Source.Known[row])
		}
		space.PickAs(k, row, segment)
	}
	return space
}

// reading returns a reading's segment as it is stored; it is valid until the
// next.
func (c *Columns) reading(policy *Policy, segment []byte, known int64) []byte {
	c.text = c.text[:0]
	end := firstPart(segment)
	c.part(policy, segment[:end], known)
	for end < len(segment) {
		segment = segment[end+1:]
		end = firstPart(segment)
		c.text = append(c.text, ',')
		c.part(policy, segment[:end], known)
	}
	return c.text
}

// firstPart returns the length of the first part of a joint segment: up to a comma
// behind which another key and = stand. Any other comma is one of a value, which
// the rule of its key goes over whole.
func firstPart(segment []byte) int {
	for i, b := range segment {
		if b != ',' {
			continue
		}
		if key, _, ok := bytes.Cut(segment[i+1:], []byte{'='}); ok && bytes.IndexByte(key, ',') < 0 {
			return i
		}
	}
	return len(segment)
}

// part adds one part of a segment, as the rule of its key leaves it. Spaces around
// a key that somebody wrote do not take its value out of the rule.
func (c *Columns) part(policy *Policy, part []byte, known int64) {
	name, value, ok := bytes.Cut(part, []byte{'='})
	if !ok {
		name, value = nil, part
	}
	switch rule := ruleOf(policy.Segments, string(bytes.TrimSpace(name))); rule.Action {
	case Drop:
		value = nil
	case Hash:
		value = c.hash(known, value)
	case Truncate:
		value = prefix(value, rule.To)
	}
	c.text = append(c.text, name...)
	if ok || len(value) == 0 && len(part) > 0 {
		c.text = append(c.text, '=')
	}
	c.text = append(c.text, value...)
}
