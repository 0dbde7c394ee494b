package storage_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/plumbline-slo/plumbline/storage"
)

// record has a column that goes by reference, one that is copied and a
// dictionary.
func record(rows int) arrow.Record {
	name := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.PrimitiveTypes.Float64}, {Name: "b", Type: arrow.PrimitiveTypes.Uint8, Nullable: true}, {Name: "d", Type: name},
	}, nil)
	build := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer build.Release()
	for i := range rows {
		build.Field(0).(*array.Float64Builder).Append(float64(i) / 3)
		if i%5 == 0 {
			build.Field(1).AppendNull()
		} else {
			build.Field(1).(*array.Uint8Builder).Append(uint8(i))
		}
		if err := build.Field(2).(*array.BinaryDictionaryBuilder).AppendString([]string{"production", "canary"}[i%2]); err != nil {
			panic(err)
		}
	}
	return build.NewRecord()
}

// The oracle is arrow's own writer into memory: the same bytes, whichever way
// they are read, of whole records and of slices, which arrow encodes anew.
func TestABodyIsTheStreamOfItsRecord(t *testing.T) {
	whole := record(20_000)
	defer whole.Release()
	for name, rec := range map[string]arrow.Record{"whole": whole, "slice": whole.NewSlice(7, 19_001), "small": whole.NewSlice(3, 10), "empty": whole.NewSlice(5, 5)} {
		var want bytes.Buffer
		w := ipc.NewWriter(&want, ipc.WithSchema(rec.Schema()))
		if err := errors.Join(w.Write(rec), w.Close()); err != nil {
			t.Fatal(err)
		}
		for way, read := range map[string]func(*storage.Body) ([]byte, error){
			"written": func(b *storage.Body) ([]byte, error) {
				var to bytes.Buffer
				n, err := b.WriteTo(&to)
				if n != int64(to.Len()) {
					t.Errorf("%s: WriteTo says %d of %d bytes", name, n, to.Len())
				}
				return to.Bytes(), err
			},
			"read": func(b *storage.Body) ([]byte, error) { return io.ReadAll(b) },
			"read in pieces": func(b *storage.Body) (all []byte, err error) {
				for err == nil {
					p := make([]byte, 1+rand.IntN(40_000))
					var n int
					n, err = b.Read(p)
					all = append(all, p[:n]...)
				}
				if errors.Is(err, io.EOF) {
					err = nil
				}
				return all, err
			},
			"read and written": func(b *storage.Body) ([]byte, error) {
				head := make([]byte, 100)
				if _, err := io.ReadFull(b, head); err != nil {
					return nil, err
				}
				to := bytes.NewBuffer(head)
				_, err := b.WriteTo(to)
				return to.Bytes(), err
			},
		} {
			body, err := storage.NewBody(rec)
			if err != nil {
				t.Fatal(err)
			}
			if body.Len() != want.Len() {
				t.Errorf("%s: %d bytes, want %d", name, body.Len(), want.Len())
			}
			if got, err := read(body); err != nil || !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%s, %s: %d bytes and %v, want the %d of arrow's writer", name, way, len(got), err, want.Len())
			}
		}
	}
}

// Whoever reads on after the statement has failed must see neither bytes that
// the next batch has put there nor an end, which ClickHouse would take for that
// of a whole stream.
func TestAClosedBodyIsNoStream(t *testing.T) {
	rec := record(20_000)
	defer rec.Release()
	body, err := storage.NewBody(rec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := body.Read(make([]byte, 10)); n != 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes and %v of a closed body", n, err)
	}
	if n, err := body.WriteTo(io.Discard); n != 0 || err == nil {
		t.Errorf("wrote %d bytes and %v of a closed body", n, err)
	}
}
