package privacy

import (
	"bytes"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// KPIs returns the readings with the segments' rules applied: the columns
// themselves, or the space, where a policy has rules for segments. A reading's
// segment is key=value, of which the rule of the key goes over the value; one
// without a key is a value that * is the rule of. A dropped value leaves the key
// and its = behind: without them the reading would be one of all traffic.
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
	name, value, ok := bytes.Cut(segment, []byte{'='})
	if !ok {
		name, value = nil, segment
	}
	switch rule := ruleOf(policy.Segments, string(name)); rule.Action {
	case Drop:
		value = nil
	case Hash:
		value = c.hash(known, value)
	case Truncate:
		value = prefix(value, rule.To)
	}
	c.text = append(c.text[:0], name...)
	if ok || len(value) == 0 {
		c.text = append(c.text, '=')
	}
	c.text = append(c.text, value...)
	return c.text
}
