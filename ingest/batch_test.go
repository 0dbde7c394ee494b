package ingest

import (
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/storage"
)

const batchKnown = 1_790_000_000_000

// arrowBatch returns an empty batch of a topic of Arrow streams.
func arrowBatch(t *testing.T) *batch {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Sources = []decode.Source{decode.Source{Topic: "t", Format: decode.FormatArrow, Model: "m", Deploy: "d"}.WithDefaults()}
	var policy *privacy.Filter
	r, err := cfg.newRows("t", policy)
	if err != nil {
		t.Fatal(err)
	}
	return newBatch(source{Topic: "t"}, 0, r)
}

// arrowRecord writes events that have the same text, which the stream holds once;
// bad ones have no identifier.
func arrowRecord(t *testing.T, good, bad int, text string) []byte {
	t.Helper()
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "prediction_id", Type: dict, Nullable: true},
		{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		{Name: "features.text", Type: dict},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range good + bad {
		if id := b.Field(0).(*array.BinaryDictionaryBuilder); i < good {
			_ = id.AppendString("p")
		} else {
			id.AppendNull()
		}
		b.Field(1).(*array.TimestampBuilder).Append(batchKnown)
		_ = b.Field(2).(*array.BinaryDictionaryBuilder).AppendString(text)
	}
	rec := b.NewRecord()
	defer rec.Release()
	stream, err := storage.NewBody(rec)
	if err != nil {
		t.Fatal(err)
	}
	value, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func addTo(t *testing.T, b *batch, value []byte) {
	t.Helper()
	var rec record
	rec.Offset, rec.Known, rec.Value = b.last+1, batchKnown, value
	if err := b.add(&rec); err != nil {
		t.Fatal(err)
	}
}

// Small records whose rows share a long text make a batch full before its column
// of text has more bytes than a column can have.
func TestABatchIsFullOfText(t *testing.T) {
	b := arrowBatch(t)
	cfg := DefaultConfig()
	const rows, size = 100, 300 << 10
	stream := arrowRecord(t, rows, 0, strings.Repeat("x", size))
	n := 0
	for ; !b.full(cfg); n++ {
		addTo(t, b, stream)
	}
	if want := maxBatchText/(rows*size) + 1; n != want || b.bytes >= cfg.FlushBytes || b.rows.Len() >= cfg.FlushRows {
		t.Errorf("full after %d records of %d bytes and %d rows, want %d", n, b.bytes, b.rows.Len(), want)
	}
}

// A letter may hold many events: what is said of a batch, and the share of bad
// events that pauses a partition, count the events.
func TestEventsOfLettersAreCounted(t *testing.T) {
	b := arrowBatch(t)
	addTo(t, b, arrowRecord(t, 2000, 1500, "x")) // 1,024 stand alone
	addTo(t, b, arrowRecord(t, 0, 200, "x"))
	addTo(t, b, []byte("no stream"))
	if len(b.letters) != 1024+1+1+1 || b.dead() != 1500+200+1 {
		t.Errorf("%d letters of %d events", len(b.letters), b.dead())
	}
	var n badness
	n.add(b)
	if n.events != 2000+1701 || n.refused != 1701 || n.byReason[decode.MissingField] != 1700 || n.byReason[decode.Unparsable] != 1 {
		t.Errorf("%+v", n)
	}
	if n.over(0.5) != nil || n.over(0.4) == nil {
		t.Error("46 % of the events are bad")
	}
	rec := b.batchesRecord([]batchRow{{plumbline.TablePredictions, 2000, 2000}}, "", 0)
	defer rec.Release()
	for name, want := range map[string]uint64{"rows": 2000, "events": 3701, "dead": 1701} {
		if got := rec.Column(rec.Schema().FieldIndices(name)[0]).(*array.Uint64).Value(0); got != want {
			t.Errorf("%s %d, want %d", name, got, want)
		}
	}
}
