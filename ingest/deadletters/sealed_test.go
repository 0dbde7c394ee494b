package deadletters_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

const (
	oldKey = "k1 one-secret-of-at-least-32-characters 2020-01-01T00:00:00Z\n"
	newKey = "k2 two-secret-of-at-least-32-characters 2030-01-01T00:00:00Z\n"
	// otherKey has the name of oldKey.
	otherKey = "k1 another-secret-of-at-least-32-chars 2020-01-01T00:00:00Z\n"
)

func keys(t *testing.T, text string) privacy.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := privacy.ReadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// open returns a box on the same broker with keys of its own.
func (e *env) open(k privacy.Keys) *env {
	e.t.Helper()
	cfg := deadletters.DefaultConfig()
	cfg.Brokers, cfg.Keys = e.brokers, k
	box, err := deadletters.New(cfg)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(box.Close)
	return &env{e.t, e.brokers, e.client, box}
}

// seal produces the letter of a record as ingest seals it.
func (e *env) seal(k privacy.Keys, partition int, offset int64, key, value string, more []kafka.Header, headers ...kafka.Header) {
	e.t.Helper()
	c := privacy.Contents{Key: []byte(key), Value: []byte(value)}
	for _, h := range headers {
		c.Headers = append(c.Headers, privacy.Header{Key: h.Key, Value: h.Value})
	}
	id, sealed, err := k.SealContents(refusedAt.UnixMilli(), c)
	if err != nil {
		e.t.Fatal(err)
	}
	all := append(append(letterHeaders("wrong_type", partition, offset), more...), header("plumbline.timestamp", "1772359200000"), header(privacy.SealedHeader, id))
	e.produceNoKey(dead, 0, sealed, all)
}

func (e *env) produceNoKey(topic string, partition int, value []byte, headers []kafka.Header) {
	e.t.Helper()
	r, err := e.client.Produce(e.t.Context(), &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Time: letterAt, Value: kafka.NewBytes(value), Headers: headers}),
	})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

func TestSealedLetterIsListedWithoutKeys(t *testing.T) {
	e := newEnv(t)
	k := keys(t, oldKey)
	offset := e.produce(source, 0, refusedAt, "person", `{"email":"a@b.c"}`)
	e.seal(k, 0, offset, "person", `{"email":"a@b.c"}`, nil, header("who", "person"))

	letters, n, err := e.box.Newest(t.Context(), deadletters.Filter{Reason: "wrong_type"}, 10)
	if err != nil || n != 1 {
		t.Fatalf("%d letters, %v", n, err)
	}
	l := letters[0]
	if l.Sealed != "k1" || l.Reason != "wrong_type" || l.Source.Offset != offset || l.Malformed != "" || !l.Original.Equal(refusedAt) {
		t.Errorf("letter %+v", l)
	}
	if text := string(l.Key) + string(l.Value) + headerText(l.Headers); strings.Contains(text, "person") || strings.Contains(text, "a@b.c") {
		t.Errorf("the letter says %q", text)
	}
	before := l
	if err := e.box.Open(&l); err == nil || !strings.Contains(err.Error(), "sealed under key k1") || !slices.Equal(l.Value, before.Value) {
		t.Errorf("opened without keys: %v", err)
	}
	if err := e.open(k).box.Open(&l); err != nil || string(l.Key) != "person" || string(l.Value) != `{"email":"a@b.c"}` || l.Sealed != "" || l.Cut() {
		t.Errorf("opened: %+v, %v", l, err)
	}
	if text := headerText(l.Headers); !strings.Contains(text, "who=person") || strings.Contains(text, privacy.SealedHeader) {
		t.Errorf("headers of the opened letter: %s", text)
	}
}

func TestSealedLetterIsReplayedWhole(t *testing.T) {
	e := newEnv(t)
	k := keys(t, oldKey+newKey)
	// The source is there, is gone, holds another record, and carries an event
	// beside others.
	there := e.produce(source, 0, refusedAt, "a", "one", header("h", "1"))
	e.seal(k, 0, there, "a", "one", nil, header("h", "1"))
	e.seal(k, 0, 1000, "b", "two", nil, header("h", "2"))
	other := e.produce(source, 0, refusedAt, "stranger", "stranger")
	e.seal(k, 0, other, "", "three", nil)
	e.seal(k, 0, there, "a", "event", []kafka.Header{header("plumbline.event", "3")}, header("h", "4"))

	for _, without := range []*env{e, e.open(keys(t, newKey)), e.open(keys(t, otherKey))} {
		out := without.replay(deadletters.Filter{}, deadletters.Options{})
		if verdicts(out) != "impossible impossible impossible impossible" {
			t.Errorf("without the key: %s", verdicts(out))
		}
		for _, o := range out {
			if !strings.Contains(o.Note, "k1") {
				t.Errorf("the note does not name the key: %q", o.Note)
			}
		}
	}
	if n := len(e.stored(source, 0)); n != 2 {
		t.Fatalf("%d records in the source, want 2: something was replayed without its key", n)
	}
	out := e.open(k).replay(deadletters.Filter{}, deadletters.Options{})
	if verdicts(out) != "replayed replayed replayed replayed" {
		t.Fatalf("verdicts %s: %+v", verdicts(out), out)
	}
	var got []string
	for _, m := range e.stored(source, 0)[2:] {
		if !m.Time.Equal(refusedAt) {
			t.Errorf("%s has the time %s, want the record's", m.Value, m.Time)
		}
		got = append(got, string(m.Key)+" "+string(m.Value)+" "+headerText(m.Headers))
	}
	want := []string{
		"a one [h=1 plumbline.replayed-from=predictions/0/0]",
		"b two [h=2 plumbline.replayed-from=predictions/0/1000]",
		" three [plumbline.replayed-from=predictions/0/1]",
		"a event [h=4 plumbline.replayed-from=predictions/0/0/3]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("replayed %q, want %q", got, want)
	}
	if out := e.open(k).replay(deadletters.Filter{}, deadletters.Options{}); verdicts(out) != "skipped skipped skipped skipped" {
		t.Errorf("replayed twice: %s", verdicts(out))
	}
}

func TestDamagedSealIsImpossible(t *testing.T) {
	e := newEnv(t)
	k := keys(t, oldKey)
	id, sealed, err := k.SealContents(refusedAt.UnixMilli(), privacy.Contents{Value: []byte("v")})
	if err != nil {
		t.Fatal(err)
	}
	sealed[len(sealed)-1] ^= 1
	headers := append(letterHeaders("wrong_type", 0, 0), header(privacy.SealedHeader, id))
	e.produceNoKey(dead, 0, sealed, headers)
	e.produceNoKey(dead, 0, nil, headers)
	out := e.open(k).replay(deadletters.Filter{}, deadletters.Options{})
	if verdicts(out) != "impossible impossible" || !strings.Contains(out[0].Note, "k1") {
		t.Errorf("outcomes %+v", out)
	}
}

// A record that came with the header is not sealed: ingest's stands last.
func TestForeignHeaderSealsNothing(t *testing.T) {
	e := newEnv(t)
	offset := e.produce(source, 0, refusedAt, "k", "v", header(privacy.SealedHeader, "k1"))
	e.produce(dead, 0, letterAt, "k", "v", append([]kafka.Header{header(privacy.SealedHeader, "k1")}, letterHeaders("wrong_type", 0, offset)...)...)
	out := e.replay(deadletters.Filter{}, deadletters.Options{})
	if verdicts(out) != "replayed" {
		t.Errorf("outcomes %+v", out)
	}
}
