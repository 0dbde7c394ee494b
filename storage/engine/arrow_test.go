package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// wideSchema has the Arrow types that Plumbline's tables are written with.
func wideSchema() *arrow.Schema {
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	return arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Uint64},
		{Name: "model", Type: dict},
		{Name: "features", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64)},
		{Name: "cells", Type: arrow.StructOf(
			arrow.Field{Name: "1", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)},
			arrow.Field{Name: "2", Type: arrow.ListOf(arrow.PrimitiveTypes.Uint64)})},
		{Name: "total", Type: &arrow.FixedSizeBinaryType{ByteWidth: 16}},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		{Name: "maybe", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	}, nil)
}

const wideTable = `CREATE TABLE wide (
	id UInt64, model LowCardinality(String), features Map(String, Float64), cells Tuple(Array(Int32), Array(UInt64)),
	total Int128, at DateTime64(3, 'UTC'), maybe Nullable(Float64), filled String DEFAULT 'default'
) ENGINE MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100`

// wideRows builds rows first..first+n-1 as one record.
func wideRows(t testing.TB, first, n int) arrow.Record {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, wideSchema())
	defer b.Release()
	features := b.Field(2).(*array.MapBuilder)
	cells := b.Field(3).(*array.StructBuilder)
	buckets, counts := cells.FieldBuilder(0).(*array.ListBuilder), cells.FieldBuilder(1).(*array.ListBuilder)
	for i := first; i < first+n; i++ {
		b.Field(0).(*array.Uint64Builder).Append(uint64(i))
		if err := b.Field(1).(*array.BinaryDictionaryBuilder).AppendString(fmt.Sprint("model-", i%3)); err != nil {
			t.Fatal(err)
		}
		features.Append(true)
		features.KeyBuilder().(*array.StringBuilder).Append("distance")
		features.ItemBuilder().(*array.Float64Builder).Append(float64(i) / 2)
		cells.Append(true)
		buckets.Append(true)
		buckets.ValueBuilder().(*array.Int32Builder).AppendValues([]int32{-1, int32(i)}, nil)
		counts.Append(true)
		counts.ValueBuilder().(*array.Uint64Builder).AppendValues([]uint64{2, uint64(i)}, nil)
		var total [16]byte // little-endian two's complement of -i
		binary.LittleEndian.PutUint64(total[:8], uint64(-int64(i)))
		if i > 0 {
			binary.LittleEndian.PutUint64(total[8:], ^uint64(0))
		}
		b.Field(4).(*array.FixedSizeBinaryBuilder).Append(total[:])
		b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(1_780_000_000_000 + i))
		if i%2 == 0 {
			b.Field(6).(*array.Float64Builder).AppendNull()
		} else {
			b.Field(6).(*array.Float64Builder).Append(0.5)
		}
	}
	return b.NewRecord()
}

// arrowStream writes rows as one IPC stream, with its end marker.
func arrowStream(t testing.TB, records ...arrow.Record) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(wideSchema()), ipc.WithDictionaryDeltas(true))
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
		r.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestArrowInsert(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), func(o *clickhouse.Options) {
		o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	})
	exec(t, c, wideTable)
	const n = 20000
	stream := arrowStream(t, wideRows(t, 0, n/2), wideRows(t, n/2, n/2))
	if err := c.InsertFormat(t.Context(), "ArrowStream", "INSERT INTO wide", bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	var rows, models, filled, nulls uint64
	var total big.Int
	var distance float64
	var cells uint64
	err := c.QueryRow(t.Context(), `SELECT count(), uniqExact(model), countIf(filled = 'default'), countIf(maybe IS NULL), sum(total),
		sum(features['distance']), sum(cells.2[2]) FROM wide WHERE cells.1[1] = -1 AND at >= fromUnixTimestamp64Milli(1780000000000)`).
		Scan(&rows, &models, &filled, &nulls, &total, &distance, &cells)
	if err != nil {
		t.Fatal(err)
	}
	const sum = n * (n - 1) / 2
	got := []any{rows, models, filled, nulls, total.Int64(), distance, cells}
	want := []any{uint64(n), uint64(3), uint64(n), uint64(n / 2), int64(-sum), float64(sum) / 2, uint64(sum)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var types string
	if err := c.QueryRow(t.Context(), "SELECT arrayStringConcat(groupArray(type), '; ') FROM system.columns WHERE table = 'wide' AND name IN ('model', 'total')").Scan(&types); err != nil || types != "LowCardinality(String); Int128" {
		t.Errorf("types %s, %v", types, err)
	}
}

func TestArrowStreamCutOffInsertsNothing(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	exec(t, c, wideTable)
	stream := arrowStream(t, wideRows(t, 0, 1000), wideRows(t, 1000, 1000))
	broken := errors.New("broken source")
	for name, body := range map[string]io.Reader{
		"between messages":  bytes.NewReader(stream[:len(stream)-8]), // all rows, no end marker
		"inside a message":  bytes.NewReader(stream[:len(stream)/2]),
		"inside the schema": bytes.NewReader(stream[:100]),
		"body breaks off":   io.MultiReader(bytes.NewReader(stream[:len(stream)/2]), errReader{broken}),
		"at the very end":   io.MultiReader(bytes.NewReader(stream), errReader{broken}),
	} {
		if err := c.InsertFormat(t.Context(), "ArrowStream", "INSERT INTO wide", body); err == nil {
			t.Errorf("%s: accepted", name)
		}
		var n uint64
		if err := c.QueryRow(t.Context(), "SELECT count() FROM wide").Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d rows stored, %v", name, n, err)
		}
	}
	if err := c.InsertFormat(t.Context(), "ArrowStream", "INSERT INTO wide", bytes.NewReader(stream)); err != nil {
		t.Error(err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestDeduplicationSurvivesReopen(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	exec(t, c, wideTable)
	insert := func(c clickhouse.Conn, token string, first int) {
		t.Helper()
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token, "async_insert": 0}))
		if err := c.InsertFormat(ctx, "ArrowStream", "INSERT INTO wide", bytes.NewReader(arrowStream(t, wideRows(t, first, 100)))); err != nil {
			t.Fatal(err)
		}
	}
	count := func(c clickhouse.Conn) (n uint64) {
		t.Helper()
		if err := c.QueryRow(t.Context(), "SELECT count() FROM wide").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	insert(c, "cluster/topic/0/0-99", 0)
	insert(c, "cluster/topic/0/0-99", 0)
	insert(c, "cluster/topic/0/100-199", 100)
	if n := count(c); n != 200 {
		t.Fatalf("%d rows, want 200", n)
	}
	c = open(t, e.reopen(t).DSN(), nil)
	insert(c, "cluster/topic/0/100-199", 100)
	if n := count(c); n != 200 {
		t.Fatalf("after reopen: %d rows, want 200", n)
	}
	insert(c, "cluster/topic/0/200-299", 200)
	if n := count(c); n != 300 {
		t.Fatalf("after reopen and a new token: %d rows, want 300", n)
	}
}
