package app

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// This file says in the words of a configuration what yaml.v3 says in those of
// Go: which field it is about, and what to write instead. And it gives the
// mistakes that the sections find their line.

var (
	unknownKey = regexp.MustCompile(`^field (.+) not found in type \S+$`)
	wrongValue = regexp.MustCompile("^cannot unmarshal !!(\\w+)(?: `(.*)`)? into (.+)$")
	// lineOf finds where yaml.v3 says a line, so that the error can begin with
	// file:line as compilers do.
	lineOf = regexp.MustCompile(`(?m)line (\d+): (.*)$`)
	// fieldOf is the field that a section's mistake begins with.
	fieldOf = regexp.MustCompile(`^[a-z][a-z0-9_]*(?:\[\d+\]|\.[a-z0-9_]+)*`)
)

// mistakes collects what is wrong with one configuration file.
type mistakes struct {
	path string
	// root is the text as nodes, nil where there are none.
	root *yaml.Node
	errs []error
	// told are fields that could not be decoded. Whatever else a section says of
	// them follows from that: that they are empty, for example.
	told []string
	// unread are files that could not be read. What a section says of their content
	// follows from that.
	unread []string
}

func newMistakes(path string, text []byte) *mistakes {
	m := &mistakes{path: path}
	var document yaml.Node
	if yaml.Unmarshal(text, &document) == nil && len(document.Content) > 0 {
		m.root = document.Content[0]
	}
	return m
}

func (m *mistakes) err() error { return errors.Join(m.errs...) }

// add takes what the sections found: each part of a joined error on a line of its
// own, with file and line.
func (m *mistakes) add(err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			m.add(e)
		}
		return
	}
	if parts := parted(err); parts != nil {
		for _, e := range parts {
			m.add(e)
		}
		return
	}
	if !errors.Is(err, fs.ErrNotExist) && slices.ContainsFunc(m.unread, func(file string) bool { return strings.Contains(err.Error(), ": "+file+": ") }) {
		return
	}
	field := fieldOf.FindString(err.Error())
	for _, told := range m.told {
		if rest, ok := strings.CutPrefix(field, told); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return
		}
	}
	m.errs = append(m.errs, fmt.Errorf("%s: %w", m.where(field), err))
}

// where is file and line of a field.
func (m *mistakes) where(field string) string {
	if line := lineAt(m.root, field); line > 0 {
		return fmt.Sprintf("%s:%d", m.path, line)
	}
	return m.path
}

// lineAt is where a field is written, or else the nearest section around it that
// is; 0 if nothing of it is.
func lineAt(root *yaml.Node, field string) int {
	line := 0
	path := strings.Split(strings.NewReplacer("[", ".", "]", "").Replace(field), ".")
	for n := root; n != nil && len(path) > 0; path = path[1:] {
		n, line = child(n, path[0], line)
	}
	return line
}

// written reports whether the file has a field.
func (m *mistakes) written(field []string) bool {
	n := m.root
	for _, name := range field {
		if n == nil {
			break
		}
		n, _ = child(n, name, 0)
	}
	return n != nil
}

// child is the value of a key, or the item of an index, and its line; without it
// the line stays.
func child(n *yaml.Node, name string, line int) (*yaml.Node, int) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i < len(n.Content) {
			return n.Content[i], n.Content[i].Line
		}
	}
	return nil, line
}

// ofYAML takes what yaml.v3 found.
func (m *mistakes) ofYAML(err error) {
	found := lineOf.FindAllStringSubmatch(err.Error(), -1)
	if len(found) == 0 {
		m.errs = append(m.errs, fmt.Errorf("%s: %w", m.path, err))
	}
	for _, f := range found {
		m.errs = append(m.errs, fmt.Errorf("%s:%s: %s", m.path, f[1], m.plainly(f[1], f[2])))
	}
}

// plainly rewrites what yaml.v3 says of a line of text; what it does not know
// stays as it is.
func (m *mistakes) plainly(line, message string) string {
	number, err := strconv.Atoi(line)
	if err != nil || m.root == nil {
		return message
	}
	if found := unknownKey.FindStringSubmatch(message); found != nil {
		if said := m.unknown(number, found[1]); said != "" {
			return said
		}
	}
	if found := wrongValue.FindStringSubmatch(message); found != nil {
		path := find(m.root, func(_, value *yaml.Node) bool {
			return value.Line == number && value.ShortTag() == "!!"+found[1] && strings.HasPrefix(value.Value, strings.TrimSuffix(found[2], "..."))
		})
		m.tell(path)
		what := fmt.Sprintf("%q", found[2])
		switch found[1] {
		case "map":
			what = "a section of keys"
		case "seq":
			what = "a list"
		}
		field := spell(path)
		if field == "" { // of the file as a whole
			return fmt.Sprintf("%s is not a configuration; %s", what, "write its sections as keys on lines of their own, such as web: {listen: 127.0.0.1:9470}")
		}
		return fmt.Sprintf("%s: %s is not %s", field, what, wanted(found[3]))
	}
	if path, model := m.privacy(number, message); path != nil {
		return fmt.Sprintf("%s: %s (model %s)", spell(path), message, model)
	}
	return message
}

// unknown says what an unknown key may have been meant for; empty where the key
// cannot be found.
func (m *mistakes) unknown(line int, name string) string {
	path := find(m.root, func(key, _ *yaml.Node) bool { return key != nil && key.Line == line && key.Value == name })
	if len(path) == 0 {
		return ""
	}
	if use := instead(spell(path)); use != "" {
		return fmt.Sprintf("field %s not found; %s", spell(path), use)
	}
	section := path[:len(path)-1]
	known := keysOf(reflect.TypeFor[Config](), section)
	if len(known) == 0 {
		return ""
	}
	meant := ""
	if near := serve.Nearest(name, known); near != "" {
		meant = fmt.Sprintf("did you mean %s? ", near)
		if field := append(slices.Clone(section), near); !m.written(field) {
			m.tell(field)
		}
	}
	return fmt.Sprintf("field %s not found; %sthe keys there are %s", spell(path), meant, strings.Join(known, ", "))
}

// tell keeps a field as told. yaml.v3 leaves an item that it cannot decode out of
// its list, so the indices of the others are not those of the file any more.
func (m *mistakes) tell(path []string) {
	if len(path) == 0 {
		return
	}
	if _, err := strconv.Atoi(path[len(path)-1]); err == nil {
		path = path[:len(path)-1]
	}
	m.told = append(m.told, spell(path))
}

// find returns the keys and indices down to the first value that is meant; an
// entry of a list has no key.
func find(n *yaml.Node, meant func(key, value *yaml.Node) bool) []string {
	descend := func(name string, key, value *yaml.Node) []string {
		if meant(key, value) {
			return []string{name}
		}
		if deeper := find(value, meant); deeper != nil {
			return slices.Concat([]string{name}, deeper)
		}
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if path := descend(n.Content[i].Value, n.Content[i], n.Content[i+1]); path != nil {
				return path
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if path := descend(strconv.Itoa(i), nil, item); path != nil {
				return path
			}
		}
	}
	return nil
}

func spell(path []string) string {
	var b strings.Builder
	for i, key := range path {
		switch _, err := strconv.Atoi(key); {
		case err == nil:
			b.WriteString("[" + key + "]")
		case i > 0:
			b.WriteString("." + key)
		default:
			b.WriteString(key)
		}
	}
	return b.String()
}

// keysOf lists the keys that a section takes, sorted.
func keysOf(t reflect.Type, path []string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		if t.Kind() != reflect.Pointer {
			if len(path) == 0 {
				return nil
			}
			path = path[1:] // an index, or a name
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(options, "inline"):
			keys = append(keys, keysOf(f.Type, path)...)
		case name == "" || name == "-":
		case len(path) == 0:
			keys = append(keys, name)
		case name == path[0]:
			return keysOf(f.Type, path[1:])
		}
	}
	slices.Sort(keys)
	return keys
}

// wanted says what a value of a Go type is written as.
func wanted(goType string) string {
	switch {
	case goType == "time.Duration":
		return "a duration; write a number and a unit, such as 30s, 5m or 1h30m"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case strings.HasPrefix(goType, "[]"):
		return "a list; write each entry on a line of its own after a dash, or [a, b]"
	case goType == "string" || strings.HasSuffix(goType, "plumbline.Owner") || strings.HasSuffix(goType, "plumbline.Model"):
		return "one word or text"
	}
	return "a section; write its keys on lines of their own, indented"
}
