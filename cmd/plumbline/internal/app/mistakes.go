package app

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// This file says in the words of a configuration what yaml.v3 says in those of
// Go: which field it is about, and what to write instead.

var (
	unknownKey = regexp.MustCompile(`^field (.+) not found in type \S+$`)
	wrongValue = regexp.MustCompile("^cannot unmarshal !!(\\w+)(?: `(.*)`)? into (.+)$")
)

// plainly rewrites what yaml.v3 says of a line of text; what it does not know
// stays as it is.
func plainly(text []byte, line, message string) string {
	number, err := strconv.Atoi(line)
	var document yaml.Node
	if err != nil || yaml.Unmarshal(text, &document) != nil || len(document.Content) == 0 {
		return message
	}
	if found := unknownKey.FindStringSubmatch(message); found != nil {
		path := find(document.Content[0], func(key, _ *yaml.Node) bool { return key != nil && key.Line == number && key.Value == found[1] })
		if known := keysOf(reflect.TypeFor[Config](), path[:max(len(path)-1, 0)]); len(path) > 0 && len(known) > 0 {
			return fmt.Sprintf("field %s not found; the keys there are %s", spell(path), strings.Join(known, ", "))
		}
	}
	if found := wrongValue.FindStringSubmatch(message); found != nil {
		path := find(document.Content[0], func(_, value *yaml.Node) bool {
			return value.Line == number && value.ShortTag() == "!!"+found[1] && strings.HasPrefix(value.Value, strings.TrimSuffix(found[2], "..."))
		})
		what := fmt.Sprintf("%q", found[2])
		switch found[1] {
		case "map":
			what = "a section of keys"
		case "seq":
			what = "a list"
		}
		return fmt.Sprintf("%s: %s is not %s", spell(path), what, wanted(found[3]))
	}
	return message
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
