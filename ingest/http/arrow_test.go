package ingesthttp_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	ingesthttp "github.com/plumbline-slo/plumbline/ingest/http"
)

const arrowStream = "application/vnd.apache.arrow.stream"

// columns writes predictions as an Arrow stream; the model is the source's.
func columns(t *testing.T, ids ...string) string {
	t.Helper()
	return packed(t, nil, ids...)
}

// packed is columns with options of the stream.
func packed(t *testing.T, options []ipc.Option, ids ...string) string {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "prediction_id", Type: arrow.BinaryTypes.String},
		{Name: "deploy_hash", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}},
		{Name: "ts", Type: arrow.FixedWidthTypes.Timestamp_ms},
		{Name: "features.amount", Type: arrow.PrimitiveTypes.Float64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, id := range ids {
		b.Field(0).(*array.StringBuilder).Append(id)
		if err := b.Field(1).(*array.BinaryDictionaryBuilder).AppendString("d1"); err != nil {
			t.Fatal(err)
		}
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(now.UnixMilli()))
		b.Field(3).(*array.Float64Builder).Append(float64(i))
	}
	rec := b.NewRecord()
	defer rec.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, append(options, ipc.WithSchema(schema))...)
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// rows decodes what a topic holds as ingest would, into id=amount, sorted.
func (w *world) rows(t *testing.T, topic string, limit int) []string {
	t.Helper()
	p := decode.NewPredictions(decode.DefaultLimits())
	d, err := withArrow()[0].WithDefaults().Open(decode.Columns{Predictions: p})
	if err != nil {
		t.Fatal(err)
	}
	for key, m := range w.stored(t, topic) {
		if len(m.Value) > limit {
			t.Errorf("a record has %d bytes, want at most %d", len(m.Value), limit)
		}
		first := p.Len()
		if err := d.Append(decode.Record{Known: now.UnixMilli(), Value: m.Value}); err != nil {
			t.Fatal(err)
		}
		if string(p.ID.At(first)) != key || string(p.Model.At(first)) != "checkout" {
			t.Errorf("the record of %s begins with %s of model %s", key, p.ID.At(first), p.Model.At(first))
		}
	}
	var all []string
	for i := range p.Len() {
		all = append(all, fmt.Sprintf("%s=%v", p.ID.At(i), p.NumberValues[i]))
	}
	slices.Sort(all)
	return all
}

func TestArrowGoesToTheTopicThatTakesIt(t *testing.T) {
	w := startAny(t)
	body := columns(t, "a", "b", "c")
	if got := w.post(t, "predictions", arrowStream, body); got.Status != http.StatusAccepted || got.Accepted != 3 || len(got.Rejected) != 0 {
		t.Fatalf("%+v", got)
	}
	if stored := w.stored(t, "columns"); len(stored) != 1 || string(stored["a"].Value) != body || !stored["a"].Time.Equal(now) {
		t.Errorf("a good stream is not stored as it is: %v", stored)
	}
	if stored := w.stored(t, "predictions"); len(stored) != 0 {
		t.Errorf("%d records in the topic of JSON", len(stored))
	}
	if got := w.post(t, "predictions", ndjson, prediction("x")); got.Accepted != 1 || len(w.stored(t, "predictions")) != 1 {
		t.Errorf("JSON beside Arrow: %+v", got)
	}
	if v := w.metric(t, "plumbline_ingest_http_events_total", "predictions", "accepted"); v != 4 {
		t.Errorf("%v events are counted as accepted, want 4", v)
	}
}

func TestBadRowsOfArrowAreNamed(t *testing.T) {
	w := startAny(t)
	got := w.post(t, "predictions", arrowStream, columns(t, "a", "", "c", strings.Repeat("x", 300), "e"))
	want := []rejection{
		{0, 2, "missing_field", "prediction_id", "send the id that the label will carry"},
		{0, 4, "bad_value", "prediction_id", "the text is longer than 256 bytes"},
	}
	if got.Status != http.StatusAccepted || got.Accepted != 3 || !slices.Equal(got.Rejected, want) {
		t.Fatalf("%+v", got)
	}
	if rows := w.rows(t, "columns", 1e6); !slices.Equal(rows, []string{"a=0", "c=2", "e=4"}) {
		t.Errorf("stored: %v", rows)
	}
	if v := w.metric(t, "plumbline_ingest_http_rejected_total", "predictions", "missing_field"); v != 1 {
		t.Errorf("%v rows are counted, want 1", v)
	}
}

func TestArrowIsCutToRecords(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) { c.MaxEvent = 8000 })
	var ids, want []string
	for i := range 2000 {
		ids = append(ids, fmt.Sprintf("p%04d", i))
		want = append(want, fmt.Sprintf("p%04d=%d", i, i))
	}
	if got := w.do(t, func() *http.Request {
		r := w.request(t, "predictions", arrowStream, zipped(t, columns(t, ids...)))
		r.Header.Set("Content-Encoding", "gzip")
		return r
	}()); got.Status != http.StatusAccepted || got.Accepted != 2000 {
		t.Fatalf("%+v", got)
	}
	if rows := w.rows(t, "columns", 8000); !slices.Equal(rows, want) {
		t.Errorf("%d rows are stored, want %d", len(rows), len(want))
	}
}

func TestArrowThatIsRefused(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) { c.MaxEvents = 10 })
	good := columns(t, "a")
	for name, test := range map[string]struct {
		kind, body string
		status     int
		says       string
	}{
		"no topic takes it": {"labels", good, 415, "ingest.sources"},
		"empty":             {"predictions", "", 400, "no event"},
		"JSON":              {"predictions", prediction("a"), 400, "unparsable"},
		"cut":               {"predictions", good[:len(good)/2], 400, "cut"},
		"no rows":           {"predictions", columns(t), 400, "no event"},
		"all rows bad":      {"predictions", columns(t, "", ""), 400, "no event of the body is good"},
		"too many rows":     {"predictions", columns(t, strings.Split("abcdefghijk", "")...), 413, "more than 10 events"},
	} {
		if got := w.post(t, test.kind, arrowStream, test.body); got.Status != test.status || got.Accepted != 0 || !strings.Contains(got.Error, test.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if stored := w.stored(t, "columns"); len(stored) != 0 {
		t.Errorf("%d records are stored", len(stored))
	}
}

// A topic has one format: events of another are never produced to it.
func TestTopicsKeepTheirFormat(t *testing.T) {
	w := startAny(t)
	other := startWith(t, w.address, []decode.Source{
		{Topic: "predictions", Format: decode.FormatArrow, Model: "checkout"},
		{Topic: "labels", Format: decode.FormatArrow, Holds: []decode.Kind{decode.KindLabels}},
		{Topic: "columns", Holds: []decode.Kind{decode.KindLabels}},
		{Topic: "deployments", Holds: []decode.Kind{decode.KindDeployments}},
	})
	if got := other.post(t, "predictions", ndjson, prediction("a")); got.Status != http.StatusUnsupportedMediaType || !strings.Contains(got.Error, "ingest.sources") {
		t.Errorf("JSON to a topic of Arrow: %+v", got)
	}
	label := fmt.Sprintf(`{"prediction_id":"p1","model":"checkout","ts":%d,"label":true}`, now.UnixMilli())
	if got := other.post(t, "labels", ndjson, label); got.Accepted != 1 || len(w.stored(t, "labels")) != 0 || len(w.stored(t, "columns")) != 1 {
		t.Errorf("JSON beside a topic of Arrow: %+v", got)
	}
	if got := other.post(t, "predictions", arrowStream, columns(t, "a")); got.Accepted != 1 || len(w.stored(t, "predictions")) != 1 {
		t.Errorf("Arrow to the usual topic: %+v", got)
	}
}

func TestArrowThatKafkaDoesNotTake(t *testing.T) {
	w := start(t)
	w.kafka.Close()
	got := w.post(t, "predictions", arrowStream, columns(t, "a", "b"))
	if got.Status != http.StatusServiceUnavailable || !slices.Equal(got.Unacknowledged, []place{{0, 1}, {0, 2}}) {
		t.Errorf("%+v", got)
	}
}
