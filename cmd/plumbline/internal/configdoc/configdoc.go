// Package configdoc writes docs/configuration.md: every key of the configuration
// with its default, and what the comment of its field says. It reads comments from
// the sources and may import nothing of the service: the defaults are given to it.
package configdoc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

const head = `# Configuration
<!-- Generated from the fields' comments by ` + "`make generate`" + `; edit those instead. -->
Every key with its default. What stands behind ` + "`# `" + ` shows the keys of an entry where there is none by default. A file holds only what differs; ` + "`plumbline check config`" + ` says every mistake with its line, and [examples/flights/plumbline.yml](../examples/flights/plumbline.yml) is one to begin with. Paths are relative to the file.

` + "```yaml\n"

// Page renders the configuration whose defaults are given, a struct with yaml
// tags. Its types are declared below root, the folder of the module of that path.
func Page(root, module string, defaults any) ([]byte, error) {
	p := page{comments: newComments(root, module)}
	if err := p.fields(reflect.ValueOf(defaults), ""); err != nil {
		return nil, err
	}
	return []byte(head + p.b.String() + "```\n"), nil
}

// Generate writes the page into docs below root.
func Generate(root, module string, defaults any) error {
	text, err := Page(root, module, defaults)
	if err != nil {
		return fmt.Errorf("docs/configuration.md: %w", err)
	}
	return os.WriteFile(filepath.Join(root, "docs", "configuration.md"), text, 0o644)
}

type page struct {
	b        bytes.Buffer
	comments *comments
}

// fields writes the keys of a struct, each below what its comment says.
func (p *page) fields(v reflect.Value, indent string) error {
	documented, err := p.comments.of(v.Type())
	if err != nil {
		return err
	}
	names := keys(v.Type())
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, inline := names[field.Name], strings.HasSuffix(field.Tag.Get("yaml"), ",inline")
		switch {
		case !field.IsExported() || key == "" && !inline:
			continue
		case inline:
			if err := p.fields(v.Field(i), indent); err != nil {
				return err
			}
			continue
		}
		said := documented.fields[field.Name]
		if kind := structOf(field.Type); said == "" && kind != nil && p.comments.owns(kind) && field.Type.Kind() != reflect.Map {
			of, err := p.comments.of(kind)
			if err != nil {
				return err
			}
			said = spelled(of.doc, map[string]string{kind.Name(): key})
		}
		p.comment(indent, spelled(said, names))
		if err := p.value(indent, key, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// value writes a key: a struct's keys below it, and of a list, a map or nothing
// the keys that an entry would have.
func (p *page) value(indent, key string, v reflect.Value) error {
	kind := structOf(v.Type())
	if kind == nil || !p.comments.owns(kind) || len(keys(kind)) == 0 {
		text, err := scalar(v)
		fmt.Fprintf(&p.b, "%s%s: %s\n", indent, key, text)
		return err
	}
	if v.Kind() == reflect.Struct {
		fmt.Fprintf(&p.b, "%s%s:\n", indent, key)
		return p.fields(v, indent+"  ")
	}
	entry := page{comments: p.comments}
	begin := "" // of an entry
	switch v.Kind() {
	case reflect.Slice:
		fmt.Fprintf(&p.b, "%s%s: []\n", indent, key)
		begin = "- "
	case reflect.Map:
		fmt.Fprintf(&p.b, "%s%s: {}\n", indent, key)
		fmt.Fprintf(&p.b, "%s# NAME:\n", indent)
	default:
		fmt.Fprintf(&p.b, "%s# %s:\n", indent, key)
	}
	if err := entry.fields(reflect.New(kind).Elem(), ""); err != nil {
		return err
	}
	for line := range strings.Lines(entry.b.String()) {
		isKey := !strings.HasPrefix(strings.TrimSpace(line), "#")
		if begin != "" && isKey {
			fmt.Fprintf(&p.b, "%s# %s%s", indent, begin, line)
			begin = ""
			continue
		}
		fmt.Fprintf(&p.b, "%s#   %s", indent, line)
	}
	return nil
}

// width is that of a comment in columns.
const width = 96

// comment writes a text in lines.
func (p *page) comment(indent, text string) {
	line := ""
	flush := func() {
		if line != "" {
			fmt.Fprintf(&p.b, "%s# %s\n", indent, line)
		}
		line = ""
	}
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(indent)+len(line)+len(word)+3 > width {
			flush()
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	flush()
}

// identifier is a word that may name a field, in brackets where a comment links it.
var identifier = regexp.MustCompile(`\[?\b[A-Z][A-Za-z]*\b\]?`)

// proper are keys that comments mean as the products they are named after.
var proper = map[string]bool{"Kafka": true, "ClickHouse": true, "Slack": true, "PagerDuty": true}

// spelled writes the names of fields as their keys.
func spelled(text string, names map[string]string) string {
	return identifier.ReplaceAllStringFunc(text, func(linked string) string {
		word := strings.Trim(linked, "[]")
		if key := names[word]; key != "" && !proper[word] {
			return key
		}
		return word
	})
}

// keys are the keys of a struct's fields by the fields' names.
func keys(t reflect.Type) map[string]string {
	names := map[string]string{}
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if key != "" && key != "-" {
			names[t.Field(i).Name] = key
		}
	}
	return names
}

// structOf returns the struct that a value is, or has entries of, or nil.
func structOf(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Struct:
		return t
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return structOf(t.Elem())
	}
	return nil
}

// zeroes end a duration as Go spells it.
var zeroes = regexp.MustCompile(`(\d+[hm])(0m)?0s`)

// scalar is a value on one line.
func scalar(v reflect.Value) (string, error) {
	var node yaml.Node
	if err := node.Encode(v.Interface()); err != nil {
		return "", err
	}
	node.Style = yaml.FlowStyle
	text, err := yaml.Marshal(&node)
	return zeroes.ReplaceAllString(strings.TrimSpace(string(text)), "$1"), err
}
