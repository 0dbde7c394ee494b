package decode

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// arrowWriter writes rows of the record that a reader has verified as streams of
// their own. They hold the columns that are read, so that they decode to the same
// events; columns that nobody reads are left out.
type arrowWriter struct {
	reader *arrowReader
	schema *arrow.Schema
	fields []*arrowField // of schema
}

// arrowStream is some rows as a stream.
type arrowStream struct {
	rows  []int
	value []byte
}

// split writes rows as streams of at most limit bytes each, as far as a single
// row is not larger.
func (w *arrowWriter) split(rows []int, limit int) ([]arrowStream, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	value, err := w.write(rows)
	if err != nil {
		return nil, err
	}
	if len(value) <= limit || len(rows) == 1 {
		return []arrowStream{{rows, value}}, nil
	}
	// A quarter more parts than bytes demand leaves room for what every part
	// repeats.
	parts := min(len(rows), max(2, (len(value)+len(value)/4)/limit+1))
	var all []arrowStream
	for i := range parts {
		some, err := w.split(rows[i*len(rows)/parts:(i+1)*len(rows)/parts], limit)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// write writes rows as one stream.
func (w *arrowWriter) write(rows []int) ([]byte, error) {
	if w.schema == nil {
		w.schema = arrow.NewSchema(w.declare(w.reader.plan.fields, true), nil)
	}
	builder := array.NewRecordBuilder(memory.DefaultAllocator, w.schema)
	defer builder.Release()
	for _, row := range rows {
		b, at := w.reader.place(row)
		for i, f := range w.fields {
			w.value(builder.Field(i), f, b, at)
		}
	}
	rec := builder.NewRecord()
	defer rec.Release()
	var out bytes.Buffer
	stream := ipc.NewWriter(&out, ipc.WithSchema(w.schema))
	if err := stream.Write(rec); err != nil {
		return nil, fmt.Errorf("write an Arrow stream: %w", err)
	}
	if err := stream.Close(); err != nil {
		return nil, fmt.Errorf("end an Arrow stream: %w", err)
	}
	return out.Bytes(), nil
}

// declare returns the fields that are read, with the types they are written in.
func (w *arrowWriter) declare(fields []arrowField, top bool) []arrow.Field {
	var all []arrow.Field
	for i := range fields {
		f := &fields[i]
		if !f.read {
			continue
		}
		all = append(all, arrow.Field{Name: f.name, Type: w.typeOf(f), Nullable: true})
		if top {
			w.fields = append(w.fields, f)
		}
	}
	return all
}

func (w *arrowWriter) typeOf(f *arrowField) arrow.DataType {
	switch {
	case f.dictionary >= 0:
		return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	case f.kind == arrowNull:
		return arrow.Null
	case f.kind == arrowBool:
		return arrow.FixedWidthTypes.Boolean
	case f.kind == arrowUint64:
		return arrow.PrimitiveTypes.Uint64
	case f.kind.integer():
		return arrow.PrimitiveTypes.Int64
	case f.kind == arrowFloat64:
		return arrow.PrimitiveTypes.Float64
	case f.kind.number():
		return arrow.PrimitiveTypes.Float32
	case f.kind == arrowTime:
		unit := map[int64]arrow.TimeUnit{1: arrow.Second, 1e3: arrow.Millisecond, 1e6: arrow.Microsecond, 1e9: arrow.Nanosecond}
		return &arrow.TimestampType{Unit: unit[f.perSecond], TimeZone: "UTC"}
	case f.kind == arrowStruct:
		return arrow.StructOf(w.declare(f.children, false)...)
	case f.kind == arrowMap:
		entry := f.children[0].children
		return arrow.MapOf(w.typeOf(&entry[0]), w.typeOf(&entry[1]))
	}
	return arrow.BinaryTypes.String
}

// value appends a row of a field.
func (w *arrowWriter) value(into array.Builder, f *arrowField, b *arrowBatch, row int) {
	if f.column < 0 {
		w.nested(into, f, b, row)
		return
	}
	v := &b.vectors[f.column]
	if v.isNull(row) {
		into.AppendNull()
		return
	}
	switch t := into.(type) {
	case *array.BinaryDictionaryBuilder:
		text, _ := v.text(row)
		// The only error is of memory, which panics before.
		_ = t.Append(text)
	case *array.StringBuilder:
		text, _ := v.text(row)
		t.Append(string(text))
	case *array.BooleanBuilder:
		t.Append(v.bool(row))
	case *array.Int64Builder:
		t.Append(v.integer(row))
	case *array.Uint64Builder:
		t.Append(uint64(v.integer(row)))
	case *array.Float64Builder:
		t.Append(v.float(row))
	case *array.Float32Builder:
		t.Append(float32(v.float(row)))
	case *array.TimestampBuilder:
		t.Append(arrow.Timestamp(v.integer(row)))
	}
}

// nested appends a row of a struct or a map.
func (w *arrowWriter) nested(into array.Builder, f *arrowField, b *arrowBatch, row int) {
	switch t := into.(type) {
	case *array.StructBuilder:
		if !bit(f.parentOf(b), row) {
			t.AppendNull()
			return
		}
		t.Append(true)
		at := 0
		for i := range f.children {
			if c := &f.children[i]; c.read {
				w.value(t.FieldBuilder(at), c, b, row)
				at++
			}
		}
	case *array.MapBuilder:
		key, value := &f.children[0].children[0], &f.children[0].children[1]
		v := &b.vectors[value.column]
		if !bit(v.parent, row) {
			t.AppendNull()
			return
		}
		t.Append(true)
		from, to := v.entries(row)
		for k := from; k < to; k++ {
			w.value(t.KeyBuilder(), key, b, k)
			w.value(t.ItemBuilder(), value, b, k)
		}
	}
}

// parentOf returns the bitmap of a struct, which its children keep.
func (f *arrowField) parentOf(b *arrowBatch) []byte {
	for i := range f.children {
		if c := &f.children[i]; c.read {
			return b.vectors[c.column].parent
		}
	}
	return nil
}
