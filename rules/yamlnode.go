package rules

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline"
)

// FieldError says what is wrong with one field of an SLO file and how to mend
// it.
type FieldError struct {
	File string
	// Line counts from 1.
	Line int
	// Field is the path of the field, such as spec.objectives[0].target.
	Field   string
	Problem string
	Fix     string
}

// Error returns "file:line: field: problem; fix".
func (e *FieldError) Error() string {
	where := fmt.Sprintf("%s:%d: ", e.File, e.Line)
	if e.Field != "" {
		where += e.Field + ": "
	}
	return where + e.Problem + "; " + e.Fix
}

// fileReader reads YAML nodes strictly and collects every error with its place,
// so that a user mends a file in one round.
type fileReader struct {
	file string
	errs []error
	// slos are those of the file, but for what is withheld: SLOs with a mistake, here
	// or in what they refer to.
	slos     []plumbline.SLO
	withheld bool
}

// err joins what is wrong in the file, each mistake once: a document is read again by
// whoever refers to it.
func (r *fileReader) err() error {
	var errs []error
	said := make(map[string]bool)
	for _, err := range r.errs {
		if !said[err.Error()] {
			said[err.Error()], errs = true, append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *fileReader) fail(n *yaml.Node, field, problem, fix string) {
	r.errs = append(r.errs, &FieldError{File: r.file, Line: n.Line, Field: field, Problem: problem, Fix: fix})
}

// object is a mapping whose keys are known and unique.
type object struct {
	*fileReader
	node   *yaml.Node
	path   string
	fields map[string]*yaml.Node
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// object reads a mapping. With known keys every other key is an error; without,
// any key is taken. It returns nil after an error on the node itself.
func (r *fileReader) object(n *yaml.Node, path string, known ...string) *object {
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, "is "+kindName(n)+", not a mapping", "write key: value lines under it")
		return nil
	}
	o := &object{fileReader: r, node: n, path: path, fields: make(map[string]*yaml.Node)}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fail(key, path, "has a key that is "+kindName(key), "write a plain key")
		case o.fields[key.Value] != nil:
			r.fail(key, field, "is given twice", "keep one of them")
		case len(known) > 0 && !slices.Contains(known, key.Value):
			r.fail(key, field, "is no field of OpenSLO v1 here", "remove it, or use one of "+strings.Join(known, ", "))
		case value.Kind == yaml.AliasNode || key.Anchor != "" || value.Anchor != "":
			r.fail(value, field, "uses a YAML anchor or alias", "write the value out")
		default:
			o.fields[key.Value] = value
		}
	}
	return o
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Tag == "!!null":
		return "empty"
	case n.Tag == "!!str":
		return "text"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!bool":
		return "true or false"
	}
	return "of type " + n.Tag
}

// wrong is a problem of the field key, at its line or, if it is missing, at the
// object's.
func (o *object) wrong(key, problem, fix string) *FieldError {
	at := o.node
	if n := o.fields[key]; n != nil {
		at = n
	}
	return &FieldError{File: o.file, Line: at.Line, Field: join(o.path, key), Problem: problem, Fix: fix}
}

// fail reports a problem of the field key.
func (o *object) fail(key, problem, fix string) {
	o.errs = append(o.errs, o.wrong(key, problem, fix))
}

func (o *object) has(key string) bool { return o.fields[key] != nil }

// unused reports every one of the keys that is present: valid OpenSLO that
// would have no effect is refused, not ignored.
func (o *object) unused(why, fix string, keys ...string) {
	for _, key := range keys {
		if o.has(key) {
			o.fail(key, why, fix)
		}
	}
}

// text returns the text of an optional field, empty if absent.
func (o *object) text(key string) string {
	n := o.fields[key]
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		o.fail(key, "is "+kindName(n)+", not text", `write it in quotes`)
		return ""
	}
	for _, c := range n.Value {
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			o.fail(key, "has a control character in it", "remove it")
			return ""
		}
	}
	return n.Value
}

// required returns the text of a field that has to be there and not be blank.
func (o *object) required(key, fix string) string {
	if !o.has(key) {
		o.fail(key, "is missing", fix)
		return ""
	}
	before := len(o.errs)
	s := o.text(key)
	if strings.TrimSpace(s) == "" && len(o.errs) == before {
		o.fail(key, "is empty", fix)
	}
	return s
}

// number returns a finite number, and false after reporting why there is none.
func (o *object) number(key, fix string) (float64, bool) {
	n := o.fields[key]
	if n == nil {
		o.fail(key, "is missing", fix)
		return 0, false
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || (n.Tag != "!!int" && n.Tag != "!!float") || err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		o.fail(key, "is "+kindName(n)+", not a plain number", fix)
		return 0, false
	}
	return v, true
}

// list returns the elements of a list field that may be left out, and nil after
// reporting that it is none.
func (o *object) list(key, fix string) []*yaml.Node {
	n := o.fields[key]
	switch {
	case n == nil || n.Tag == "!!null":
		return nil
	case n.Kind != yaml.SequenceNode:
		o.fail(key, "is "+kindName(n)+", not a list", fix)
		return nil
	}
	return n.Content
}

// only returns the single element of a list field, and nil after reporting why
// there is not exactly one.
func (o *object) only(key, fix string) *yaml.Node {
	n := o.fields[key]
	switch {
	case n == nil:
		o.fail(key, "is missing", fix)
	case n.Kind != yaml.SequenceNode:
		o.fail(key, "is "+kindName(n)+", not a list", fix)
	case len(n.Content) != 1:
		o.fail(key, fmt.Sprintf("has %d items, not 1", len(n.Content)), fix)
	case n.Content[0].Kind == yaml.AliasNode || n.Content[0].Anchor != "":
		o.fail(key, "uses a YAML anchor or alias", "write the value out")
	default:
		return n.Content[0]
	}
	return nil
}
