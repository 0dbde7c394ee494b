package baseline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
)

// arrowTable is an Arrow IPC file or stream; its first bytes tell which.
type arrowTable struct {
	path    string
	columns []Column
}

func openArrow(path string) (*arrowTable, error) {
	t := &arrowTable{path: path}
	err := t.read(func(s *arrow.Schema) {
		for _, f := range s.Fields() {
			c := Column{Name: f.Name, Kind: arrowKind(f.Type)}
			if c.Kind == KindUnsupported {
				c.Why = fmt.Sprintf("is of Arrow's type %s; convert it, or leave the column out with --skip", f.Type)
			}
			t.columns = append(t.columns, c)
		}
	}, func(arrow.Record) error { return io.EOF })
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return t, err
}

func arrowKind(t arrow.DataType) Kind {
	switch t.ID() {
	case arrow.NULL:
		return KindNull
	case arrow.BOOL:
		return KindBool
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		return KindInt
	case arrow.UINT64, arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL128, arrow.DECIMAL256:
		return KindFloat
	case arrow.STRING, arrow.LARGE_STRING:
		return KindText
	case arrow.DATE32, arrow.DATE64, arrow.TIMESTAMP:
		return KindTime
	case arrow.DICTIONARY:
		return arrowKind(t.(*arrow.DictionaryType).ValueType)
	}
	return KindUnsupported
}

func (t *arrowTable) Columns() []Column { return t.columns }

// Close does nothing: every reading opens the file anew.
func (t *arrowTable) Close() error { return nil }

// read visits the schema and the record batches.
func (t *arrowTable) read(begin func(*arrow.Schema), visit func(arrow.Record) error) (err error) {
	f, err := os.Open(t.path)
	if err != nil {
		return fmt.Errorf("open training set: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var magic [6]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil {
		return fmt.Errorf("%s: too short for Arrow", t.path)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if string(magic[:]) == "ARROW1" {
		return t.readFile(f, begin, visit)
	}
	r, err := ipc.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: read Arrow: %w", t.path, err)
	}
	defer r.Release()
	begin(r.Schema())
	for r.Next() {
		if err := visit(r.Record()); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%s: read Arrow: %w", t.path, err)
	}
	return nil
}

func (t *arrowTable) readFile(f *os.File, begin func(*arrow.Schema), visit func(arrow.Record) error) error {
	r, err := ipc.NewFileReader(f)
	if err != nil {
		return fmt.Errorf("%s: read Arrow: %w", t.path, err)
	}
	begin(r.Schema())
	for i := range r.NumRecords() {
		rec, err := r.Record(i)
		if err != nil {
			return fmt.Errorf("%s: record batch %d: %w", t.path, i, err)
		}
		if err := visit(rec); err != nil {
			return err
		}
	}
	return r.Close()
}

func (t *arrowTable) Each(columns []int, visit func(*Batch) error) error {
	b := newBatch(len(columns))
	return t.read(func(*arrow.Schema) {}, func(rec arrow.Record) error {
		b.next()
		b.Rows = int(rec.NumRows())
		for j, i := range columns {
			a := rec.Column(i)
			for row := range b.Rows {
				if a.IsNull(row) {
					b.Columns[j].null(t.columns[i].Kind)
				} else if err := putArrow(&b.Columns[j], a, row); err != nil {
					return valueError(t.path, b.First+int64(row), t.columns[i].Name, err)
				}
			}
		}
		return visit(b)
	})
}

// putArrow appends one value. The switch has a line for each of Arrow's types,
// which makes it longer than a function should be.
func putArrow(v *Vector, a arrow.Array, row int) error {
	switch a := a.(type) {
	case *array.Boolean:
		v.bool(a.Value(row))
	case *array.Int8:
		v.int(int64(a.Value(row)))
	case *array.Int16:
		v.int(int64(a.Value(row)))
	case *array.Int32:
		v.int(int64(a.Value(row)))
	case *array.Int64:
		v.int(a.Value(row))
	case *array.Uint8:
		v.int(int64(a.Value(row)))
	case *array.Uint16:
		v.int(int64(a.Value(row)))
	case *array.Uint32:
		v.int(int64(a.Value(row)))
	case *array.Uint64:
		v.float(float64(a.Value(row)))
	case *array.Float16:
		v.float(float64(a.Value(row).Float32()))
	case *array.Float32:
		v.float(float64(a.Value(row)))
	case *array.Float64:
		v.float(a.Value(row))
	case *array.Decimal128:
		return putDecimal(v, a.Value(row).BigInt(), a.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Decimal256:
		return putDecimal(v, a.Value(row).BigInt(), a.DataType().(*arrow.Decimal256Type).Scale)
	case *array.String:
		v.text(strings.Clone(a.Value(row)))
	case *array.LargeString:
		v.text(strings.Clone(a.Value(row)))
	case *array.Date32:
		v.int(int64(a.Value(row)) * 24 * time.Hour.Microseconds())
	case *array.Date64:
		v.int(int64(a.Value(row)) * 1000)
	case *array.Timestamp:
		v.int(a.Value(row).ToTime(a.DataType().(*arrow.TimestampType).Unit).UnixMicro())
	case *array.Dictionary:
		// A null may stand in the dictionary as well as in the indices.
		if at := a.GetValueIndex(row); !a.Dictionary().IsNull(at) {
			return putArrow(v, a.Dictionary(), at)
		}
		v.null(arrowKind(a.Dictionary().DataType()))
	default:
		return fmt.Errorf("is of type %s", a.DataType())
	}
	return nil
}
