package decode

import (
	"encoding/binary"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakeregistry"
)

func startRegistry(t testing.TB) *fakeregistry.Server {
	t.Helper()
	server, err := fakeregistry.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

func clientOf(t testing.TB, cfg SchemaRegistry) (*registry, *clock) {
	t.Helper()
	r, err := newRegistry(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{time.Unix(1_790_000_000, 0)}
	r.now = c.now
	return r, c
}

func isUnavailable(err error) bool {
	var u *Unavailable
	return errors.As(err, &u)
}

func wantUnknown(t *testing.T, err error) {
	t.Helper()
	if reason, _ := reasonOf(err); reason != UnknownSchema || !strings.Contains(err.Error(), "17") {
		t.Errorf("%v, want unknown_schema naming the id", err)
	}
}

// Whatever is wrong with the registry itself, the record is tried again.
func TestRegistryOutages(t *testing.T) {
	server := startRegistry(t)
	server.Register(17, fakeregistry.Schema{Text: `"string"`})
	faults := map[string]fakehttp.Fault{
		"refuses":         {Status: http.StatusServiceUnavailable},
		"fails":           {Status: http.StatusInternalServerError, Body: `{"error_code":50001}`},
		"too many":        {Status: http.StatusTooManyRequests},
		"unauthorized":    {Status: http.StatusUnauthorized, Body: `{"error_code":40101}`},
		"somebody's page": {Status: http.StatusNotFound, Body: `<html>not here</html>`},
		"wrong JSON":      {Status: http.StatusOK, Body: `{"schema":`},
		"another's JSON":  {Status: http.StatusOK, Body: `{}`},
		"hangs up":        {Cut: true},
		"breaks off":      {CutAfter: true},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			r, clock := clientOf(t, SchemaRegistry{URLs: []string{server.URL()}})
			before := len(server.Requests())
			server.Fail(fault, fault) // net/http itself repeats a request whose connection was cut
			if _, err := r.Schema(17); !isUnavailable(err) {
				t.Fatalf("%v, want unavailable", err)
			}
			asked := len(server.Requests()) - before
			if _, err := r.Schema(17); !isUnavailable(err) {
				t.Errorf("at once again: %v, want unavailable", err)
			}
			if n := len(server.Requests()) - before; n != asked {
				t.Errorf("asked again within a second")
			}
			for range 2 { // one fault may be left
				clock.advance(2 * time.Second)
				if s, err := r.Schema(17); err == nil && string(s.Text) != `"string"` {
					t.Errorf("schema %q", s.Text)
				} else if err == nil {
					return
				}
			}
			t.Error("the registry is back, and the schema is not found")
		})
	}
}

func TestRegistryTimesOut(t *testing.T) {
	server := startRegistry(t)
	server.Fail(fakehttp.Fault{Hang: true})
	r, _ := clientOf(t, SchemaRegistry{URLs: []string{server.URL()}})
	if r.http.Timeout != 5*time.Second {
		t.Errorf("timeout %s, want 5 s", r.http.Timeout)
	}
	r.http.Timeout = 50 * time.Millisecond
	if _, err := r.Schema(17); !isUnavailable(err) {
		t.Errorf("%v, want unavailable", err)
	}
}

func TestRegistryBreaksOffInTheBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"schema":"\"string\""`)) // the rest never comes
	}))
	defer server.Close()
	r, _ := clientOf(t, SchemaRegistry{URLs: []string{server.URL}})
	if _, err := r.Schema(17); !isUnavailable(err) {
		t.Errorf("%v, want unavailable", err)
	}
}

func TestRegistryAnswersWithoutEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range maxSchemaBytes/1024 + 2 {
			if _, err := w.Write(make([]byte, 1024)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	r, _ := clientOf(t, SchemaRegistry{URLs: []string{server.URL}})
	if _, err := r.Schema(17); !isUnavailable(err) || !strings.Contains(err.Error(), "larger") {
		t.Errorf("%v, want unavailable", err)
	}
}

// A schema that is not there is asked for once a second; one that comes later is
// found; one that was found is never asked for again.
func TestRegistryUnknownThenKnown(t *testing.T) {
	server := startRegistry(t)
	r, clock := clientOf(t, SchemaRegistry{URLs: []string{server.URL()}})
	for range 100 {
		_, err := r.Schema(17)
		wantUnknown(t, err)
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("%d requests within a second, want 1", n)
	}
	server.Register(17, fakeregistry.Schema{Text: `"string"`})
	clock.advance(time.Second + 1)
	for range 100 {
		if _, err := r.Schema(17); err != nil {
			t.Fatal(err)
		}
		clock.advance(time.Hour)
	}
	if n := len(server.Requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestRegistryNodesInTurn(t *testing.T) {
	first, second := startRegistry(t), startRegistry(t)
	second.Register(17, fakeregistry.Schema{Text: `"string"`})
	r, _ := clientOf(t, SchemaRegistry{URLs: []string{"http://127.0.0.1:1", first.URL(), second.URL() + "/"}})
	if _, err := r.Schema(17); err != nil {
		t.Errorf("%v: one node is down, one lags behind, the third has it", err)
	}
	// The one that is down may have it.
	_, err := r.Schema(1700)
	if down := new(Unavailable); !errors.As(err, &down) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v, want an outage that names the node", err)
	}
	all, _ := clientOf(t, SchemaRegistry{URLs: []string{first.URL(), second.URL()}})
	_, err = all.Schema(1700)
	if reason, _ := reasonOf(err); reason != UnknownSchema {
		t.Errorf("%v, want unknown_schema: every node answers and they agree", err)
	}
}

func TestRegistryAuthentication(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		demand string
		cfg    SchemaRegistry
	}{
		"basic":  {"Basic cGx1bWI6bGluZQ==", SchemaRegistry{Username: "plumb", PasswordFile: file("password", "line\n")}},
		"bearer": {"Bearer t0ken", SchemaRegistry{BearerTokenFile: file("token", "t0ken\n")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := startRegistry(t)
			server.Register(17, fakeregistry.Schema{Text: `"string"`})
			server.Demand(test.demand)
			test.cfg.URLs = []string{server.URL()}
			if err := test.cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			r, _ := clientOf(t, test.cfg)
			if _, err := r.Schema(17); err != nil {
				t.Error(err)
			}
			r, _ = clientOf(t, SchemaRegistry{URLs: []string{server.URL()}})
			if _, err := r.Schema(17); !isUnavailable(err) || !strings.Contains(err.Error(), "401") {
				t.Errorf("%v, want unavailable with 401", err)
			}
		})
	}
}

func TestRegistryCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"schema":"\"string\""}`)) // a client that went away needs no body
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := clientOf(t, SchemaRegistry{URLs: []string{server.URL}, CAFile: ca})
	if _, err := r.Schema(17); err != nil {
		t.Error(err)
	}
	r, _ = clientOf(t, SchemaRegistry{URLs: []string{server.URL}})
	if _, err := r.Schema(17); !isUnavailable(err) {
		t.Errorf("%v: a certificate that nobody vouches for", err)
	}
}

func TestRegistryReferences(t *testing.T) {
	server := startRegistry(t)
	server.Register(17, fakeregistry.Schema{
		Text:       `{"type":"record","name":"P","namespace":"shop","fields":[{"name":"prediction_id","type":"string"},{"name":"model","type":"string"},{"name":"deploy_hash","type":"string"},{"name":"ts","type":"long"},{"name":"features","type":"shop.F"},{"name":"stage","type":"Stage"}]}`,
		References: []fakeregistry.Reference{{Name: "shop.F", Subject: "features/v1", Version: 3}, {Name: "shop.Stage", Subject: "stage", Version: 1}},
	})
	server.Register(18, fakeregistry.Schema{Subject: "features/v1", Version: 3, Text: `{"type":"record","name":"F","namespace":"shop","fields":[{"name":"a","type":"double"},{"name":"s","type":"Stage"}]}`,
		References: []fakeregistry.Reference{{Name: "shop.Stage", Subject: "stage", Version: 1}}})
	server.Register(19, fakeregistry.Schema{Subject: "stage", Version: 1, Text: `{"type":"enum","name":"shop.Stage","symbols":["production","canary"]}`})
	server.Register(20, fakeregistry.Schema{Text: `"shop.F"`, References: []fakeregistry.Reference{{Name: "shop.F", Subject: "gone", Version: 1}}})
	server.Register(21, fakeregistry.Schema{Subject: "round", Version: 1, Text: `"int"`, References: []fakeregistry.Reference{{Name: "r", Subject: "round", Version: 1}}})
	d, into := openTest(t, registrySource(server))
	if err := d.Append(Record{Known: testKnown, Value: append(framed(17), plainEvent().double(1.5).long(1).long(1)...)}); err != nil {
		t.Fatal(err)
	}
	if got := dump(into); !strings.Contains(got, `"a" = 1.5`) || !strings.Contains(got, `stage "canary"`) {
		t.Error(got)
	}
	err := d.Append(Record{Known: testKnown, Value: framed(20)})
	if reason, _ := reasonOf(err); reason != UnknownSchema || !strings.Contains(err.Error(), "gone") {
		t.Errorf("%v, want the reference that is missing", err)
	}
	err = d.Append(Record{Known: testKnown, Value: framed(21)}) // ends
	if reason, _ := reasonOf(err); reason != WrongType {
		t.Errorf("%v, want: no record", err)
	}
}

func registrySource(server *fakeregistry.Server) Source {
	return Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: &SchemaRegistry{URLs: []string{server.URL()}}}}
}

// framed returns the header of a record whose schema has an id.
func framed(id uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0}, id) }

// Decoders of one source share its plans: each schema is asked for and compiled
// once, and each record is read by the schema it was written with.
func TestSchemasAreShared(t *testing.T) {
	server := startRegistry(t)
	server.Register(1, fakeregistry.Schema{Text: plainSchema(``)})
	server.Register(2, fakeregistry.Schema{Text: plainSchema(`,{"name":"score","type":"double"}`)})
	server.Register(3, fakeregistry.Schema{Text: plainSchema(``), Type: "JSON"})
	source := registrySource(server)
	if err := source.ReadFiles(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		d, into := openTest(t, source)
		all.Go(func() {
			for i := range 100 {
				body, id := plainEvent(), uint32(1)
				if i%2 == 1 {
					body, id = body.double(0.5), 2
				}
				if err := d.Append(Record{Known: testKnown, Value: append(framed(id), body...)}); err != nil {
					t.Error(err)
				}
			}
			if n := into.Predictions.Score.Nulls; n != 50 {
				t.Errorf("%d events without a score, want 50", n)
			}
		})
	}
	all.Wait()
	if n := len(server.Requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	d, _ := openTest(t, source)
	for value, want := range map[string]Reason{
		string(framed(3)):                       WrongType,
		"{}":                                    Unparsable,
		"\x00\x00\x00":                          Unparsable,
		"\x01" + string(framed(1)[1:]) + "rest": Unparsable,
		string(framed(4)):                       UnknownSchema,
	} {
		err := d.Append(Record{Known: testKnown, Value: []byte(value)})
		if reason, _ := reasonOf(err); reason != want {
			t.Errorf("%q: %v, want %s", value, err, want)
		}
	}
}

func TestSchemaOptions(t *testing.T) {
	registry := &SchemaRegistry{URLs: []string{"http://registry:8081"}}
	tests := map[string]struct {
		source Source
		want   string // empty is fine
	}{
		"avro with a registry":     {Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: registry}}, ""},
		"avro without":             {Source{Format: FormatAvro}, "schema_file or schema_registry"},
		"avro with both":           {Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: registry, SchemaFile: "a", SchemaText: []byte(plainSchema(""))}}, "leave one out"},
		"avro with a message":      {Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: registry, Message: "x"}}, "message: avro"},
		"avro of two kinds":        {Source{Format: FormatAvro, Holds: []Kind{KindLabels, KindPredictions}, Schemas: Schemas{SchemaRegistry: registry}}, "one kind"},
		"avro with a model":        {Source{Format: FormatAvro, Model: "m", Schemas: Schemas{SchemaRegistry: registry}}, "model"},
		"protobuf of our own":      {Source{Format: FormatProtobuf}, ""},
		"protobuf without message": {Source{Format: FormatProtobuf, Schemas: Schemas{SchemaFile: "a"}}, "message: empty"},
		"protobuf without file":    {Source{Format: FormatProtobuf, Schemas: Schemas{Message: "a.B"}}, "message: it names"},
		"protobuf with a text":     {Source{Format: FormatProtobuf, Schemas: Schemas{SchemaFile: "a.proto", SchemaText: []byte(`syntax = "proto3";`), Message: "a.B"}}, "descriptor_set_out"},
		"no url":                   {Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: &SchemaRegistry{}}}, "schema_registry.urls"},
		"url with a password":      {Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: &SchemaRegistry{URLs: []string{"http://u:p@h"}}}}, "urls[0]"},
		"user without password":    {Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: &SchemaRegistry{URLs: registry.URLs, Username: "u"}}}, "password_file"},
		"no certificates":          {Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: &SchemaRegistry{URLs: registry.URLs, CAFile: "/dev/null"}}}, "ca_file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.source.WithDefaults().Validate()
			if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// What decides how records are read is part of the identity; where the registry
// is, and where the file lies, is not.
func TestSchemaIdentity(t *testing.T) {
	file := func(path, text string) string {
		return Source{Format: FormatAvro, Schemas: Schemas{SchemaFile: path, SchemaText: []byte(text)}}.Identity()
	}
	at := func(url string) string {
		return Source{Format: FormatAvro, Schemas: Schemas{SchemaRegistry: &SchemaRegistry{URLs: []string{url}}}}.Identity()
	}
	if file("a", "x") != file("b", "x") || at("http://a") != at("http://b") {
		t.Error("a path or an address decides the identity")
	}
	if file("a", "x") == file("a", "y") || file("", "") == at("http://a") {
		t.Error("a schema, or that there is a registry, does not")
	}
}

// Two versions of a schema alternate, as while a producer is rolled out, with
// refused events between them and over several batches.
func TestSchemasAlternate(t *testing.T) {
	server := startRegistry(t)
	features := func(fields string) string {
		return plainSchema(`,{"name":"features","type":{"type":"record","name":"F","fields":[` + fields + `]}}`)
	}
	a, b, c := `{"name":"a","type":"double"}`, `{"name":"b","type":"double"}`, `{"name":"c","type":"string"}`
	server.Register(1, fakeregistry.Schema{Text: features(a + "," + b)})
	server.Register(2, fakeregistry.Schema{Text: features(c + "," + b + "," + a)})
	d, into := openTest(t, registrySource(server))
	for batch := range 3 {
		into.Predictions.Reset()
		for i := range 30 {
			appendGood(t, d, append(framed(1), plainEvent().double(1).double(2)...))
			appendGood(t, d, append(framed(2), plainEvent().text("x").double(2).double(1)...))
			refused := append(framed(uint32(1+i%2)), avroWire{}.text("").text("m").text("d").long(testKnown).text("abcdefg").double(2).double(1)...)
			if err := d.Append(Record{Known: testKnown, Value: refused}); err == nil {
				t.Fatal("an event without an id is taken")
			}
		}
		for i := range into.Predictions.Len() {
			row := readRow(into.Predictions, i)
			if row.numbers["a"] != 1 || row.numbers["b"] != 2 || len(row.numbers) != 2 || (row.categories["c"] == "x") != (i%2 == 1) {
				t.Fatalf("batch %d, row %d: %v %v", batch, i, row.numbers, row.categories)
			}
		}
		if n := into.Predictions.Len(); n != 60 {
			t.Fatalf("%d rows, want 60", n)
		}
	}
	events := [][]byte{append(framed(1), plainEvent().double(1).double(2)...), append(framed(2), plainEvent().text("x").double(2).double(1)...)}
	allocatesNothing(t, d, into, events)
}
