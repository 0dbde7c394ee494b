package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline"
)

// Types of metric sources that are read; others make an SLO inert.
const (
	sourcePlumbline  = "plumbline"
	sourceClickHouse = "clickhouse"
	sourcePrometheus = "prometheus"
)

// fields are what an SLI of ours is made of, whether as annotations or in the
// spec of a metric source.
type fields struct {
	*object
	// prefix stands before each name: annotations have one.
	prefix string
}

func (f fields) key(name string) string    { return f.prefix + name }
func (f fields) given(name string) bool    { return f.object != nil && f.has(f.key(name)) }
func (f fields) word(name string) string   { return f.text(f.key(name)) }
func (f fields) wrong(name, p, fix string) { f.fail(f.key(name), p, fix) }

// sliFields are the names of an SLI's fields.
func sliFields() []string {
	return []string{"sli", "measure", "op", "value", "feature", "reference", "within", "query"}
}

// sli reads an indicator of ours. The objective's op and value stand in for those
// that are not given here.
func (f fields) sli(one objective) plumbline.SLI {
	kinds := []plumbline.SLIKind{plumbline.SLIQuality, plumbline.SLILatency, plumbline.SLISuccess, plumbline.SLICost, plumbline.SLIFreshness,
		plumbline.SLILabelArrival, plumbline.SLIDrift, plumbline.SLIFairness, plumbline.SLIKPI, plumbline.SLISQL}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	fix := "write one of " + strings.Join(names, ", ")
	sli := plumbline.SLI{Kind: plumbline.SLIKind(f.required(f.key("sli"), fix))}
	if sli.Kind == "" {
		return sli
	}
	if !slices.Contains(kinds, sli.Kind) {
		f.wrong("sli", fmt.Sprintf("%q is not known", sli.Kind), fix)
		return sli
	}
	uses := sliUses(sli.Kind)
	for _, name := range sliFields()[1:] {
		if f.given(name) && !slices.Contains(uses, name) {
			f.wrong(name, fmt.Sprintf("has no meaning for an SLI of kind %s", sli.Kind), "remove it")
		}
	}
	f.finding(&sli)
	if slices.Contains(uses, "value") {
		f.threshold(&sli, one)
	} else if one.object != nil {
		one.unused(fmt.Sprintf("has no meaning for an SLI of kind %s", sli.Kind), "remove it", "op", "value")
	}
	if slices.Contains(uses, "within") && (f.given("within") || sli.Kind != plumbline.SLILabelArrival) {
		sli.Within = f.duration("within", "write a duration, such as 5m")
	}
	if slices.Contains(uses, "query") {
		sli.Query = f.required(f.key("query"), "write one SELECT that returns time, good and total between {from:DateTime} and {to:DateTime}")
		f.checkSQL("query", sli.Query)
	}
	return sli
}

// sliUses returns the fields that a kind needs or may have.
func sliUses(k plumbline.SLIKind) []string {
	switch k {
	case plumbline.SLIQuality:
		return []string{"measure"}
	case plumbline.SLILatency:
		return []string{"op", "value"}
	case plumbline.SLICost:
		return []string{"feature", "op", "value"}
	case plumbline.SLIFreshness, plumbline.SLILabelArrival:
		return []string{"within"}
	case plumbline.SLIDrift, plumbline.SLIFairness, plumbline.SLIKPI:
		return []string{"measure", "feature", "reference", "op", "value"}
	case plumbline.SLISQL:
		return []string{"query"}
	}
	return nil
}

// finding reads which number the SLI looks at.
func (f fields) finding(sli *plumbline.SLI) {
	need := func(name, fix string) string { return f.required(f.key(name), fix) }
	switch sli.Kind {
	case plumbline.SLIQuality:
		if m := need("measure", "write "+f.key("measure")+": accuracy"); m != "" && m != plumbline.MeasureAccuracy {
			f.wrong("measure", fmt.Sprintf("%q is not known", m), "write "+f.key("measure")+": accuracy")
		}
	case plumbline.SLICost:
		sli.Feature = plumbline.Feature(need("feature", "name the number of the event that is the cost, such as cost_usd"))
	case plumbline.SLIDrift:
		sli.Signal, sli.Measure = plumbline.SignalDrift, plumbline.MeasurePSI
		if f.given("measure") {
			sli.Measure = f.measure(plumbline.SLIDrift)
		}
		sli.Feature = plumbline.Feature(need("feature", "name the feature whose drift is bounded"))
		sli.Reference = plumbline.ReferenceTraining
		if f.given("reference") {
			sli.Reference = f.word("reference")
		}
	case plumbline.SLILabelArrival:
		if !f.given("within") {
			// The delays of the weeks before say how late is too late.
			sli.Signal, sli.Measure, sli.Op, sli.Value = plumbline.SignalLabelArrival, plumbline.MeasureBlind, "lt", 0.5
		}
	case plumbline.SLIFairness, plumbline.SLIKPI:
		sli.Signal = plumbline.SignalName(sli.Kind)
		sli.Measure = f.measure(sli.Kind)
		if f.given("feature") {
			sli.Feature = plumbline.Feature(f.word("feature"))
		}
		if f.given("reference") {
			sli.Reference = f.word("reference")
		}
	}
}

func (f fields) duration(name, fix string) time.Duration {
	text := f.required(f.key(name), fix)
	if text == "" {
		return 0
	}
	d, err := ParseDuration(text)
	if err != nil {
		f.wrong(name, err.Error(), fix)
	}
	return d
}

// checkSQL holds a statement to one that can be run at all; the read-only user,
// its caps and its grants are what keeps it from doing harm.
func (f fields) checkSQL(name, query string) {
	if query == "" {
		return
	}
	const fix = "write one SELECT that returns time, good and total between {from:DateTime} and {to:DateTime}"
	upper := strings.ToUpper(strings.TrimSpace(query))
	if !strings.HasPrefix(upper, "SELECT") && !strings.HasPrefix(upper, "WITH") {
		f.wrong(name, "is no SELECT", fix)
	}
	for _, parameter := range []string{"{from:DateTime}", "{to:DateTime}"} {
		if !strings.Contains(query, parameter) {
			f.wrong(name, "does not use "+parameter, fix)
		}
	}
	if err := noTableFunction(query); err != nil {
		f.wrong(name, err.Error(), "read tables and views only: see docs/slo.md")
	}
	for _, column := range missingColumns(query) {
		f.wrong(name, "returns no column "+column, fix)
	}
}

// withIndicator returns the SLO with what it counts, or a composite's parts and
// the composite behind them.
func (c *catalog) withIndicator(o *object, ext *extension, slo plumbline.SLO, all []objective) []plumbline.SLO {
	if len(all) == 0 {
		c.indicator(o, ext, unread(), &slo)
		return []plumbline.SLO{slo}
	}
	if !all[0].own {
		all[0].apply(&slo)
		c.indicator(o, ext, all[0], &slo)
		return []plumbline.SLO{slo}
	}
	o.unused("stands beside objectives with indicators of their own", "remove it", "indicator", "indicatorRef")
	if len(slo.Name) > maxNameLength-3 || len(all) > 99 {
		o.fail("objectives", "leave no room for the names of the parts: a dash and a number behind the name of the SLO", "shorten metadata.name to 60 characters, and write at most 99 objectives")
		return nil
	}
	var parts []plumbline.SLO
	for i, one := range all {
		part := slo
		part.Name = plumbline.SLOName(fmt.Sprintf("%s-%d", slo.Name, i+1))
		part.PartOf, part.Conditions, part.Calendar = slo.Name, nil, slo.Calendar
		one.apply(&part)
		before := c.failures()
		c.indicator(one.object, nil, one, &part)
		if c.failures() == before && part.SLI.Is(plumbline.SLIQuality) && part.Inert == "" {
			one.fail("indicatorRef", "quality is no part of a composite: its windows end where its labels do", "make it an SLO of its own")
		}
		if part.Inert != "" {
			slo.Inert = part.Inert
		}
		slo.Parts = append(slo.Parts, plumbline.Part{SLO: part.Name, Weight: one.weight})
		parts = append(parts, part)
	}
	slo.SLI, slo.Target, slo.Budgeting = plumbline.SLI{Kind: plumbline.SLIComposite}, compositeTarget(all), ""
	return append(parts, slo)
}

// indicator finds out what an SLO counts: by annotation, by an indicator in
// place, or by one that is referred to.
func (c *catalog) indicator(o *object, ext *extension, one objective, slo *plumbline.SLO) {
	byAnnotation := ext != nil && ext.object != nil && ext.has(annotationSLI)
	switch {
	case byAnnotation:
		o.unused("is not used: the annotation "+annotationSLI+" says what is good", "remove it", "indicator", "indicatorRef")
		slo.SLI = ext.sli(one)
		slo.Measure = measureOf(slo.SLI)
	case o.has("indicatorRef"):
		o.unused("is given beside indicatorRef", "keep one of them", "indicator")
		if d, ok := c.find(o, "indicatorRef", kindSLI); ok {
			c.metric(d.fileReader, d.spec, "spec", one, slo)
		}
	case o.has("indicator"):
		in := o.object(o.fields["indicator"], join(o.path, "indicator"), "metadata", "spec")
		if in == nil {
			return
		}
		if in.has("metadata") {
			in.unannotated(in.object(in.fields["metadata"], in.path+".metadata", "name", "displayName", "labels", "annotations"), kindSLI)
		}
		if !in.has("spec") {
			in.fail("spec", "is missing", "write spec: with ratioMetric or thresholdMetric under it")
			return
		}
		c.metric(in.fileReader, in.fields["spec"], in.path+".spec", one, slo)
	case ext != nil && ext.object != nil:
		ext.required(annotationSLI, "write one of quality, latency, success and so on, or an indicator in spec")
	default:
		o.fail("indicator", "is missing: nothing says what a good event is",
			"write an indicator, or metadata.annotations with "+annotationSLI+" under it")
	}
}

// measureOf is what SLO.Measure says of an SLI.
func measureOf(sli plumbline.SLI) string {
	if sli.Is(plumbline.SLIQuality) {
		return plumbline.MeasureAccuracy
	}
	return sli.Measure
}

// sliDocument checks an SLI that nothing refers to by itself, without what an SLO
// would add.
func (c *catalog) sliDocument(d document) {
	unused := plumbline.SLO{Budgeting: plumbline.RatioTimeslices}
	c.metric(d.fileReader, d.spec, "spec", unread(), &unused)
}

// metric reads the spec of an SLI.
func (c *catalog) metric(r *fileReader, n *yaml.Node, path string, one objective, slo *plumbline.SLO) {
	o := r.object(n, path, "description", "thresholdMetric", "ratioMetric")
	if o == nil {
		return
	}
	o.description()
	switch {
	case o.has("thresholdMetric") && o.has("ratioMetric"):
		o.fail("ratioMetric", "is given beside thresholdMetric", "keep one of them")
	case o.has("thresholdMetric"):
		if m := r.object(o.fields["thresholdMetric"], path+".thresholdMetric", "metricSource"); m != nil {
			c.source(m, slo, func(s source) { c.thresholdSource(s, one, slo) })
		}
	case o.has("ratioMetric"):
		c.ratio(r, o.fields["ratioMetric"], path+".ratioMetric", one, slo)
	default:
		o.fail("ratioMetric", "is missing, and so is thresholdMetric", "write one of them")
	}
}

// source is one metricSource.
type source struct {
	kind string
	spec fields
}

// source reads a metricSource and calls then if it is one of ours.
func (c *catalog) source(o *object, slo *plumbline.SLO, then func(source)) {
	if !o.has("metricSource") {
		o.fail("metricSource", "is missing", "write metricSource: with type and spec under it")
		return
	}
	m := o.object(o.fields["metricSource"], o.path+".metricSource", "metricSourceRef", "type", "spec")
	if m == nil {
		return
	}
	kind := m.text("type")
	if m.has("metricSourceRef") {
		if d, ok := c.find(m, "metricSourceRef", kindSource); ok && kind == "" {
			kind = d.sourceType()
		}
	}
	if kind == "" {
		m.fail("type", "is missing", "write type: plumbline, clickhouse or prometheus")
		return
	}
	s := source{kind: strings.ToLower(kind)}
	if !slices.Contains([]string{sourcePlumbline, sourceClickHouse, sourcePrometheus}, s.kind) {
		// Correct OpenSLO, of which nothing is known here.
		slo.Inert = m.wrong("type", fmt.Sprintf("%q is none that plumbline reads", kind), "write type: plumbline, clickhouse or prometheus, or take the file out of rules.slo_files").Error()
		return
	}
	if !m.has("spec") {
		m.fail("spec", "is missing", "write spec: with a query under it, or for type plumbline with sli")
		return
	}
	if s.spec.object = m.object(m.fields["spec"], m.path+".spec", append(sliFields(), "model")...); s.spec.object != nil {
		then(s)
	}
}

// thresholdSource is an SLI of ours, or a statement that counts.
func (c *catalog) thresholdSource(s source, one objective, slo *plumbline.SLO) {
	switch s.kind {
	case sourcePlumbline:
		if s.spec.given("model") {
			slo.Model = plumbline.Model(s.spec.required("model", "write the model's name, or remove it to use spec.service"))
		}
		slo.SLI = s.spec.sli(one)
		slo.Measure = measureOf(slo.SLI)
	default:
		s.spec.fail("query", "a threshold on the result of a query is not evaluated", "write a ratioMetric, whose queries count good and total")
	}
}

// ratio reads a ratioMetric: PromQL for good or bad and total, or for raw; or a
// statement in total that returns both counts.
func (c *catalog) ratio(r *fileReader, n *yaml.Node, path string, one objective, slo *plumbline.SLO) {
	o := r.object(n, path, "counter", "good", "bad", "total", "raw", "rawType")
	if o == nil {
		return
	}
	if one.object != nil && !one.has("timeSliceWindow") {
		one.unused("has no meaning for a ratio", "remove it", "value")
	}
	o.flag("counter")
	slo.SLI = plumbline.SLI{Kind: plumbline.SLIPromQL}
	parts := 0
	for _, part := range []struct {
		key  string
		into *string
	}{{"good", &slo.SLI.Good}, {"bad", &slo.SLI.Bad}, {"total", &slo.SLI.Total}, {"raw", &slo.SLI.Raw}} {
		if !o.has(part.key) {
			continue
		}
		parts++
		m := r.object(o.fields[part.key], path+"."+part.key, "metricSource")
		if m == nil {
			continue
		}
		c.source(m, slo, func(s source) {
			query := s.spec.required("query", "write the query")
			if s.kind == sourcePrometheus {
				*part.into = query
				s.spec.checkPromQL("query", query)
				return
			}
			if part.key != "total" || o.has("good") || o.has("bad") {
				s.spec.fail("query", "SQL counts good and total in one statement", "write it under total alone, without good and bad, returning time, good and total")
				return
			}
			slo.SLI = plumbline.SLI{Kind: plumbline.SLISQL, Query: query}
			s.spec.checkSQL("query", query)
		})
	}
	c.ratioParts(o, slo)
}

// ratioParts holds a ratio to the combinations that OpenSLO allows.
func (c *catalog) ratioParts(o *object, slo *plumbline.SLO) {
	if slo.SLI.Is(plumbline.SLISQL) {
		return
	}
	switch {
	case o.has("raw") && (o.has("good") || o.has("bad") || o.has("total")):
		o.fail("raw", "is given beside counts", "keep raw, or good or bad with total")
	case o.has("raw"):
		switch t := o.required("rawType", "write rawType: success or rawType: failure"); t {
		case "", "success":
		case "failure":
			slo.SLI.RawFailure = true
		default:
			o.fail("rawType", fmt.Sprintf("%q is not known", t), "write rawType: success or rawType: failure")
		}
		if slo.Budgeting == "" && slo.Inert == "" {
			o.fail("raw", "a share says nothing of how many events it stands for", "write budgetingMethod: RatioTimeslices, or counts under good and total")
		}
	case o.has("good") && o.has("bad"):
		o.fail("bad", "is given beside good", "keep one of them")
	case !o.has("good") && !o.has("bad"):
		o.fail("good", "is missing, and so is bad", "write one of them beside total")
	case !o.has("total"):
		o.fail("total", "is missing", "write the query that counts all events")
	}
}

func (c *catalog) dataSource(d document) {
	o := d.object(d.spec, "spec", "description", "type", "connectionDetails")
	if o == nil {
		return
	}
	o.description()
	kind := strings.ToLower(o.required("type", "write type: prometheus or type: clickhouse"))
	if n := o.fields["connectionDetails"]; n != nil && slices.Contains([]string{sourcePlumbline, sourceClickHouse, sourcePrometheus}, kind) && len(n.Content) > 0 {
		o.fail("connectionDetails", "is not used: queries run where plumbline's own findings and events are", "remove it")
	}
}

func (d document) sourceType() string {
	if d.spec.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i+1 < len(d.spec.Content); i += 2 {
		if d.spec.Content[i].Value == "type" {
			return d.spec.Content[i+1].Value
		}
	}
	return ""
}
