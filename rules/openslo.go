package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline"
)

// apiVersion is the one version of OpenSLO that is read; the fields and limits
// below are those of https://github.com/OpenSLO/OpenSLO (README, v1).
const apiVersion = "openslo/v1"

// Limits of OpenSLO v1: names follow RFC 1123.
const (
	maxNameLength        = 63
	maxDescriptionLength = 1050
)

// Annotations of the OpenSLO extension; see the package documentation.
const (
	annotationPrefix      = "plumbline.dev/"
	annotationSLI         = annotationPrefix + "sli"
	annotationMeasure     = annotationPrefix + "measure"
	annotationModel       = annotationPrefix + "model"
	annotationMinCoverage = annotationPrefix + "min-coverage"
	annotationOwner       = annotationPrefix + "owner"
	annotationRunbook     = annotationPrefix + "runbook"
)

// SLIKind is what the annotation plumbline.dev/sli says: where an SLO's good
// and bad events come from.
type SLIKind string

// SLIQuality counts labelled predictions as good or bad.
const SLIQuality SLIKind = "quality"

// DefaultMinCoverage is the least share of a window's predictions that must be
// labelled if the annotation plumbline.dev/min-coverage is absent: below it the
// labels that are in say too little about those that are not.
const DefaultMinCoverage = 0.3

// Bounds of an SLO's period. Under an hour the longest window of every pair
// exceeds it; over a year no finding is kept.
const (
	minPeriod = time.Hour
	maxPeriod = 366 * 24 * time.Hour
)

// ParseFile reads one OpenSLO file. See Parse.
func ParseFile(path string) ([]plumbline.SLO, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading SLO file: %w", err)
	}
	return Parse(path, data)
}

// ParseFiles reads the OpenSLO files and refuses two SLOs of one name, for the
// name is the identity of an incident. Patterns are those of filepath.Match; one
// that matches no file is an error.
func ParseFiles(patterns ...string) ([]plumbline.SLO, error) {
	var all []plumbline.SLO
	var errs []error
	from := make(map[plumbline.SLOName]string)
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			errs = append(errs, fmt.Errorf("SLO files %q: %w", pattern, err))
			continue
		}
		if len(paths) == 0 {
			errs = append(errs, fmt.Errorf("SLO files %q: no such file", pattern))
		}
		for _, path := range paths {
			slos, err := ParseFile(path)
			if err != nil {
				errs = append(errs, err)
			}
			for _, slo := range slos {
				if first, ok := from[slo.Name]; ok {
					errs = append(errs, fmt.Errorf("%s: SLO %s is already in %s; rename one of them", path, slo.Name, first))
					continue
				}
				from[slo.Name] = path
				all = append(all, slo)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// Parse reads the OpenSLO v1 documents in data and returns its SLOs. Name is
// what errors call the file. The error joins a FieldError for everything that is
// wrong, each with its line and the fix; no SLO is returned beside an error.
func Parse(name string, data []byte) ([]plumbline.SLO, error) {
	r := &fileReader{file: name}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var slos []plumbline.SLO
	seen := make(map[plumbline.SLOName]bool)
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.errs = append(r.errs, syntaxError(name, err))
			break
		}
		if len(doc.Content) != 1 || doc.Content[0].Tag == "!!null" {
			continue // an empty document between two separators
		}
		slo, ok := r.document(doc.Content[0])
		if !ok {
			continue
		}
		if seen[slo.Name] {
			r.fail(doc.Content[0], "metadata.name", "two SLOs are named "+string(slo.Name), "rename one of them")
		}
		seen[slo.Name] = true
		slos = append(slos, slo)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return slos, nil
}

// syntaxError gives an error of the YAML parser, "yaml: line 3: what", the form
// of the others.
func syntaxError(name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if line, what, ok := strings.Cut(rest, ": "); ok {
			return fmt.Errorf("%s:%s: %s; mend the YAML", name, line, what)
		}
	}
	return fmt.Errorf("%s: %s; mend the YAML", name, text)
}

// document reads one document; ok is false unless it is an SLO.
func (r *fileReader) document(n *yaml.Node) (plumbline.SLO, bool) {
	doc := r.object(n, "", "apiVersion", "kind", "metadata", "spec")
	if doc == nil {
		return plumbline.SLO{}, false
	}
	if v := doc.required("apiVersion", "write apiVersion: "+apiVersion); v != "" && v != apiVersion {
		doc.fail("apiVersion", fmt.Sprintf("%q is not read", v), "write apiVersion: "+apiVersion)
	}
	kind := doc.required("kind", "write kind: SLO")
	for _, key := range []string{"metadata", "spec"} {
		if !doc.has(key) {
			doc.fail(key, "is missing", "write "+key+": with its fields under it")
		}
	}
	if !doc.has("metadata") || !doc.has("spec") {
		return plumbline.SLO{}, false
	}
	switch kind {
	case "SLO":
		return r.slo(doc.fields["metadata"], doc.fields["spec"])
	case "Service":
		r.service(doc.fields["metadata"], doc.fields["spec"])
	case "DataSource", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget":
		doc.fail("kind", kind+" is not used by plumbline",
			"remove the document, or keep it in a file that plumbline is not given")
	case "":
	default:
		doc.fail("kind", fmt.Sprintf("%q is no kind of OpenSLO v1", kind), "write kind: SLO or kind: Service")
	}
	return plumbline.SLO{}, false
}

func (r *fileReader) metadata(n *yaml.Node) (*object, string) {
	meta := r.object(n, "metadata", "name", "displayName", "labels", "annotations")
	if meta == nil {
		return nil, ""
	}
	const fix = "write lower-case letters, digits and dashes, at most 63, such as flights-accuracy"
	name := meta.required("name", fix)
	if name != "" && !rfc1123(name) {
		meta.fail("name", fmt.Sprintf("%q is no RFC 1123 name", name), fix)
	}
	meta.text("displayName")
	if labels := meta.fields["labels"]; labels != nil {
		r.object(labels, "metadata.labels")
	}
	return meta, name
}

func rfc1123(s string) bool {
	if len(s) > maxNameLength {
		return false
	}
	for i, c := range []byte(s) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (c != '-' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return s != ""
}

func (r *fileReader) service(metadata, spec *yaml.Node) {
	r.metadata(metadata)
	if o := r.object(spec, "spec", "description"); o != nil {
		o.description()
	}
}

func (o *object) description() string {
	d := o.text("description")
	if len([]rune(d)) > maxDescriptionLength {
		o.fail("description", fmt.Sprintf("has over %d characters", maxDescriptionLength), "shorten it, and link to the rest")
	}
	return strings.TrimSpace(d)
}

func (r *fileReader) slo(metadata, spec *yaml.Node) (plumbline.SLO, bool) {
	before := len(r.errs)
	var slo plumbline.SLO
	meta, name := r.metadata(metadata)
	slo.Name = plumbline.SLOName(name)
	if o := r.object(spec, "spec", "description", "service", "indicator", "indicatorRef",
		"timeWindow", "budgetingMethod", "objectives", "alertPolicies"); o != nil {
		r.spec(o, &slo)
	}
	if meta != nil {
		r.extension(meta, &slo)
	}
	return slo, len(r.errs) == before
}

func (r *fileReader) spec(o *object, slo *plumbline.SLO) {
	slo.Description = o.description()
	slo.Service = o.required("service", "write the name of the service or model, such as service: flight-delay")
	o.unused("is not used: the annotation "+annotationSLI+" says what is good",
		"remove it", "indicator", "indicatorRef")
	o.unused("is not used: alerts are derived from target and time window",
		"remove it", "alertPolicies")
	const method = "write budgetingMethod: Occurrences"
	if m := o.required("budgetingMethod", method); m != "" && m != "Occurrences" {
		o.fail("budgetingMethod", fmt.Sprintf("%q is not a method plumbline counts by", m), method)
	}
	if n := o.only("timeWindow", "write one item: - duration: 7d with isRolling: true"); n != nil {
		slo.Period = r.timeWindow(n)
	}
	if n := o.only("objectives", "write one item: - target: 0.9; several targets are several SLOs"); n != nil {
		slo.Target = r.objective(n)
	}
}

func (r *fileReader) timeWindow(n *yaml.Node) time.Duration {
	o := r.object(n, "spec.timeWindow[0]", "duration", "isRolling", "calendar")
	if o == nil {
		return 0
	}
	o.unused("is not used: budgets are rolling", "remove it and write isRolling: true", "calendar")
	if rolling := o.fields["isRolling"]; rolling == nil || rolling.Tag != "!!bool" || !strings.EqualFold(rolling.Value, "true") {
		o.fail("isRolling", "has to be true: budgets are rolling", "write isRolling: true")
	}
	const fix = "write duration: 7d"
	before := len(r.errs)
	text := o.required("duration", fix)
	if len(r.errs) > before {
		return 0
	}
	d, err := ParseDuration(text)
	switch {
	case err != nil:
		o.fail("duration", err.Error(), fix)
	case d < minPeriod || d > maxPeriod:
		o.fail("duration", fmt.Sprintf("%s is not between %s and %s", text,
			plumbline.WindowName(minPeriod), plumbline.WindowName(maxPeriod)), "write a period such as 7d or 30d")
	}
	return d
}

func (r *fileReader) objective(n *yaml.Node) float64 {
	o := r.object(n, "spec.objectives[0]", "displayName", "op", "value", "target", "targetPercent",
		"timeSliceTarget", "timeSliceWindow", "indicator", "indicatorRef", "compositeWeight")
	if o == nil {
		return 0
	}
	o.text("displayName")
	o.unused("is not used with budgetingMethod: Occurrences and the annotation "+annotationSLI, "remove it",
		"op", "value", "timeSliceTarget", "timeSliceWindow", "indicator", "indicatorRef", "compositeWeight")
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

// extension reads the annotations that stand for the indicator.
func (r *fileReader) extension(meta *object, slo *plumbline.SLO) {
	n := meta.fields["annotations"]
	if n == nil {
		meta.fail("annotations", "is missing: it says what a good event is",
			"write annotations: with "+annotationSLI+": quality, "+annotationMeasure+": accuracy and "+annotationOwner+" under it")
		return
	}
	a := r.object(n, "metadata.annotations")
	if a == nil {
		return
	}
	known := []string{annotationSLI, annotationMeasure, annotationModel, annotationMinCoverage, annotationOwner, annotationRunbook}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if a.has(key) && strings.HasPrefix(key, annotationPrefix) && !slices.Contains(known, key) {
			a.fail(key, "is no annotation of plumbline", "remove it, or use one of "+strings.Join(known, ", "))
		}
	}
	oneOf := func(key, only string) {
		if v := a.required(key, "write "+key+": "+only); v != "" && v != only {
			a.fail(key, fmt.Sprintf("%q is not known", v), "write "+key+": "+only)
		}
	}
	oneOf(annotationSLI, string(SLIQuality))
	oneOf(annotationMeasure, plumbline.MeasureAccuracy)
	slo.Measure = plumbline.MeasureAccuracy
	slo.Owner = plumbline.Owner(a.required(annotationOwner, "name an entry of the owner registry, such as "+annotationOwner+": ml-oncall"))
	slo.Runbook = a.text(annotationRunbook)
	slo.Model = plumbline.Model(slo.Service)
	if a.has(annotationModel) {
		slo.Model = plumbline.Model(a.required(annotationModel, "write the model's name, or remove it to use spec.service"))
	}
	slo.MinCoverage = a.minCoverage()
}

func (o *object) minCoverage() float64 {
	if !o.has(annotationMinCoverage) {
		return DefaultMinCoverage
	}
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
