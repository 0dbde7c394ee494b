package rules

import (
	"fmt"
	"slices"

	"github.com/plumbline-slo/plumbline"
)

// labelCondition names the condition of an SLO file that fired, where severity and
// window do not tell its alerts from those of another pair. It is no part of the
// identity of an incident.
const labelCondition = "condition"

// conditionLabel is the label that pair i needs to be told apart, empty for most: an
// alert whose label changed would end, and begin anew, when a service is upgraded. The
// conditions of an SLO file are its last pairs; a pair of the workbook's needs none.
func conditionLabel(o plumbline.Objective, i int) string {
	own := i - (len(o.Pairs) - len(o.SLO.Conditions))
	if own < 0 {
		return ""
	}
	pair := o.Pairs[i]
	for k, other := range o.Pairs {
		if k != i && other.Severity == pair.Severity && other.Long == pair.Long {
			return o.SLO.Conditions[own].Name
		}
	}
	return ""
}

// named labels the rules of a pair.
func named(condition string, rules ...rule) []rule {
	if condition != "" {
		for _, r := range rules {
			r.Labels[labelCondition] = templateText(condition)
		}
	}
	return rules
}

// twins says what is wrong with a condition beside those before it: of one name, over
// one window, their alerts would be one, and the end of one would end the other.
func twins(before []plumbline.BurnCondition, c plumbline.BurnCondition) string {
	if !slices.ContainsFunc(before, func(b plumbline.BurnCondition) bool {
		return b.Name == c.Name && b.Severity == c.Severity && b.Lookback == c.Lookback
	}) {
		return ""
	}
	return fmt.Sprintf("two %s conditions over %s are named %s", c.Severity, plumbline.WindowName(c.Lookback), c.Name)
}

// fixTwins says how to mend twins.
const fixTwins = "give one of them another metadata.name, or remove it"
