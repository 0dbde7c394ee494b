package baseline

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// csvTable is a CSV file with a header. Its columns have no types, so they are
// found from all of its cells before the first row is handed over.
type csvTable struct {
	path    string
	comma   rune
	nulls   []string
	columns []Column
}

func openCSV(path string, comma rune, o Options) (*csvTable, error) {
	t := &csvTable{path: path, comma: comma, nulls: append([]string{""}, o.Nulls...)}
	var types []typing
	err := t.read(func(header []string) error {
		for _, name := range header {
			t.columns = append(t.columns, Column{Name: name})
		}
		types = make([]typing, len(header))
		return nil
	}, func(row int64, cells []string) error {
		for i, cell := range cells {
			if !t.isNull(cell) {
				types[i].see(classify(cell), cell, row)
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

func (t *csvTable) Columns() []Column { return t.columns }

// Close does nothing: every reading opens the file anew.
func (t *csvTable) Close() error { return nil }

func (t *csvTable) isNull(cell string) bool { return slices.Contains(t.nulls, cell) }

// read visits the header and the rows, which are numbered from 0. A row's cells
// are valid until visit returns.
func (t *csvTable) read(header func([]string) error, visit func(int64, []string) error) (err error) {
	f, err := os.Open(t.path)
	if err != nil {
		return fmt.Errorf("open training set: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := bufio.NewReaderSize(f, 1<<20)
	if mark, _ := in.Peek(3); string(mark) == "\xef\xbb\xbf" {
		if _, err := in.Discard(3); err != nil {
			return err
		}
	}
	r := csv.NewReader(in)
	r.Comma, r.ReuseRecord = t.comma, true
	names, err := r.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: empty; the first line must name the columns", t.path)
	}
	if err != nil {
		return fmt.Errorf("%s: header: %w", t.path, err)
	}
	if err := header(slices.Clone(names)); err != nil {
		return err
	}
	for row := int64(0); ; row++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: row %d: %w", t.path, row+1, err)
		}
		if err := visit(row, cells); err != nil {
			return err
		}
	}
}

func (t *csvTable) Each(columns []int, visit func(*Batch) error) error {
	b := newBatch(len(columns))
	err := t.read(func([]string) error { return nil }, func(row int64, cells []string) error {
		for j, i := range columns {
			if err := t.put(&b.Columns[j], t.columns[i], cells[i]); err != nil {
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

// put appends a cell. The file may have changed since its columns were typed,
// so that a cell may not fit.
func (t *csvTable) put(v *Vector, c Column, cell string) error {
	if t.isNull(cell) {
		v.null(c.Kind)
		return nil
	}
	switch c.Kind {
	case KindInt:
		n, err := strconv.ParseInt(cell, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no integer", cell)
		}
		v.int(n)
	case KindFloat:
		f, err := parseNumber(cell)
		if err != nil {
			return err
		}
		v.float(f)
	case KindBool:
		b, ok := parseBool(cell)
		if !ok {
			return fmt.Errorf("%q is no boolean", cell)
		}
		v.bool(b)
	case KindText:
		v.text(strings.Clone(cell))
	default:
		return fmt.Errorf("%q stands in an empty column", cell)
	}
	return nil
}

// valueError names the file, the row (from 1, the header not counted) and the
// column of a value.
func valueError(path string, row int64, column string, err error) error {
	return fmt.Errorf("%s: row %d, column %q: %w", path, row+1, column, err)
}
