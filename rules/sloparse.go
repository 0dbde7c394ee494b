package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline"
)

// slo reads the body of an SLO. A composite with indicators of its own gives its
// parts too.
func (c *catalog) slo(d document) []plumbline.SLO {
	slo, before := plumbline.SLO{Name: plumbline.SLOName(d.name), Where: fmt.Sprintf("%s:%d", d.file, d.node.Line)}, c.failures()
	o := d.object(d.spec, "spec", "description", "service", "indicator", "indicatorRef",
		"timeWindow", "budgetingMethod", "objectives", "alertPolicies")
	if o == nil || d.meta == nil {
		return nil
	}
	ext := d.extension(d.meta)
	slo.Description = o.description()
	slo.Service = o.required("service", "write the name of the service or model, such as service: flight-delay")
	slo.Model = plumbline.Model(slo.Service)
	c.budgeting(o, &slo)
	if n := o.only("timeWindow", "write one item: - duration: 7d with isRolling: true"); n != nil {
		d.timeWindow(n, &slo)
	}
	policyOwner, conditions := c.policies(o, &slo, ext.object != nil && ext.has(annotationOwner))
	ext.common(&slo)
	objectives := c.objectives(o)
	all := c.withIndicator(o, ext, slo, objectives)
	for i := range all {
		c.finish(d, o, ext, policyOwner, &all[i])
	}
	if c.failures() == before {
		o.fires(all[len(all)-1], objectives, conditions)
	}
	return all
}

// budgeting reads the method; what belongs to slices is read with the objective.
func (c *catalog) budgeting(o *object, slo *plumbline.SLO) {
	const fix = "write budgetingMethod: Occurrences, Timeslices or RatioTimeslices"
	switch m := o.required("budgetingMethod", fix); m {
	case "", string(plumbline.Occurrences):
	case string(plumbline.Timeslices), string(plumbline.RatioTimeslices):
		slo.Budgeting = plumbline.Budgeting(m)
	default:
		o.fail("budgetingMethod", fmt.Sprintf("%q is not a method plumbline counts by", m), fix)
	}
}

// finish sets what depends on the whole of an SLO and holds it to its kind.
func (c *catalog) finish(d document, o *object, ext *extension, policyOwner plumbline.Owner, slo *plumbline.SLO) {
	if slo.Owner == "" {
		slo.Owner = policyOwner
	}
	kind := slo.SLI.Name()
	if slo.Owner == "" && slo.Inert == "" && ext.object != nil {
		ext.fail(annotationOwner, "is missing", "name an entry of the owner registry, such as "+annotationOwner+": ml-oncall")
	}
	if slo.Owner == "" && slo.Inert == "" && ext.object == nil {
		d.meta.fail("annotations", "is missing: it says who is paged",
			"write annotations: with "+annotationOwner+" under it")
	}
	if slo.Budgeting != "" && (kind == plumbline.SLIQuality || kind == plumbline.SLIComposite) {
		o.fail("budgetingMethod", fmt.Sprintf("an SLO of kind %s counts occurrences", kind), "write budgetingMethod: Occurrences")
	}
	if slo.Deploy != "" && (kind == plumbline.SLIFreshness || kind == plumbline.SLIPromQL || kind == plumbline.SLILabelArrival && slo.SLI.Within == 0) {
		ext.fail(annotationDeploy, fmt.Sprintf("an SLO of kind %s is not counted by deploy", kind), "remove it, or write the deploy into the query")
	}
	if slo.Segment != "" && !slices.Contains(segmentKinds(), kind) {
		ext.fail(annotationSegment, fmt.Sprintf("an SLO of kind %s is not counted by segment", kind), "remove it, or write the segment into the query")
	}
}

// segmentKinds are the kinds that are counted by segment.
func segmentKinds() []plumbline.SLIKind {
	return []plumbline.SLIKind{plumbline.SLIQuality, plumbline.SLILatency, plumbline.SLISuccess, plumbline.SLICost, plumbline.SLIDrift, plumbline.SLIFairness}
}

// calendarLayout is OpenSLO's: a date with time, without a zone.
const calendarLayout = "2006-01-02 15:04:05"

func (r *fileReader) timeWindow(n *yaml.Node, slo *plumbline.SLO) {
	o := r.object(n, "spec.timeWindow[0]", "duration", "isRolling", "calendar")
	if o == nil {
		return
	}
	rolling, given := o.flag("isRolling")
	switch {
	case rolling && o.has("calendar"):
		o.fail("calendar", "is given beside isRolling: true", "keep one of them")
		return
	case !rolling && !o.has("calendar"):
		problem := "is missing"
		if given {
			problem = "is false, but there is no calendar"
		}
		o.fail("isRolling", problem, "write isRolling: true, or calendar: with startTime and timeZone")
	}
	const fix = "write duration: 7d"
	before := len(r.errs)
	text := o.required("duration", fix)
	if len(r.errs) > before {
		return
	}
	if o.has("calendar") {
		slo.Calendar = r.calendar(o.fields["calendar"])
		if months, nominal, err := calendarMonths(text); err != nil {
			o.fail("duration", err.Error(), "write a number and M, Q or Y, such as duration: 1M")
			return
		} else if months > 0 {
			slo.Period = nominal
			if slo.Calendar != nil {
				slo.Calendar.Months = months
			}
			return
		}
	}
	slo.Period = o.period(text, fix)
}

// period reads a length of time that is none of the calendar's.
func (o *object) period(text, fix string) time.Duration {
	d, err := ParseDuration(text)
	switch {
	case err != nil:
		o.fail("duration", err.Error(), fix)
	case d < minPeriod || d > maxPeriod:
		o.fail("duration", fmt.Sprintf("%s is not between %s and %s", text,
			plumbline.WindowName(minPeriod), plumbline.WindowName(maxPeriod)), "write a period such as 7d or 30d; m is minutes, M months")
	}
	return d
}

// calendarMonths reads 1M, 1Q and 1Y: how many months, and the length that
// windows are scaled by, a month being a twelfth of 365 days. A text that ends in
// another unit is none of them.
func calendarMonths(text string) (months int, nominal time.Duration, err error) {
	digits, unit := text, 0
	for letter, n := range map[string]int{"M": 1, "Q": 3, "Y": 12} {
		if number, ok := strings.CutSuffix(text, letter); ok {
			digits, unit = number, n
		}
	}
	if unit == 0 {
		return 0, 0, nil
	}
	n, err := strconv.ParseUint(digits, 10, 8)
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("%q has no usable number", text)
	case n == 0 || int(n)*unit > 12:
		return 0, 0, fmt.Errorf("%q is not between 1M and 1Y", text)
	}
	months = int(n) * unit
	return months, time.Duration(months) * 365 * 24 * time.Hour / 12, nil
}

func (r *fileReader) calendar(n *yaml.Node) *plumbline.Calendar {
	o := r.object(n, "spec.timeWindow[0].calendar", "startTime", "timeZone")
	if o == nil {
		return nil
	}
	const fix = "write an IANA name, such as timeZone: Europe/Berlin"
	zone := o.required("timeZone", fix)
	at, err := time.LoadLocation(zone)
	if zone != "" && (err != nil || zone == "Local") {
		o.fail("timeZone", fmt.Sprintf("%q is no time zone", zone), fix)
		return nil
	}
	node := o.fields["startTime"]
	if node == nil || node.Kind != yaml.ScalarNode {
		o.fail("startTime", "is missing", "write startTime: 2026-01-01 00:00:00")
		return nil
	}
	start, err := time.ParseInLocation(calendarLayout, node.Value, at)
	if err != nil {
		o.fail("startTime", fmt.Sprintf("%q is no date with time", node.Value), "write startTime: 2026-01-01 00:00:00")
		return nil
	}
	return &plumbline.Calendar{Start: start}
}

// flag returns an optional true or false, and whether it is given.
func (o *object) flag(key string) (value, given bool) {
	n := o.fields[key]
	if n == nil {
		return false, false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		o.fail(key, "is "+kindName(n)+", not true or false", "write "+key+": true or "+key+": false")
	}
	return strings.EqualFold(n.Value, "true"), true
}

// objective is one item of spec.objectives.
type objective struct {
	*object
	target float64
	op     string
	value  float64
	valued bool
	weight float64
	own    bool // it has an indicator of its own

	sliceWindow time.Duration
	sliceTarget float64
}

func (c *catalog) objectives(o *object) []objective {
	n := o.fields["objectives"]
	const fix = "write one item: - target: 0.9; several targets are several SLOs"
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) == 1 {
		if n = o.only("objectives", fix); n == nil {
			return nil
		}
		n = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
	}
	if len(n.Content) == 0 {
		o.fail("objectives", "is empty", fix)
	}
	var all []objective
	for i, item := range n.Content {
		if item.Kind == yaml.AliasNode || item.Anchor != "" {
			o.fail("objectives", "uses a YAML anchor or alias", "write the value out")
			return nil
		}
		if one, ok := o.objective(item, fmt.Sprintf("spec.objectives[%d]", i)); ok {
			all = append(all, one)
		}
	}
	for _, one := range all {
		if len(all) != 1 && !one.own {
			o.fail("objectives", fmt.Sprintf("has %d items, not 1", len(all)), fix+"; those of a composite have an indicator or indicatorRef each")
			return nil
		}
	}
	return all
}

// unread stands for an objective that is not there or wrong, so that its mistake
// does not hide those of the indicator.
func unread() objective { return objective{op: "lte", value: 1, valued: true} }

// objective reads one; false where there are no fields at all. What is wrong in
// it is reported, and taken to be as unread has it.
func (r *fileReader) objective(n *yaml.Node, path string) (objective, bool) {
	o := r.object(n, path, "displayName", "op", "value", "target", "targetPercent",
		"timeSliceTarget", "timeSliceWindow", "indicator", "indicatorRef", "compositeWeight")
	if o == nil {
		return objective{}, false
	}
	o.text("displayName")
	one := objective{object: o, target: o.target(), weight: 1, own: o.has("indicator") || o.has("indicatorRef")}
	if o.has("op") {
		const fix = "write op: lt, lte, gt or gte"
		if one.op = o.required("op", fix); !slices.Contains([]string{"lt", "lte", "gt", "gte"}, one.op) {
			if one.op != "" {
				o.fail("op", fmt.Sprintf("%q is no comparison", one.op), fix)
			}
			one.op = unread().op
		}
	}
	if o.has("value") {
		one.value, one.valued = o.number("value", "write a number, such as value: 300")
		if !one.valued {
			one.value, one.valued = unread().value, true
		}
	}
	if o.has("compositeWeight") {
		if !one.own {
			o.fail("compositeWeight", "belongs to an objective with an indicator of its own", "remove it")
		}
		if one.weight, _ = o.number("compositeWeight", "write a weight, such as compositeWeight: 1"); !(one.weight > 0) {
			o.fail("compositeWeight", "is not above 0", "write a weight, such as compositeWeight: 1")
		}
	}
	o.slices(&one)
	return one, true
}

// slices reads the fields of an objective that belong to slices of time.
func (o *object) slices(one *objective) {
	const fix = "write the share of a slice's events that must be good, such as timeSliceTarget: 0.95"
	if o.has("timeSliceTarget") {
		v, ok := o.number("timeSliceTarget", fix)
		if ok && !(v > 0 && v <= 1) {
			o.fail("timeSliceTarget", fmt.Sprintf("%g is not above 0 and at most 1", v), fix)
		}
		one.sliceTarget = v
	}
	n := o.fields["timeSliceWindow"]
	if n == nil {
		return
	}
	text := n.Value
	if n.Tag == "!!int" {
		text += "m" // a plain number is minutes, says OpenSLO
	}
	d, err := ParseDuration(text)
	switch {
	case err != nil:
		o.fail("timeSliceWindow", err.Error(), "write timeSliceWindow: 5m")
	case d > time.Hour || time.Hour%d != 0:
		o.fail("timeSliceWindow", plumbline.WindowName(d)+" does not divide an hour", "write 1m, 5m, 10m, 15m, 30m or 1h")
	}
	one.sliceWindow = d
}

func (o *object) target() float64 {
	key, scale := "target", 1.0
	if o.has("targetPercent") {
		if o.has("target") {
			o.fail("targetPercent", "is given beside target", "keep one of them")
			return 0
		}
		key, scale = "targetPercent", 100
	}
	fix := fmt.Sprintf("write the share of good events between 0 and %g, such as %s: %g", scale, key, 0.9*scale)
	v, ok := o.number(key, fix)
	if !ok {
		return 0
	}
	if v <= 0 || v >= scale {
		o.fail(key, fmt.Sprintf("%g is not between 0 and %g", v, scale), fix)
	}
	// 99.9 / 100 is one bit beside 0.999, and targets are compared and printed.
	return round12(v / scale)
}

// apply puts the objective's target and slices into an SLO.
func (one objective) apply(slo *plumbline.SLO) {
	slo.Target = one.target
	sliced := slo.Budgeting != "" && slo.Budgeting != plumbline.Occurrences
	if !sliced {
		one.unused("belongs to budgeting by slices of time", "remove it, or write budgetingMethod: Timeslices", "timeSliceTarget", "timeSliceWindow")
		return
	}
	if slo.SliceWindow = one.sliceWindow; one.sliceWindow == 0 && !one.has("timeSliceWindow") {
		one.fail("timeSliceWindow", "is missing", "write timeSliceWindow: 5m")
	}
	if slo.SliceTarget = one.sliceTarget; slo.Budgeting == plumbline.Timeslices && !one.has("timeSliceTarget") {
		one.fail("timeSliceTarget", "is missing", "write the share of a slice's events that must be good, such as timeSliceTarget: 0.95")
	}
}

// compositeTarget is the target of a composite whose burn rate is the weighted
// mean of its parts': its budget is the harmonic mean of theirs, so that burning
// everything everywhere is a bad share of 1.
func compositeTarget(parts []objective) float64 {
	var weights, burn float64
	for _, p := range parts {
		weights += p.weight
		burn += p.weight / (1 - p.target)
	}
	return round12(1 - weights/math.Max(burn, 1e-12))
}
