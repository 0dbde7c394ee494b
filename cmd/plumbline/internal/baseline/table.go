package baseline

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Kind is the type of a column.
type Kind uint8

// The kinds of columns.
const (
	// KindNull is a column without any value.
	KindNull Kind = iota
	// KindInt holds integers of at most 64 bits.
	KindInt
	// KindFloat holds float64; decimals become float64.
	KindFloat
	// KindBool holds booleans.
	KindBool
	// KindText holds UTF-8.
	KindText
	// KindTime holds points in time as microseconds since 1970.
	KindTime
	// KindUnsupported cannot be imported; Column.Why says the cause.
	KindUnsupported
)

func (k Kind) String() string {
	return [...]string{"empty", "integer", "number", "boolean", "text", "time", "unsupported"}[k]
}

// Column describes one column of a table.
type Column struct {
	Name string
	Kind Kind
	// Why is the cause of KindUnsupported.
	Why string
}

// Vector holds the values of one column in one batch: of Ints, Floats and Texts
// the one that its kind needs is set.
type Vector struct {
	Null   []bool
	Ints   []int64 // KindInt, KindTime in microseconds since 1970, KindBool as 0 and 1
	Floats []float64
	Texts  []string
}

func (v *Vector) reset() {
	v.Null, v.Ints, v.Floats, v.Texts = v.Null[:0], v.Ints[:0], v.Floats[:0], v.Texts[:0]
}

func (v *Vector) null(k Kind) {
	v.Null = append(v.Null, true)
	switch k {
	case KindInt, KindBool, KindTime:
		v.Ints = append(v.Ints, 0)
	case KindFloat:
		v.Floats = append(v.Floats, 0)
	case KindText:
		v.Texts = append(v.Texts, "")
	}
}

func (v *Vector) int(n int64) { v.Null, v.Ints = append(v.Null, false), append(v.Ints, n) }

func (v *Vector) float(f float64) { v.Null, v.Floats = append(v.Null, false), append(v.Floats, f) }

func (v *Vector) text(s string) { v.Null, v.Texts = append(v.Null, false), append(v.Texts, s) }

func (v *Vector) bool(b bool) {
	n := int64(0)
	if b {
		n = 1
	}
	v.int(n)
}

// Batch is some rows of the wanted columns. It is valid until the visitor
// returns.
type Batch struct {
	// First is the number of its first row, from 0.
	First   int64
	Rows    int
	Columns []Vector
}

func newBatch(columns int) *Batch { return &Batch{Columns: make([]Vector, columns)} }

// next empties the batch behind its rows.
func (b *Batch) next() {
	b.First += int64(b.Rows)
	b.Rows = 0
	for i := range b.Columns {
		b.Columns[i].reset()
	}
}

// full counts a row that was put, and hands a full batch over.
func (b *Batch) full(visit func(*Batch) error) error {
	if b.Rows++; b.Rows < batchRows {
		return nil
	}
	err := visit(b)
	b.next()
	return err
}

// rest hands the last rows over.
func (b *Batch) rest(visit func(*Batch) error) error {
	if b.Rows == 0 {
		return nil
	}
	return visit(b)
}

// table is a file that can be read again and again with the same rows in the
// same order.
type table interface {
	Columns() []Column
	// Each visits all rows, of the columns with these indices.
	Each(columns []int, visit func(*Batch) error) error
	io.Closer
}

// batchRows is how many rows a reader hands over at once.
const batchRows = 8192

// Format is the shape of a file.
type Format string

// The formats.
const (
	FormatAuto    Format = "auto"
	FormatCSV     Format = "csv"
	FormatTSV     Format = "tsv"
	FormatJSON    Format = "jsonl"
	FormatParquet Format = "parquet"
	FormatArrow   Format = "arrow"
)

// formatOf tells a format by the file's name.
func formatOf(path string) (Format, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".csv":
		return FormatCSV, nil
	case ".tsv":
		return FormatTSV, nil
	case ".jsonl", ".ndjson":
		return FormatJSON, nil
	case ".parquet", ".pq":
		return FormatParquet, nil
	case ".arrow", ".arrows", ".feather", ".ipc":
		return FormatArrow, nil
	}
	return "", fmt.Errorf("%s: its name does not tell the format; say it with --format=csv, tsv, jsonl, parquet or arrow", path)
}

// open opens a file. What a text format's columns hold is found by reading it.
func open(path string, o Options) (t table, err error) {
	// Arrow's readers check little of what a damaged file claims, and panic on
	// what they did not check.
	defer recovered(path, &err)
	format := o.Format
	if format == "" || format == FormatAuto {
		if format, err = formatOf(path); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open training set: %w", err)
	}
	switch format {
	case FormatCSV:
		return openCSV(path, ',', o)
	case FormatTSV:
		return openCSV(path, '\t', o)
	case FormatJSON:
		return openJSON(path, o)
	case FormatParquet:
		return openParquet(path)
	case FormatArrow:
		return openArrow(path)
	}
	return nil, fmt.Errorf("%s: unknown format %q", path, format)
}

func recovered(path string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: damaged file: %v", path, p)
	}
}

// each visits the rows and turns a reader's panic into an error.
func each(path string, t table, columns []int, visit func(*Batch) error) (err error) {
	defer recovered(path, &err)
	return t.Each(columns, visit)
}
