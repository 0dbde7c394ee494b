package ingesthttp_test

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	ingesthttp "github.com/plumbline-slo/plumbline/ingest/http"
)

func TestGoodEventsAreInKafkaWhenAccepted(t *testing.T) {
	w := startAny(t)
	if got := w.post(t, "predictions", ndjson, predictions(1000)); got.Status != http.StatusAccepted || got.Accepted != 1000 || len(got.Rejected) != 0 {
		t.Fatalf("predictions: %+v", got)
	}
	stored := w.stored(t, "predictions")
	if len(stored) != 1000 {
		t.Errorf("%d predictions are stored, want 1000", len(stored))
	}
	balancer := kafka.Murmur2Balancer{Consistent: true}
	for key, m := range stored {
		if string(m.Value) != prediction(key) || !m.Time.Equal(now) || m.Partition != balancer.Balance(m, 0, 1) {
			t.Fatalf("%s: %q at %s in partition %d", key, m.Value, m.Time, m.Partition)
		}
	}
	label := fmt.Sprintf(`{"prediction_id":"p1","model":"checkout","ts":%d,"label":true}`, now.UnixMilli())
	if got := w.post(t, "labels", plainJSON, label); got.Status != http.StatusAccepted || got.Accepted != 1 {
		t.Errorf("labels: %+v", got)
	}
	if m := w.stored(t, "labels")["p1"]; string(m.Value) != label {
		t.Errorf("the label is stored as %q", m.Value)
	}
	deployment := fmt.Sprintf(`{"model":"checkout","deploy_hash":"d1","ts":%d,"note":"first\u0021"}`, now.UnixMilli())
	if got := w.post(t, "deployments", plainJSON+"; charset=utf-8", "[\n"+deployment+"\n]"); got.Status != http.StatusAccepted || got.Accepted != 1 {
		t.Errorf("deployments: %+v", got)
	}
	if m := w.stored(t, "deployments")["checkout"]; string(m.Value) != deployment {
		t.Errorf("the deployment is stored as %q", m.Value)
	}
	kpi := fmt.Sprintf(`{"model":"checkout","name":"revenue","ts":%d,"value":12.5}`, now.UnixMilli())
	if got := w.post(t, "kpis", ndjson, kpi+"\n"+strings.Replace(kpi, "12.5", "null", 1)); got.Status != http.StatusAccepted || got.Accepted != 1 || len(got.Rejected) != 1 || got.Rejected[0].Line != 2 {
		t.Errorf("kpis: %+v", got)
	}
	if m := w.stored(t, "kpis")["checkout"]; string(m.Value) != kpi {
		t.Errorf("the reading is stored as %q", m.Value)
	}
	for labels, want := range map[string]float64{"kpis,accepted": 1, "kpis,rejected": 1, "predictions,accepted": 1000, "predictions,rejected": 0, "labels,accepted": 1, "deployments,accepted": 1} {
		if v := w.metric(t, "plumbline_ingest_http_events_total", strings.Split(labels, ",")...); v != want {
			t.Errorf("events %s: %v, want %v", labels, v, want)
		}
	}
}

func TestBadEventsAreNamedAndTheirNeighboursStored(t *testing.T) {
	w := startAny(t)
	stale := fmt.Sprintf(`{"prediction_id":"old","model":"checkout","deploy_hash":"d1","ts":%d}`, now.AddDate(-3, 0, 0).UnixMilli())
	long := `{"prediction_id":"x","` + strings.Repeat("k", 5000) + `":tru}`
	body := strings.Join([]string{prediction("a"), "", `{"prediction_id":7}`, prediction("b"), `{"prediction_id":"x"`, stale, long, prediction("c")}, "\n")
	got := w.post(t, "predictions", ndjson, body)
	if got.Status != http.StatusAccepted || got.Accepted != 3 || len(got.Rejected) != 4 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []rejection{
		{3, 2, "wrong_type", "prediction_id", "send a string"},
		{5, 4, "unparsable", "", "a comma or a closing bracket is missing"},
		{6, 5, "time_out_of_range", "ts", ""},
		{7, 6, "unparsable", strings.Repeat("k", 300) + "…", ""},
	} {
		r := got.Rejected[i]
		if want.Fix == "" && r.Fix != "" {
			want.Fix = r.Fix
		}
		if r != want {
			t.Errorf("rejected: %+v, want %+v", r, want)
		}
	}
	if stored := w.stored(t, "predictions"); len(stored) != 3 || stored["a"].Value == nil || stored["b"].Value == nil || stored["c"].Value == nil {
		t.Errorf("stored: %v", stored)
	}
	if v := w.metric(t, "plumbline_ingest_http_rejected_total", "predictions", "unparsable"); v != 2 {
		t.Errorf("%v unparsable events are counted, want 2", v)
	}
}

func TestNothingGoodIs400(t *testing.T) {
	w := start(t)
	for name, test := range map[string]struct {
		media, body string
		rejected    int
	}{
		"empty":             {ndjson, "", 0},
		"blank lines":       {ndjson, "\n\n", 0},
		"empty array":       {plainJSON, "[]", 0},
		"all bad":           {ndjson, "{}\nx\n", 2},
		"lines as JSON":     {plainJSON, predictions(2), 1},
		"array not closed":  {plainJSON, "[" + prediction("a"), 1},
		"an array a line":   {ndjson, "[" + prediction("a") + "]", 1},
		"not JSON":          {plainJSON, "\xff\xfe\x00", 1},
		"label to its like": {ndjson, `{"prediction_id":"a","model":"m","label":1,"ts":1}`, 1},
	} {
		got := w.post(t, "predictions", test.media, test.body)
		if got.Status != http.StatusBadRequest || got.Accepted != 0 || got.Error == "" || len(got.Rejected) != test.rejected {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if stored := w.stored(t, "predictions"); len(stored) != 0 {
		t.Errorf("stored: %v", stored)
	}
}

func TestWhoMayNotSend(t *testing.T) {
	w := start(t)
	type header = map[string]string
	for name, test := range map[string]struct {
		method, path  string
		change        header
		status        int
		header, value string
	}{
		"no token":      {"POST", "predictions", header{"Authorization": ""}, 401, "Www-Authenticate", `Bearer realm="plumbline"`},
		"wrong token":   {"POST", "labels", header{"Authorization": "Bearer " + token + "0"}, 401, "Www-Authenticate", `Bearer realm="plumbline"`},
		"basic":         {"POST", "labels", header{"Authorization": "Basic " + token}, 401, "", ""},
		"get":           {"GET", "predictions", nil, 405, "Allow", "POST"},
		"put":           {"PUT", "predictions", nil, 405, "Allow", "POST"},
		"form":          {"POST", "predictions", header{"Content-Type": "application/x-www-form-urlencoded"}, 415, "", ""},
		"no type":       {"POST", "predictions", header{"Content-Type": ""}, 415, "", ""},
		"zstd":          {"POST", "predictions", header{"Content-Encoding": "zstd"}, 415, "Accept-Encoding", "gzip"},
		"not gzip":      {"POST", "predictions", header{"Content-Encoding": "gzip"}, 400, "", ""},
		"gzip of token": {"POST", "predictions", header{"Authorization": "", "Content-Encoding": "gzip"}, 401, "", ""},
	} {
		r := w.request(t, test.path, ndjson, strings.NewReader(prediction("a")))
		r.Method = test.method
		for key, value := range test.change {
			r.Header.Set(key, value)
		}
		got := w.do(t, r)
		if got.Status != test.status || got.Error == "" || got.Accepted != 0 {
			t.Errorf("%s: %+v, want %d", name, got, test.status)
		}
		if test.header != "" && got.Header.Get(test.header) != test.value {
			t.Errorf("%s: %s is %q, want %q", name, test.header, got.Header.Get(test.header), test.value)
		}
	}
	if stored := w.stored(t, "predictions"); len(stored) != 0 {
		t.Errorf("stored: %v", stored)
	}
	if v := w.metric(t, "plumbline_ingest_http_requests_total", "401", "labels"); v != 2 {
		t.Errorf("%v requests with 401 are counted, want 2", v)
	}
}

func TestWithoutATokenFileItIsOff(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) { c.TokenFile = "" })
	for _, path := range ingesthttp.Paths() {
		got := w.post(t, strings.TrimPrefix(path, ingesthttp.Prefix), ndjson, prediction("a"))
		if got.Status != http.StatusNotFound || !strings.Contains(got.Error, "http_ingest.token_file") {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestSizes(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) {
		c.MaxBody, c.MaxEvents, c.MaxEvent, c.MaxInFlightBytes = 20_000, 50, 5000, 20_001
	})
	line := prediction("a")
	full := line + strings.Repeat(" ", 20_000-len(line))
	large := strings.Replace(line, `"yes"`, `"yes","note":"`+strings.Repeat("n", 5000)+`"`, 1)
	for name, test := range map[string]struct {
		body   io.Reader
		zipped bool
		status int
	}{
		"at the limit":             {strings.NewReader(full), false, 202},
		"at the limit, chunked":    {io.MultiReader(strings.NewReader(full)), false, 202},
		"at the limit, compressed": {zipped(t, full), true, 202},
		"one byte more":            {strings.NewReader(full + " "), false, 413},
		"one more, chunked":        {io.MultiReader(strings.NewReader(full + " ")), false, 413},
		"one more, compressed":     {zipped(t, full+" "), true, 413},
		"a gzip bomb":              {zipped(t, strings.Repeat(" ", 19<<20)), true, 413},
		"gzip, cut":                {io.LimitReader(zipped(t, full), 40), true, 400},
		"empty, called gzip":       {strings.NewReader(""), true, 400},
		"too many events":          {strings.NewReader(strings.Repeat("x\n", 51)), false, 413},
		"an event too large":       {strings.NewReader(large), false, 400},
	} {
		r := w.request(t, "predictions", ndjson, test.body)
		if test.zipped {
			r.Header.Set("Content-Encoding", "gzip")
		}
		got := w.do(t, r)
		if got.Status != test.status || (got.Accepted == 1) != (test.status == 202) {
			t.Errorf("%s: %+v, want %d", name, got, test.status)
		}
		if name == "an event too large" && (len(got.Rejected) != 1 || got.Rejected[0].Reason != "too_large") {
			t.Errorf("%s: %+v", name, got)
		}
		if v := w.metric(t, "plumbline_ingest_http_in_flight_bytes"); v != 0 {
			t.Fatalf("%s: %v bytes are held after the answer", name, v)
		}
	}
}

// A sender that stalls is cut off, and what it held is free.
func TestAStalledSender(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) { c.ReadTimeout = 250 * time.Millisecond })
	body, writer := io.Pipe()
	defer writer.Close()
	got := w.do(t, w.request(t, "predictions", ndjson, body))
	if got.Status != http.StatusRequestTimeout || got.Accepted != 0 {
		t.Errorf("%+v, want 408", got)
	}
	if v := w.metric(t, "plumbline_ingest_http_in_flight_bytes"); v != 0 {
		t.Errorf("%v bytes are held after the answer", v)
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	cfg := ingesthttp.DefaultConfig()
	cfg.MaxBody = 0
	_, err := ingesthttp.New(cfg, ingesthttp.Dependencies{})
	if err == nil || !strings.Contains(err.Error(), "max_body_bytes") || !strings.Contains(err.Error(), "brokers") {
		t.Errorf("New: %v", err)
	}
	want := []string{"/api/v1/predictions", "/api/v1/labels", "/api/v1/deployments", "/api/v1/kpis"}
	if got := ingesthttp.Paths(); !reflect.DeepEqual(got, want) {
		t.Errorf("paths: %v", got)
	}
}
