package rules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// ParseFiles reads the OpenSLO files as one: a document may refer to one of
// another file. It refuses two SLOs of one name, for the name is the identity of
// an incident. Patterns are those of filepath.Match; one that matches no file is
// an error. The error joins a FieldError for everything that is wrong, each with its
// line and the fix; no SLO is returned beside an error.
func ParseFiles(patterns ...string) ([]plumbline.SLO, error) {
	var errs []error
	c := newCatalog()
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
			data, err := os.ReadFile(path)
			if err != nil {
				errs = append(errs, fmt.Errorf("read SLO file: %w", err))
				continue
			}
			c.read(path, data)
		}
	}
	slos, err := c.slos()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return slos, nil
}

// Checked is what one OpenSLO file holds, or what is wrong in it.
type Checked struct {
	Path string
	SLOs []plumbline.SLO
	Err  error
}

// CheckFiles reads the OpenSLO files as one, as ParseFiles does, and says of each what
// it holds. A path that is given twice is read once. A file whose SLOs refer to
// mistakes in other files, and that has none itself, is left out.
func CheckFiles(paths ...string) []Checked {
	c := newCatalog()
	var all []Checked
	for _, path := range paths {
		if slices.ContainsFunc(c.readers, func(r *fileReader) bool { return r.file == path }) {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			all = append(all, Checked{Path: path, Err: fmt.Errorf("read SLO file: %w", err)})
			continue
		}
		c.read(path, data)
	}
	c.bodies()
	for _, r := range c.readers {
		switch err := r.err(); {
		case err != nil:
			all = append(all, Checked{Path: r.file, Err: err})
		case !r.withheld:
			all = append(all, Checked{Path: r.file, SLOs: r.slos})
		}
	}
	return all
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

func (o *object) description() string {
	d := o.text("description")
	if len([]rune(d)) > maxDescriptionLength {
		o.fail("description", fmt.Sprintf("has over %d characters", maxDescriptionLength), "shorten it, and link to the rest")
	}
	return strings.TrimSpace(d)
}
