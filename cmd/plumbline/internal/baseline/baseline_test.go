package baseline

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"

	"github.com/plumbline-slo/plumbline/testenv"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { testenv.Main(m) }

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// testNow is the present of the tests.
var testNow = time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC)

func testOptions(path string) Options {
	o := DefaultOptions()
	o.File, o.Name, o.Model, o.Deploy, o.DryRun = path, filepath.Base(path), "fraud", "d1", true
	o.Now = func() time.Time { return testNow }
	return o
}

// rowsOf reads a whole file as one line a row.
func rowsOf(t *testing.T, path string, o Options) (columns []string, rows []string, err error) {
	t.Helper()
	tab, err := open(path, o)
	if err != nil {
		return nil, nil, err
	}
	defer tab.Close()
	var all []int
	p := &plan{}
	for i, c := range tab.Columns() {
		columns = append(columns, c.Name+":"+c.Kind.String())
		if c.Kind != KindUnsupported {
			p.features = append(p.features, part{column: i, name: c.Name, kind: c.Kind, vector: len(all)})
			all = append(all, i)
		}
	}
	e := newEncoder(o, p, "c", testNow)
	err = each(path, tab, all, func(b *Batch) error {
		for i := range b.Rows {
			if int(b.First)+i != len(rows) {
				t.Fatalf("row %d is numbered %d", len(rows), b.First+int64(i))
			}
			rows = append(rows, string(e.object(nil, e.names, p.features, b, i)))
		}
		return nil
	})
	return columns, rows, err
}

func TestCSVTyping(t *testing.T) {
	tests := []struct {
		name, cells, kind, values string
		nulls, text               []string
	}{
		{"integers", "1 -2 3", "integer", "1 -2 3", nil, nil},
		{"mixed numbers", "1 2.5 -1e3", "number", "1 2.5 -1000", nil, nil},
		{"beyond int64", "9223372036854775808 1", "number", "9.223372036854776e+18 1", nil, nil},
		{"not finite", "nan inf -Infinity 1", "number", "NaN Infinity -Infinity 1", nil, nil},
		{"booleans", "true False TRUE", "boolean", "true false true", nil, nil},
		{"texts", "a b a", "text", `"a" "b" "a"`, nil, nil},
		{"postal codes", "01234 94110", "text", `"01234" "94110"`, nil, nil},
		{"hexadecimal is text", "0x10 1_000", "text", `"0x10" "1_000"`, nil, nil},
		{"codes among numbers", "1 A2 B3 4", "text", `"1" "A2" "B3" "4"`, nil, nil},
		{"null value", "1 NA 3", "integer", "1 null 3", []string{"NA"}, nil},
		{"named text", "1 2", "text", `"1" "2"`, nil, []string{"x"}},
		{"nothing", "NA NA", "empty", "null null", []string{"NA"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions("x.csv")
			o.Nulls, o.TextColumns = tt.nulls, tt.text
			columns, rows, err := rowsOf(t, write(t, "x.csv", "x\n"+strings.ReplaceAll(tt.cells, " ", "\n")+"\n"), o)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for v := range strings.SplitSeq(tt.values, " ") {
				want = append(want, `{"x":`+v+"}")
			}
			if columns[0] != "x:"+tt.kind || strings.Join(rows, " ") != strings.Join(want, " ") {
				t.Errorf("%s %s, want %s %s", columns[0], rows, tt.kind, want)
			}
		})
	}
}

func TestMistakesNameTheirPlace(t *testing.T) {
	stray := "amount,city\n"
	for i := range 40 {
		stray += fmt.Sprintf("%d,x\n", i)
	}
	tests := []struct {
		name, file, text string
		change           func(*Options)
		want             string
	}{
		{"stray text", "t.csv", stray + "n/a,x\n", nil, `t.csv: column "amount": row 41 holds "n/a", but 40 of 41 values are numbers; if it means no value, say so with --null-value`},
		{"ragged", "t.csv", "a,b\n1,2\n3\n", nil, "t.csv: row 2: record on line 3: wrong number of fields"},
		{"empty", "t.csv", "", nil, "the first line must name the columns"},
		{"same names", "t.csv", "a,a\n1,2\n", nil, `two columns are named "a"`},
		{"no name", "t.csv", "a,\n1,2\n", nil, "a name has 1 to 256 bytes"},
		{"not UTF-8", "t.csv", "a\nx\n\xff\n", nil, `t.csv: row 2, column "a": is not UTF-8`},
		{"NUL", "t.jsonl", `{"a":"x\u0000"}`, nil, `t.jsonl: row 1, column "a": holds a NUL`},
		{"nested", "t.jsonl", `{"a":1,"b":[1]}`, nil, `column "b": row 1 holds an object or a list; leave the column out with --skip`},
		{"broken line", "t.jsonl", "{\"a\":1}\n{", nil, "t.jsonl: row 2: unexpected EOF"},
		{"no probability", "t.csv", "a,s\n1,0.5\n2,1.5\n", func(o *Options) { o.Score = "s" }, `t.csv: row 2, column "s": 1.5 is no probability`},
		{"score of text", "t.csv", "a,s\n1,x\n", func(o *Options) { o.Score = "s" }, `--score-column: column "s" holds text`},
		{"no such column", "t.csv", "a\n1\n", func(o *Options) { o.Label = "y" }, `--label-column: there is no column "y"`},
		{"old", "t.csv", "a,at\n1,2020-01-01T00:00:00Z\n", func(o *Options) { o.Time = "at" }, `t.csv: row 1, column "at": 2020-01-01T00:00:00Z is longer ago than ingest.max_event_age`},
		{"no time", "t.csv", "a,at\n1,yesterday\n", func(o *Options) { o.Time = "at" }, `"yesterday" is not RFC 3339`},
		{"null id", "t.csv", "a,i\n1,x\n2,\n", func(o *Options) { o.ID = "i" }, `row 2, column "i": null; every row needs one`},
		{"too many features", "t.csv", "a,b,c\n1,2,3\n", func(o *Options) { o.Limits.MaxFeatures = 2 }, "3 features; ingest takes at most 2"},
		{"unknown format", "t.txt", "a\n", nil, "--format=csv"},
		{"damaged Parquet", "t.parquet", "PAR1xxxxPAR1", nil, "t.parquet"},
		{"damaged Arrow", "t.arrow", "ARROW1\x00\x00xxxxxxxxxxxx", nil, "t.arrow"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions(write(t, tt.file, tt.text))
			if tt.change != nil {
				tt.change(&o)
			}
			_, err := Import(t.Context(), o)
			var input *InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// The events are what docs/events.schema.json says.
func TestEvents(t *testing.T) {
	path := write(t, "t.csv", "id,amount,city,ok,p,y,at,region\n7,1.5,Bonn,true,0.25,1,2026-02-01T00:00:00Z,eu\n8,,\"a\"\"b\",false,,,2026-02-02T00:00:00Z,\n")
	o := testOptions(path)
	o.ID, o.Score, o.Label, o.Time, o.Segments, o.Classes = "id", "p", "y", "at", []string{"region"}, true
	tab, err := open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := makePlan(o, tab.Columns())
	if err != nil {
		t.Fatal(err)
	}
	e := newEncoder(o, p, "c0ffee", testNow)
	var got []string
	err = tab.Each(p.columns, func(b *Batch) error {
		for i := range b.Rows {
			ev, err := e.row(b, i)
			if err != nil {
				return err
			}
			if !json.Valid(ev.prediction) {
				t.Errorf("%s is no JSON", ev.prediction)
			}
			got = append(got, string(ev.prediction), string(ev.label))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"prediction_id":"baseline/c0ffee/7","model":"fraud","deploy_hash":"d1","stage":"training","ts":1769904000000,"features":{"amount":1.5,"city":"Bonn","ok":true},"segments":{"region":"eu"},"score":0.25}`,
		`{"prediction_id":"baseline/c0ffee/7","model":"fraud","ts":1769904000000,"label":"1"}`,
		`{"prediction_id":"baseline/c0ffee/8","model":"fraud","deploy_hash":"d1","stage":"training","ts":1769990400000,"features":{"amount":null,"city":"a\"b","ok":false},"segments":{"region":null},"score":null}`,
		"",
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("event %d is\n%s, want\n%s", i, got[i], want[i])
		}
	}
}

// A file without types, and those with types, hold the same rows.
func TestJSONLines(t *testing.T) {
	columns, rows, err := rowsOf(t, write(t, "t.jsonl", "{\"a\":1,\"b\":\"x\"}\n{\"b\":null,\"c\":true,\"a\":2.5}\n"), testOptions(""))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(columns, rows); got != `[a:number b:text c:boolean] [{"a":1,"b":"x","c":null} {"a":2.5,"b":null,"c":true}]` {
		t.Error(got)
	}
}

func arrowBatch(t *testing.T) arrow.Record {
	t.Helper()
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	s := arrow.NewSchema([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, {Name: "f", Type: arrow.PrimitiveTypes.Float64},
		{Name: "d", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}}, {Name: "c", Type: dict},
		{Name: "t", Type: arrow.FixedWidthTypes.Timestamp_ms}, {Name: "b", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8)},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	b.Field(0).(*array.Int32Builder).AppendValues([]int32{1, 0, -3}, []bool{true, false, true})
	b.Field(1).(*array.Float64Builder).AppendValues([]float64{0.1, math.NaN(), 3}, nil)
	for _, n := range []int64{1999, -5, 0} {
		b.Field(2).(*array.Decimal128Builder).Append(decimal128.FromI64(n))
	}
	for _, c := range []string{"x", "y", "x"} {
		if err := b.Field(3).(*array.BinaryDictionaryBuilder).AppendString(c); err != nil {
			t.Fatal(err)
		}
	}
	b.Field(4).(*array.TimestampBuilder).AppendValues([]arrow.Timestamp{0, 1500, 2000}, nil)
	b.Field(5).(*array.BooleanBuilder).AppendValues([]bool{true, false, true}, nil)
	for range 3 {
		b.Field(6).(*array.ListBuilder).AppendNull()
	}
	return b.NewRecord()
}

func TestArrow(t *testing.T) {
	rec := arrowBatch(t)
	defer rec.Release()
	for _, kind := range []string{"file", "stream"} {
		path := filepath.Join(t.TempDir(), "t.arrow")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		var w interface {
			Write(arrow.Record) error
			Close() error
		} = ipc.NewWriter(f, ipc.WithSchema(rec.Schema()), ipc.WithLZ4())
		if kind == "file" {
			if w, err = ipc.NewFileWriter(f, ipc.WithSchema(rec.Schema())); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Write(rec), w.Write(rec), w.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		columns, rows, err := rowsOf(t, path, testOptions(""))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(columns); got != "[i:integer f:number d:number c:text t:time b:boolean l:unsupported]" {
			t.Errorf("%s: %s", kind, got)
		}
		one := `{"i":1,"f":0.1,"d":19.99,"c":"x","t":0,"b":true} {"i":null,"f":NaN,"d":-0.05,"c":"y","t":1.5,"b":false} {"i":-3,"f":3,"d":0,"c":"x","t":2,"b":true}`
		if got := strings.Join(rows, " "); got != one+" "+one {
			t.Errorf("%s: %s", kind, got)
		}
		if _, err := Import(t.Context(), testOptions(path)); err == nil || !strings.Contains(err.Error(), "--times-as-seconds") || !strings.Contains(err.Error(), `column "l": is of Arrow's type list`) {
			t.Errorf("%s: times and lists: %v", kind, err)
		}
	}
}

// writeParquet writes two row groups of rows optional integers (every seventh
// null), numbers, texts, decimals, dates and booleans.
func writeParquet(t *testing.T, path string, rows int) {
	t.Helper()
	nodes := schema.FieldList{
		schema.NewInt64Node("i", parquet.Repetitions.Optional, -1),
		schema.NewFloat64Node("f", parquet.Repetitions.Required, -1),
		schema.MustPrimitive(schema.NewPrimitiveNodeLogical("s", parquet.Repetitions.Required, schema.StringLogicalType{}, parquet.Types.ByteArray, 0, -1)),
		schema.MustPrimitive(schema.NewPrimitiveNodeLogical("d", parquet.Repetitions.Required, schema.NewDecimalLogicalType(9, 3), parquet.Types.Int32, 0, -1)),
		schema.MustPrimitive(schema.NewPrimitiveNodeLogical("day", parquet.Repetitions.Required, schema.DateLogicalType{}, parquet.Types.Int32, 0, -1)),
		schema.NewBooleanNode("b", parquet.Repetitions.Required, -1),
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := file.NewParquetWriter(f, schema.MustGroup(schema.NewGroupNode("root", parquet.Repetitions.Required, nodes, -1)))
	for range 2 {
		var ints []int64
		var levels []int16
		var floats []float64
		var texts []parquet.ByteArray
		var small, days []int32
		var bools []bool
		for i := range rows {
			levels = append(levels, 1)
			if i%7 == 0 {
				levels[i] = 0
			} else {
				ints = append(ints, int64(i))
			}
			floats, texts = append(floats, float64(i)/4), append(texts, parquet.ByteArray(fmt.Sprintf("t%d", i%3)))
			small, days, bools = append(small, int32(i)), append(days, int32(i%2)), append(bools, i%2 == 0)
		}
		group := w.AppendRowGroup()
		for column := range nodes {
			cw, err := group.NextColumn()
			if err != nil {
				t.Fatal(err)
			}
			switch cw := cw.(type) {
			case *file.Int64ColumnChunkWriter:
				_, err = cw.WriteBatch(ints, levels, nil)
			case *file.Float64ColumnChunkWriter:
				_, err = cw.WriteBatch(floats, nil, nil)
			case *file.ByteArrayColumnChunkWriter:
				_, err = cw.WriteBatch(texts, nil, nil)
			case *file.Int32ColumnChunkWriter:
				_, err = cw.WriteBatch(map[int][]int32{3: small, 4: days}[column], nil, nil)
			case *file.BooleanColumnChunkWriter:
				_, err = cw.WriteBatch(bools, nil, nil)
			}
			if err := errors.Join(err, cw.Close()); err != nil {
				t.Fatal(err)
			}
		}
		if err := group.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestParquet(t *testing.T) {
	const n = batchRows + 100
	path := filepath.Join(t.TempDir(), "t.parquet")
	writeParquet(t, path, n)
	columns, rows, err := rowsOf(t, path, testOptions(""))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(columns); got != "[i:integer f:number s:text d:number day:time b:boolean]" {
		t.Error(got)
	}
	if len(rows) != 2*n {
		t.Fatalf("%d rows, want %d", len(rows), 2*n)
	}
	for row, got := range rows {
		i := row % n
		whole := fmt.Sprint(i)
		if i%7 == 0 {
			whole = "null"
		}
		want := fmt.Sprintf(`{"i":%s,"f":%v,"s":"t%d","d":%v,"day":%d,"b":%t}`, whole, float64(i)/4, i%3, float64(i)/1000, i%2*86400, i%2 == 0)
		if got != want {
			t.Fatalf("row %d is %s, want %s", row, got, want)
		}
	}
}

// FuzzCSVTyping: a cell that was typed as a number, integer or boolean is read
// as one, and a column is read as it was typed, whatever stands in it.
func FuzzCSVTyping(f *testing.F) {
	for _, seed := range []string{"x\n1\n2\n", "x\ntrue\n1\n", "a,b\n\"q\"\"\",2\n", "x\n1e999\n", "\xef\xbb\xbfx\n+5\n", "x\n-\n.\n", "x\n00\n", "x\n+nan\n--inf\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "x.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, rows, err := rowsOf(t, path, testOptions(path)); err == nil {
			for _, row := range rows {
				bare := strings.NewReplacer("NaN", "0", "-Infinity", "0", "Infinity", "0").Replace(row)
				if !json.Valid([]byte(bare)) {
					t.Errorf("%q became %s", text, row)
				}
			}
		} else if _, err2 := openCSV(path, ',', testOptions(path)); err2 == nil {
			t.Errorf("typed, and then: %v", err)
		}
	})
}
