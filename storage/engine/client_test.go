package engine_test

import (
	"bytes"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

func TestFirst(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	var v string
	if err := c.QueryRow(t.Context(), "SELECT version()").Scan(&v); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "CREATE TABLE a (id UInt64, s LowCardinality(String)) ENGINE MergeTree ORDER BY id")
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Uint64}, {Name: "s", Type: arrow.BinaryTypes.String}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Uint64Builder).AppendValues([]uint64{1, 2}, nil)
	b.Field(1).(*array.StringBuilder).AppendValues([]string{"a", "b"}, nil)
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(schema))
	if err := w.Write(b.NewRecord()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.InsertFormat(t.Context(), "ArrowStream", "INSERT INTO a", &buf); err != nil {
		t.Fatal(err)
	}
	var n, m uint64
	if err := c.QueryRow(t.Context(), "SELECT count(), sum(id) FROM a WHERE id < {x:UInt64}", map[string]string{"x": "2"}).Scan(&n, &m); err == nil {
		t.Log(n, m)
	} else {
		t.Log(err)
	}
	if err := c.QueryRow(t.Context(), "SELECT count(), sum(id) FROM a").Scan(&n, &m); err != nil || n != 2 || m != 3 {
		t.Fatal(n, m, err)
	}
	t.Log(v, e.ChildPID())
}
