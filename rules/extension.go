package rules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/plumbline-slo/plumbline"
)

// Annotations of the OpenSLO extension; docs/slo.md lists them.
const (
	annotationPrefix      = "plumbline.dev/"
	annotationSLI         = annotationPrefix + "sli"
	annotationMeasure     = annotationPrefix + "measure"
	annotationModel       = annotationPrefix + "model"
	annotationMinCoverage = annotationPrefix + "min-coverage"
	annotationOwner       = annotationPrefix + "owner"
	annotationRunbook     = annotationPrefix + "runbook"
	annotationSegment     = annotationPrefix + "segment"
	annotationDeploy      = annotationPrefix + "deploy"
	annotationShadow      = annotationPrefix + "shadow"
	annotationDispersion  = annotationPrefix + "overdispersion"
)

// extension is the annotations of an SLO.
type extension struct{ fields }

// extension reads the annotations' names.
func (r *fileReader) extension(meta *object) *extension {
	n := meta.fields["annotations"]
	if n == nil {
		return &extension{}
	}
	a := r.object(n, "metadata.annotations")
	if a == nil {
		return &extension{}
	}
	known := []string{annotationSLI, annotationMeasure, annotationModel, annotationMinCoverage, annotationOwner, annotationRunbook}
	all := append(slices.Clone(known), annotationSegment, annotationDeploy, annotationShadow, annotationDispersion)
	for _, name := range sliFields() {
		all = append(all, annotationPrefix+name)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if a.has(key) && strings.HasPrefix(key, annotationPrefix) && !slices.Contains(all, key) {
			a.fail(key, "is no annotation of plumbline", "remove it, or use one of "+strings.Join(known, ", ")+" or another of docs/slo.md")
		}
	}
	return &extension{fields{object: a, prefix: annotationPrefix}}
}

// unannotated refuses annotations of plumbline on what is no SLO: they are an SLO's, and
// a threshold that stands elsewhere would not be the one that holds.
func (r *fileReader) unannotated(meta *object, kind string) {
	if meta == nil || meta.fields["annotations"] == nil {
		return
	}
	a := r.object(meta.fields["annotations"], join(meta.path, "annotations"))
	if a == nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(a.fields)) {
		if strings.HasPrefix(key, annotationPrefix) {
			a.fail(key, "has no meaning on a document of kind "+kind, "write it among the annotations of the SLO, or in metricSource.spec of an SLI of type plumbline, without "+annotationPrefix)
		}
	}
}

// common reads the annotations that belong to SLOs of every kind.
func (e *extension) common(slo *plumbline.SLO) {
	slo.MinCoverage = DefaultMinCoverage
	if e.object == nil {
		return
	}
	if e.has(annotationOwner) {
		slo.Owner = plumbline.Owner(e.required(annotationOwner, "name an entry of the owner registry, such as "+annotationOwner+": ml-oncall"))
	}
	slo.Runbook = e.text(annotationRunbook)
	if e.has(annotationModel) {
		slo.Model = plumbline.Model(e.required(annotationModel, "write the model's name, or remove it to use spec.service"))
	}
	if e.has(annotationMinCoverage) {
		slo.MinCoverage = e.minCoverage()
	}
	slo.Deploy = plumbline.DeployHash(e.text(annotationDeploy))
	slo.Segment = plumbline.Segment(e.text(annotationSegment))
	if slo.Segment != "" && !strings.Contains(string(slo.Segment), "=") {
		e.fail(annotationSegment, fmt.Sprintf("%q is no segment", slo.Segment), "write key=value, such as country=DE, as docs/segments.md spells it")
	}
	switch s := e.text(annotationShadow); s {
	case "", "false":
	case "true":
		slo.Shadow = true
	default:
		e.fail(annotationShadow, fmt.Sprintf("%q is neither true nor false", s), `write "true" in quotes`)
	}
	if e.has(annotationDispersion) {
		const fix = `write a number of at least 1 in quotes, such as "3"`
		v, err := strconv.ParseFloat(e.text(annotationDispersion), 64)
		if err != nil || !(v >= 1 && v <= 1000) {
			e.fail(annotationDispersion, "is no number between 1 and 1000", fix)
		}
		slo.Overdispersion = v
	}
}

func (o *object) minCoverage() float64 {
	const fix = `write a share between 0 and 1 in quotes, such as "0.3"`
	before := len(o.errs)
	s := o.required(annotationMinCoverage, fix)
	if len(o.errs) > before {
		return 0
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		o.fail(annotationMinCoverage, fmt.Sprintf("%q is no share between 0 and 1", s), fix)
		return 0
	}
	return v
}

// checkPromQL reports an expression that does not parse, or selects a range
// outside a function.
func (f fields) checkPromQL(name, query string) {
	if query == "" {
		return
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	switch {
	case err != nil:
		f.wrong(name, "is no PromQL: "+err.Error(), "mend the expression")
	case expr.Type() != parser.ValueTypeVector && expr.Type() != parser.ValueTypeScalar:
		f.wrong(name, "is a "+string(expr.Type())+", not a number at an instant", "put it into a function such as increase or sum")
	}
}
