package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// mappingFile reads a mapping file strictly and collects its mistakes, each with
// its line.
type mappingFile struct {
	file string
	errs []error
}

func (f *mappingFile) fail(n *yaml.Node, field, format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s:%d: %s: %s", f.file, n.Line, field, fmt.Sprintf(format, args...)))
}

// parseMapping reads a mapping file.
func parseMapping(file string, content []byte) (*mappings, error) {
	f := &mappingFile{file: file}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: the file is empty; give it a section such as predictions", file)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: a second YAML document begins; one file holds one mapping", file)
	}
	m := &mappings{file: file, sections: map[Kind]*section{}}
	f.each(document.Content[0], "the file", func(key string, at, value *yaml.Node) {
		kind := Kind(key)
		if !slices.Contains(Kinds(), kind) {
			f.fail(at, key, "is none of predictions, labels, deployments and kpis")
			return
		}
		m.sections[kind] = f.section(kind, at.Line, value)
	})
	return m, errors.Join(f.errs...)
}

// each calls back for every member of a mapping, and refuses what is none.
func (f *mappingFile) each(n *yaml.Node, field string, member func(key string, at, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		f.fail(n, field, "must be a mapping of names to values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || value.Kind == yaml.AliasNode:
			f.fail(key, field, "anchors, aliases and names that are no text are not read; write the values out")
		case seen[key.Value]:
			f.fail(key, field, "%q stands twice", key.Value)
		default:
			seen[key.Value] = true
			member(key.Value, key, value)
		}
	}
}

func (f *mappingFile) section(kind Kind, line int, n *yaml.Node) *section {
	s := &section{kind: kind, line: line}
	fields := s.fields()
	f.each(n, string(kind), func(key string, at, value *yaml.Node) {
		field := string(kind) + "." + key
		switch {
		case key == "rows":
			s.rows = f.mapped(value, field, "at")
			s.rows.absolute = true
		case key == "when":
			f.when(s, value, field)
		case key == "features" && kind == KindPredictions:
			f.features(s, value, field)
		case key == "segments" && kind == KindPredictions:
			s.segments = f.named(value, field)
		case fields[key] != nil:
			*fields[key] = f.mapped(value, field, options(key)...)
			f.units(fields[key], key, value, field)
		default:
			f.fail(at, field, "is no field of %s; they are rows, when, %s", kind, strings.Join(names(kind, fields), ", "))
		}
	})
	if !s.rows.pointed {
		for _, m := range fields {
			m.absolute = true
		}
	}
	return s
}

func names(kind Kind, fields map[string]*mapped) []string {
	var all []string
	for name := range fields {
		all = append(all, name)
	}
	if kind == KindPredictions {
		all = append(all, "features", "segments")
	}
	slices.Sort(all)
	return all
}

// options are what may be said of a field beside where it stands.
func options(field string) []string {
	switch field {
	case "ts":
		return []string{"at", "unit", "from"}
	case "latency_ms", "weight":
		return []string{"at", "value", "unit"}
	case "predicted", "label":
		return []string{"at", "classes"}
	case "propensity":
		return []string{"at", "value"}
	case "score", "prediction_id", "disagreement", "votes", "scores", "explained", "explanation", "value":
		return []string{"at"}
	}
	return []string{"at", "value"}
}

// units checks a field's unit, and its constant.
func (f *mappingFile) units(m *mapped, name string, n *yaml.Node, field string) {
	var known []string
	switch name {
	case "ts":
		known = []string{"", "rfc3339", "s", "ms", "us", "ns"}
	case "latency_ms":
		known = []string{"", "s", "ms", "us", "ns"}
	case "weight":
		known = []string{"", "share"}
	case "propensity":
		known = []string{""}
	case "stage":
		if m.constant != nil && checkStage(m.constant) != nil {
			f.fail(n, field, "%q is none of production, canary, shadow and training", m.constant)
		}
		return
	case "status":
		if m.constant != nil && len(m.constant) == 0 {
			f.fail(n, field, "the value is empty; say ok or the class of an error, or leave it out")
		}
		return
	default:
		return
	}
	if !slices.Contains(known, m.unit) {
		f.fail(n, field, "unit %q is none of %s", m.unit, strings.Join(known[1:], ", "))
	}
	if m.constant != nil {
		v, ok, err := decimalNumber(m.constant)
		if err != nil || !ok || name == "weight" && !isWeight(v) || name == "propensity" && !isPropensity(v) {
			f.fail(n, field, "the value %q is no number that may stand here", m.constant)
		}
	}
}

// mapped reads where a field stands: a pointer, or a mapping with the options.
func (f *mappingFile) mapped(n *yaml.Node, field string, options ...string) mapped {
	var m mapped
	if n.Kind == yaml.ScalarNode {
		f.pointer(&m, n, field)
		return m
	}
	f.each(n, field, func(key string, at, value *yaml.Node) {
		if !slices.Contains(options, key) {
			f.fail(at, field, "%q is none of its options: %s", key, strings.Join(options, ", "))
			return
		}
		if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
			f.fail(value, field+"."+key, "must be a plain value")
			return
		}
		switch key {
		case "at":
			f.pointer(&m, value, field)
		case "value":
			m.constant = []byte(value.Value)
			if len(m.constant) == 0 || len(m.constant) > maxName {
				f.fail(value, field+".value", "a constant has 1 to 256 bytes")
			}
		case "unit":
			m.unit = value.Value
		case "from":
			if m.record = value.Value == "record"; !m.record {
				f.fail(value, field+".from", "%q is not record, the time of the Kafka record", value.Value)
			}
		case "classes":
			if err := value.Decode(&m.classes); err != nil {
				f.fail(value, field+".classes", "must be true or false")
			}
		}
	})
	if many := m.pointed && m.constant != nil || m.record && (m.pointed || m.unit != ""); many || !m.set() && n.Kind == yaml.MappingNode {
		f.fail(n, field, "say exactly one of where it stands (at) and what it is (value, or from)")
	}
	return m
}

// pointer compiles a JSON pointer. One that begins with $ counts from the
// record, every other one from the row.
func (f *mappingFile) pointer(m *mapped, n *yaml.Node, field string) {
	text, absolute := strings.CutPrefix(n.Value, "$")
	if n.Tag != "!!str" {
		f.fail(n, field, "must be a JSON pointer such as /request/id; a constant is written {value: %s}", n.Value)
		return
	}
	at, err := parsePointer(text)
	if err != nil {
		f.fail(n, field, "%s; a constant is written {value: ...}", err)
		return
	}
	m.at, m.pointed, m.absolute, m.text = at, true, absolute, n.Value
}

func (f *mappingFile) when(s *section, n *yaml.Node, field string) {
	f.each(n, field, func(key string, at, value *yaml.Node) {
		switch key {
		case "at":
			f.pointer(&s.when, value, field)
		case "is":
			s.is = f.texts(value, field+".is")
		default:
			f.fail(at, field, "%q is neither at nor is", key)
		}
	})
	if !s.when.pointed || len(s.is) == 0 {
		f.fail(n, field, "say where (at) which value (is) marks these events")
	}
}

// texts reads one text or a list of them.
func (f *mappingFile) texts(n *yaml.Node, field string) []string {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var all []string
	for _, e := range list {
		if e.Kind != yaml.ScalarNode || e.Tag == "!!null" {
			f.fail(e, field, "must be a text or a list of texts")
			return nil
		}
		all = append(all, e.Value)
	}
	return all
}

// named reads a mapping of names to pointers.
func (f *mappingFile) named(n *yaml.Node, field string) []namedField {
	var all []namedField
	f.each(n, field, func(key string, at, value *yaml.Node) {
		if key == "" || len(key) > maxName {
			f.fail(at, field, "a name has 1 to 256 bytes")
		}
		all = append(all, namedField{mapped: f.mapped(value, field+"."+key, "at", "value"), name: []byte(key)})
	})
	return all
}

func (f *mappingFile) features(s *section, n *yaml.Node, field string) {
	if n.Kind == yaml.ScalarNode {
		s.all = f.mapped(n, field, "at")
		return
	}
	f.each(n, field, func(key string, at, value *yaml.Node) {
		switch key {
		case "all":
			s.all = f.mapped(value, field+".all", "at")
		case "without":
			s.without = f.texts(value, field+".without")
		case "nested":
			if s.nested = value.Value; s.nested != "skip" && s.nested != "refuse" {
				f.fail(value, field+".nested", "%q is neither skip nor refuse", value.Value)
			}
		case "named":
			s.features = f.named(value, field+".named")
		case "arrays":
			f.arrays(s, value, field+".arrays")
		default:
			f.fail(at, field, "%q is none of all, without, nested, named and arrays", key)
		}
	})
}

func (f *mappingFile) arrays(s *section, n *yaml.Node, field string) {
	if n.Kind != yaml.SequenceNode {
		f.fail(n, field, "must be a list of {at: /pointer, names: [a, b]}")
		return
	}
	for _, e := range n.Content {
		var a namedField
		f.each(e, field, func(key string, at, value *yaml.Node) {
			switch key {
			case "at":
				f.pointer(&a.mapped, value, field)
			case "names":
				for _, name := range f.texts(value, field+".names") {
					if name == "" || len(name) > maxName {
						f.fail(value, field+".names", "a name has 1 to 256 bytes")
					}
					a.names = append(a.names, []byte(name))
				}
			default:
				f.fail(at, field, "%q is neither at nor names", key)
			}
		})
		if !a.pointed || len(a.names) == 0 {
			f.fail(e, field, "say where the array stands (at) and what its elements are called (names)")
		}
		s.arrays = append(s.arrays, a)
	}
}
