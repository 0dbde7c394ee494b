package baseline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/apache/arrow/go/v17/arrow/float16"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
	"github.com/google/uuid"
)

// parquetTable reads a Parquet file column by column, without Arrow's own
// conversion, whose compute kernels would make the binary megabytes larger.
type parquetTable struct {
	path    string
	reader  *file.Reader
	columns []Column
	leaves  []int // of each column, -1 where it is no flat column
}

func openParquet(path string) (*parquetTable, error) {
	reader, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, fmt.Errorf("%s: open Parquet: %w", path, err)
	}
	t := &parquetTable{path: path, reader: reader}
	sc := reader.MetaData().Schema
	for i := range sc.Root().NumFields() {
		node := sc.Root().Field(i)
		c := Column{Name: node.Name(), Kind: KindUnsupported, Why: "holds lists or objects; leave the column out with --skip, or flatten it"}
		leaf := -1
		if node.Type() == schema.Primitive && node.RepetitionType() != parquet.Repetitions.Repeated {
			leaf = sc.ColumnIndexByName(node.Name())
			c.Kind, c.Why = parquetKind(sc.Column(leaf))
		}
		t.columns, t.leaves = append(t.columns, c), append(t.leaves, leaf)
	}
	return t, nil
}

func parquetKind(c *schema.Column) (Kind, string) {
	switch c.LogicalType().(type) {
	case schema.TimestampLogicalType, *schema.TimestampLogicalType, schema.DateLogicalType, *schema.DateLogicalType:
		return KindTime, ""
	case schema.TimeLogicalType, *schema.TimeLogicalType, schema.IntervalLogicalType, *schema.IntervalLogicalType:
		return KindUnsupported, fmt.Sprintf("holds %s; convert it to a number, or leave the column out with --skip", c.LogicalType())
	case schema.DecimalLogicalType, *schema.DecimalLogicalType, schema.Float16LogicalType, *schema.Float16LogicalType:
		return KindFloat, ""
	case schema.UUIDLogicalType, *schema.UUIDLogicalType:
		return KindText, ""
	case schema.NullLogicalType, *schema.NullLogicalType:
		return KindNull, ""
	}
	switch c.PhysicalType() {
	case parquet.Types.Boolean:
		return KindBool, ""
	case parquet.Types.Int32:
		return KindInt, ""
	case parquet.Types.Int64:
		if unsigned(c) {
			return KindFloat, "" // the upper half of uint64 is no int64
		}
		return KindInt, ""
	case parquet.Types.Int96:
		return KindTime, ""
	case parquet.Types.Float, parquet.Types.Double:
		return KindFloat, ""
	case parquet.Types.ByteArray:
		return KindText, ""
	}
	return KindUnsupported, "holds bytes of a fixed length without a meaning; leave the column out with --skip"
}

func unsigned(c *schema.Column) bool {
	l, ok := c.LogicalType().(interface{ IsSigned() bool })
	return ok && !l.IsSigned()
}

func (t *parquetTable) Columns() []Column { return t.columns }

// Close ends the reading.
func (t *parquetTable) Close() error { return t.reader.Close() }

func (t *parquetTable) Each(columns []int, visit func(*Batch) error) error {
	b := newBatch(len(columns))
	for g := range t.reader.NumRowGroups() {
		group := t.reader.RowGroup(g)
		fill := make([]func(int, *Vector) error, len(columns))
		for j, i := range columns {
			chunk, err := group.Column(t.leaves[i])
			if err != nil {
				return fmt.Errorf("%s: row group %d, column %q: %w", t.path, g, t.columns[i].Name, err)
			}
			fill[j] = filler(chunk, t.reader.MetaData().Schema.Column(t.leaves[i]), t.columns[i].Kind)
		}
		for left := group.NumRows(); left > 0; left -= int64(b.Rows) {
			b.next()
			b.Rows = int(min(left, batchRows))
			for j, i := range columns {
				if err := fill[j](b.Rows, &b.Columns[j]); err != nil {
					return fmt.Errorf("%s: rows %d to %d, column %q: %w", t.path, b.First+1, b.First+int64(b.Rows), t.columns[i].Name, err)
				}
			}
			if err := visit(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// typedReader is what the chunk readers of all physical types have in common.
type typedReader[T any] interface {
	ReadBatch(n int64, values []T, definition, repetition []int16) (total int64, read int, err error)
}

// filler returns what appends the next rows of a column chunk to a vector.
func filler(chunk file.ColumnChunkReader, c *schema.Column, kind Kind) func(int, *Vector) error {
	switch r := chunk.(type) {
	case *file.BooleanColumnChunkReader:
		return filled(r, c, kind, func(v *Vector, x bool) error { v.bool(x); return nil })
	case *file.Int32ColumnChunkReader:
		return filled(r, c, kind, int32Put(c))
	case *file.Int64ColumnChunkReader:
		return filled(r, c, kind, int64Put(c))
	case *file.Int96ColumnChunkReader:
		return filled(r, c, kind, func(v *Vector, x parquet.Int96) error { v.int(x.ToTime().UnixMicro()); return nil })
	case *file.Float32ColumnChunkReader:
		return filled(r, c, kind, func(v *Vector, x float32) error { v.float(float64(x)); return nil })
	case *file.Float64ColumnChunkReader:
		return filled(r, c, kind, func(v *Vector, x float64) error { v.float(x); return nil })
	case *file.ByteArrayColumnChunkReader:
		return filled(r, c, kind, func(v *Vector, x parquet.ByteArray) error { return putBytes(v, c, x) })
	case *file.FixedLenByteArrayColumnChunkReader:
		return filled(r, c, kind, func(v *Vector, x parquet.FixedLenByteArray) error { return putBytes(v, c, x) })
	}
	return func(int, *Vector) error { return fmt.Errorf("is read as %T", chunk) }
}

func filled[T any](r typedReader[T], c *schema.Column, kind Kind, put func(*Vector, T) error) func(int, *Vector) error {
	values, levels := make([]T, batchRows), make([]int16, batchRows)
	return func(rows int, v *Vector) error {
		for left := rows; left > 0; {
			// A reader answers with what is left of a page.
			total, read, err := r.ReadBatch(int64(left), values, levels, nil)
			if err != nil {
				return err
			}
			if total == 0 {
				return errors.New("ends before the other columns")
			}
			next := 0
			for i := range int(total) {
				if c.MaxDefinitionLevel() > 0 && levels[i] < c.MaxDefinitionLevel() {
					v.null(kind)
					continue
				}
				if next >= read {
					return errors.New("has fewer values than its levels say")
				}
				if err := put(v, values[next]); err != nil {
					return err
				}
				next++
			}
			left -= int(total)
		}
		return nil
	}
}

func int32Put(c *schema.Column) func(*Vector, int32) error {
	switch l := c.LogicalType().(type) {
	case schema.DateLogicalType, *schema.DateLogicalType:
		return func(v *Vector, x int32) error { v.int(int64(x) * 24 * time.Hour.Microseconds()); return nil }
	case scaled:
		return func(v *Vector, x int32) error { return putDecimal(v, big.NewInt(int64(x)), l.Scale()) }
	}
	if unsigned(c) {
		return func(v *Vector, x int32) error { v.int(int64(uint32(x))); return nil }
	}
	return func(v *Vector, x int32) error { v.int(int64(x)); return nil }
}

// scaled is a decimal.
type scaled interface{ Scale() int32 }

// timed is a timestamp.
type timed interface{ TimeUnit() schema.TimeUnitType }

func int64Put(c *schema.Column) func(*Vector, int64) error {
	switch l := c.LogicalType().(type) {
	case scaled:
		return func(v *Vector, x int64) error { return putDecimal(v, big.NewInt(x), l.Scale()) }
	case timed:
		return func(v *Vector, x int64) error {
			switch l.TimeUnit() {
			case schema.TimeUnitMillis:
				x *= 1000
			case schema.TimeUnitNanos:
				x /= 1000
			}
			v.int(x)
			return nil
		}
	}
	if unsigned(c) {
		return func(v *Vector, x int64) error { v.float(float64(uint64(x))); return nil }
	}
	return func(v *Vector, x int64) error { v.int(x); return nil }
}

// putBytes appends what bytes mean; they belong to the reader's page.
func putBytes(v *Vector, c *schema.Column, b []byte) error {
	switch l := c.LogicalType().(type) {
	case scaled:
		return putDecimal(v, bigEndian(b), l.Scale())
	case schema.UUIDLogicalType, *schema.UUIDLogicalType:
		id, err := uuid.FromBytes(b)
		v.text(id.String())
		return err
	case schema.Float16LogicalType, *schema.Float16LogicalType:
		if len(b) != 2 {
			return fmt.Errorf("a float16 of %d bytes", len(b))
		}
		v.float(float64(float16.FromBits(binary.LittleEndian.Uint16(b)).Float32()))
		return nil
	}
	v.text(string(b))
	return nil
}

// bigEndian reads a two's complement number.
func bigEndian(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// putDecimal appends the float64 that is nearest to a decimal.
func putDecimal(v *Vector, unscaled *big.Int, scale int32) error {
	f, err := parseNumber(fmt.Sprintf("%se%d", unscaled, -int64(scale)))
	v.float(f)
	return err
}
