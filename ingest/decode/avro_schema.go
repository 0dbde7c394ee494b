package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// avroKind is the kind of an Avro type.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroFixed
	avroEnum
	avroArray
	avroMap
	avroUnion
	avroRecord
)

// avroPrimitive returns the kind of a primitive type.
func avroPrimitive(name string) (avroKind, bool) {
	primitives := [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
	i := slices.Index(primitives[:], name)
	return avroKind(max(i, 0)), i >= 0
}

// avroType is a type of an Avro schema. A named type that is used again is the
// same pointer, so a recursive schema is a cycle.
type avroType struct {
	kind     avroKind
	name     string // full name of a record, enum or fixed
	logical  string
	scale    int // of a decimal
	size     int // of a fixed
	symbols  []string
	fields   []avroField
	branches []*avroType
	items    *avroType // of an array or map
}

type avroField struct {
	name string
	typ  *avroType
}

// Bounds of a schema: far above what a person writes.
const (
	maxAvroDepth   = 32
	maxAvroSymbols = 10_000
)

// avroNames are the named types of a schema and of those it refers to.
type avroNames map[string]*avroType

// parse reads a schema of the Avro specification 1.12. What decides how bytes
// are read is checked; defaults, aliases, docs and sort orders are not looked at.
func (n avroNames) parse(text []byte) (*avroType, error) {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	return n.typeOf(v, "", 0)
}

func (n avroNames) typeOf(v any, space string, depth int) (*avroType, error) {
	if depth > maxAvroDepth {
		return nil, fmt.Errorf("the schema nests deeper than %d", maxAvroDepth)
	}
	switch v := v.(type) {
	case string:
		return n.named(v, space)
	case []any:
		return n.union(v, space, depth)
	case map[string]any:
		return n.complex(v, space, depth)
	}
	return nil, fmt.Errorf("a type is a name, an object or an array, not %v", v)
}

// named returns a primitive, or a type that was declared before.
func (n avroNames) named(name, space string) (*avroType, error) {
	if kind, ok := avroPrimitive(name); ok {
		return &avroType{kind: kind}, nil
	}
	if t, ok := n[fullName(name, space)]; ok {
		return t, nil
	}
	if t, ok := n[name]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("type %q is not declared before it is used", name)
}

func fullName(name, space string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

func (n avroNames) union(branches []any, space string, depth int) (*avroType, error) {
	t := &avroType{kind: avroUnion}
	for _, b := range branches {
		branch, err := n.typeOf(b, space, depth+1)
		if err != nil {
			return nil, err
		}
		if branch.kind == avroUnion {
			return nil, errors.New("a union stands directly in a union")
		}
		t.branches = append(t.branches, branch)
	}
	if len(t.branches) == 0 {
		return nil, errors.New("a union has no branches")
	}
	return t, nil
}

func (n avroNames) complex(o map[string]any, space string, depth int) (*avroType, error) {
	name, ok := o["type"].(string)
	if !ok {
		if o["type"] == nil {
			return nil, errors.New("a type has no \"type\"")
		}
		return n.typeOf(o["type"], space, depth+1) // {"type": {...}} or {"type": [...]}
	}
	switch name {
	case "record", "error", "enum", "fixed":
		return n.declare(name, o, space, depth)
	case "array", "map":
		key, kind := "items", avroArray
		if name == "map" {
			key, kind = "values", avroMap
		}
		items, err := n.typeOf(o[key], space, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", key, name, err)
		}
		return &avroType{kind: kind, items: items}, nil
	}
	t, err := n.named(name, space)
	if err != nil {
		return nil, err
	}
	logical, _ := o["logicalType"].(string)
	if logical == "" {
		return t, nil
	}
	c := *t
	return &c, c.annotate(logical, o)
}

// annotate sets a logical type. An invalid one is ignored, as the specification
// demands.
func (t *avroType) annotate(logical string, o map[string]any) error {
	t.logical = logical
	if logical == "decimal" {
		scale, err := whole(o, "scale", 0)
		if err != nil {
			return err
		}
		t.scale = scale
	}
	return nil
}

// declare reads a record, enum or fixed.
func (n avroNames) declare(what string, o map[string]any, space string, depth int) (*avroType, error) {
	name, _ := o["name"].(string)
	if name == "" {
		return nil, fmt.Errorf("a type %s has no name", what)
	}
	if s, ok := o["namespace"].(string); ok {
		space = s
	}
	t := &avroType{name: fullName(name, space)}
	if dot := strings.LastIndexByte(t.name, '.'); dot >= 0 {
		space = t.name[:dot]
	}
	if n[t.name] != nil {
		return nil, fmt.Errorf("type %q is declared twice", t.name)
	}
	n[t.name] = t
	var err error
	switch what {
	case "enum":
		t.kind = avroEnum
		err = t.enum(o["symbols"])
	case "fixed":
		t.kind = avroFixed
		if t.size, err = whole(o, "size", -1); err == nil {
			logical, _ := o["logicalType"].(string)
			err = t.annotate(logical, o)
		}
	default:
		t.kind = avroRecord
		err = n.record(t, o["fields"], space, depth)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return t, nil
}

func (n avroNames) record(t *avroType, fields any, space string, depth int) error {
	list, ok := fields.([]any)
	if !ok {
		return errors.New("a record's fields are an array")
	}
	seen := map[string]bool{}
	for _, f := range list {
		o, _ := f.(map[string]any)
		name, _ := o["name"].(string)
		switch {
		case name == "":
			return errors.New("a field has no name")
		case seen[name]:
			return fmt.Errorf("field %q stands twice", name)
		case o["type"] == nil:
			return fmt.Errorf("field %q has no type", name)
		}
		seen[name] = true
		typ, err := n.typeOf(o["type"], space, depth+1)
		if err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		t.fields = append(t.fields, avroField{name, typ})
	}
	return nil
}

func (t *avroType) enum(symbols any) error {
	list, ok := symbols.([]any)
	if !ok || len(list) > maxAvroSymbols {
		return fmt.Errorf("an enum's symbols are an array of at most %d strings", maxAvroSymbols)
	}
	for _, s := range list {
		text, ok := s.(string)
		if !ok || text == "" || checkText([]byte(text)) != nil {
			return fmt.Errorf("%v is no symbol of an enum", s)
		}
		t.symbols = append(t.symbols, text)
	}
	return nil
}

// whole returns a member that is a whole number of 0 or more; a missing one is
// otherwise, which is an error below 0.
func whole(o map[string]any, key string, otherwise int) (int, error) {
	v, ok := o[key].(float64)
	if !ok && o[key] == nil && otherwise >= 0 {
		return otherwise, nil
	}
	if !ok || v < 0 || v > 1<<30 || v != float64(int(v)) {
		return 0, fmt.Errorf("%s is not a whole number from 0 to 2^30", key)
	}
	return int(v), nil
}
