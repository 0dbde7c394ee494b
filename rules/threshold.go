package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/plumbline-slo/plumbline"
)

// comparisons are those of OpenSLO.
func comparisons() []string { return []string{"lt", "lte", "gt", "gte"} }

// threshold reads op and value, here or in the objective. Where both say it they
// have to agree: no order among them would be plain to a reader.
func (f fields) threshold(sli *plumbline.SLI, one objective) {
	const keep = "keep one of them"
	sli.Op, sli.Value = one.op, one.value
	valued, before := one.valued, len(f.errs)
	if f.given("op") {
		if sli.Op = f.word("op"); !slices.Contains(comparisons(), sli.Op) && len(f.errs) == before {
			f.wrong("op", fmt.Sprintf("%q is no comparison", sli.Op), "write lt, lte, gt or gte")
		}
		if len(f.errs) == before && one.says("op", one.op) && one.op != sli.Op {
			one.fail("op", fmt.Sprintf("%s is not the %s of %s", one.op, sli.Op, f.place("op")), keep)
		}
	}
	if f.given("value") {
		text := f.object.fields[f.key("value")].Value
		v, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
			f.wrong("value", fmt.Sprintf("%q is no number", text), `write a finite number in quotes, such as "300"`)
		case one.says("value", "") && one.value != v:
			one.fail("value", fmt.Sprintf("%g is not the %g of %s", one.value, v, f.place("value")), keep)
		}
		sli.Value, valued = v, true
	}
	if len(f.errs) == before && valued && sli.Value <= 0 && sli.Kind == plumbline.SLILatency && (sli.Op == "lt" || sli.Op == "lte") {
		f.wrong("sli", fmt.Sprintf("no answer takes %s %g ms: every one would be bad", sli.Op, sli.Value), "write milliseconds above 0, such as op: lt and value: 300")
	}
	if len(f.errs) > before || slices.Contains(comparisons(), sli.Op) && valued {
		return
	}
	at, key := f.object, f.key("sli")
	if one.object != nil {
		at, key = one.object, "value"
	}
	at.fail(key, fmt.Sprintf("an SLI of kind %s needs op and value", sli.Kind), "write what a good event is: op: lte and value: 300 in the objective")
}

// place is where a field stands, as errors about another one say it.
func (f fields) place(name string) string { return join(f.object.path, f.key(name)) }

// says reports whether the objective gives a field, and rightly: what is wrong was
// reported and something else taken in its stead.
func (one objective) says(key, text string) bool {
	if one.object == nil || !one.has(key) {
		return false
	}
	written := one.fields[key].Value
	if text != "" {
		return written == text
	}
	v, err := strconv.ParseFloat(written, 64)
	return err == nil && v == one.value
}
