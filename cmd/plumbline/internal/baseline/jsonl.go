package baseline

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strconv"
)

// jsonTable is a file of JSON objects, one after the other. A key that an object
// lacks is null there.
type jsonTable struct {
	path    string
	nulls   []string
	columns []Column
}

func openJSON(path string, o Options) (*jsonTable, error) {
	t := &jsonTable{path: path, nulls: o.Nulls}
	index := map[string]int{}
	var types []typing
	err := t.read(func(row int64, object map[string]any) error {
		var added []string
		for name := range object {
			if _, ok := index[name]; !ok {
				added = append(added, name)
			}
		}
		// A map has no order of its own; the first import must number its columns
		// as the second does.
		sort.Strings(added)
		for _, name := range added {
			index[name] = len(t.columns)
			t.columns, types = append(t.columns, Column{Name: name}), append(types, typing{})
		}
		for name, value := range object {
			if c, text, ok := t.class(value); ok {
				types[index[name]].see(c, text, row)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	decide(t.columns, types, o)
	return t, nil
}

// class tells what a value looks like; null has none.
func (t *jsonTable) class(value any) (c class, text string, ok bool) {
	switch value := value.(type) {
	case nil:
		return 0, "", false
	case bool:
		return classBool, strconv.FormatBool(value), true
	case json.Number:
		if _, err := strconv.ParseInt(value.String(), 10, 64); err == nil {
			return classInt, value.String(), true
		}
		return classFloat, value.String(), true
	case string:
		return classText, value, !slices.Contains(t.nulls, value)
	}
	return classNested, "", true
}

func (t *jsonTable) Columns() []Column { return t.columns }

// Close does nothing: every reading opens the file anew.
func (t *jsonTable) Close() error { return nil }

func (t *jsonTable) read(visit func(int64, map[string]any) error) (err error) {
	f, err := os.Open(t.path)
	if err != nil {
		return fmt.Errorf("open training set: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	d := json.NewDecoder(bufio.NewReaderSize(f, 1<<20))
	d.UseNumber()
	for row := int64(0); ; row++ {
		var object map[string]any
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && object == nil {
			err = errors.New("null; write one object a line")
		}
		if err != nil {
			return fmt.Errorf("%s: row %d: %w", t.path, row+1, err)
		}
		if err := visit(row, object); err != nil {
			return err
		}
	}
}

func (t *jsonTable) Each(columns []int, visit func(*Batch) error) error {
	b := newBatch(len(columns))
	err := t.read(func(row int64, object map[string]any) error {
		for j, i := range columns {
			if err := t.put(&b.Columns[j], i, object[t.columns[i].Name]); err != nil {
				return valueError(t.path, row, t.columns[i].Name, err)
			}
		}
		return b.full(visit)
	})
	if err != nil {
		return err
	}
	return b.rest(visit)
}

func (t *jsonTable) put(v *Vector, column int, value any) error {
	kind := t.columns[column].Kind
	_, text, ok := t.class(value)
	if !ok {
		v.null(kind)
		return nil
	}
	switch kind {
	case KindInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no integer", text)
		}
		v.int(n)
	case KindFloat:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is no number of 64 bits", text)
		}
		v.float(f)
	case KindBool:
		b, ok := value.(bool)
		if !ok {
			return fmt.Errorf("%q is no boolean", text)
		}
		v.bool(b)
	case KindText:
		v.text(text)
	default:
		return fmt.Errorf("%q stands in an empty column", text)
	}
	return nil
}
