package deadletters_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

const (
	source = "predictions"
	dead   = "plumbline.dead-letters"
)

// refusedAt is the Kafka timestamp of the source records, letterAt that of the
// letters.
var (
	refusedAt = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	letterAt  = refusedAt.Add(5 * time.Second)
)

// env is a broker with a source topic of two partitions and a dead-letter topic.
type env struct {
	t       *testing.T
	brokers []string
	client  *kafka.Client
	box     *deadletters.Box
}

func newEnv(t *testing.T) *env {
	t.Helper()
	brokers := kafkatest.Any(t)
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	e := &env{t: t, brokers: brokers, client: &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 5 * time.Minute, Transport: transport}}
	e.create(kafka.TopicConfig{Topic: source, NumPartitions: 2, ReplicationFactor: 1})
	e.create(kafka.TopicConfig{Topic: dead, NumPartitions: 1, ReplicationFactor: 1})
	box := deadletters.DefaultConfig()
	box.Brokers = brokers
	var err error
	if e.box, err = deadletters.New(box); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.box.Close)
	return e
}

func (e *env) create(topic kafka.TopicConfig) {
	e.t.Helper()
	kafkatest.Create(e.t, e.brokers, topic)
}

func (e *env) produce(topic string, partition int, at time.Time, key, value string, headers ...kafka.Header) int64 {
	e.t.Helper()
	r, err := e.client.Produce(e.t.Context(), &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Time: at, Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes([]byte(value)), Headers: headers}),
	})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return r.BaseOffset
}

func header(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }

// letterHeaders are those that ingest writes.
func letterHeaders(reason string, partition int, offset int64) []kafka.Header {
	return []kafka.Header{
		header("__connect.errors.topic", source),
		header("__connect.errors.partition", fmt.Sprint(partition)),
		header("__connect.errors.offset", fmt.Sprint(offset)),
		header("__connect.errors.stage", "VALUE_CONVERTER"),
		header("__connect.errors.exception.class.name", "plumbline.decode."+reason),
		header("__connect.errors.exception.message", reason+": told"),
	}
}

// refuse produces a record and its dead letter, and returns the record's offset.
func (e *env) refuse(partition int, key, value, reason string, headers ...kafka.Header) int64 {
	offset := e.produce(source, partition, refusedAt, key, value, headers...)
	e.produce(dead, 0, letterAt, key, value, append(slices.Clone(headers), letterHeaders(reason, partition, offset)...)...)
	return offset
}

func (e *env) replay(f deadletters.Filter, o deadletters.Options) []deadletters.Outcome {
	e.t.Helper()
	var all []deadletters.Outcome
	if err := e.box.Replay(e.t.Context(), f, o, func(out deadletters.Outcome) { all = append(all, out) }); err != nil {
		e.t.Fatal(err)
	}
	return all
}

// verdicts are the outcomes as a word each.
func verdicts(outcomes []deadletters.Outcome) string {
	var words []string
	for _, o := range outcomes {
		words = append(words, map[deadletters.Verdict]string{
			deadletters.Replayed: "replayed", deadletters.Skipped: "skipped", deadletters.Impossible: "impossible",
		}[o.Verdict])
	}
	return strings.Join(words, " ")
}

// stored reads a partition of a topic with a reader of another implementation.
func (e *env) stored(topic string, partition int) []kafka.Message {
	e.t.Helper()
	conn, err := kafka.DialLeader(e.t.Context(), "tcp", e.client.Addr.String(), topic, partition)
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	_, last, err := conn.ReadOffsets()
	if err != nil {
		e.t.Fatal(err)
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{e.client.Addr.String()}, Topic: topic, Partition: partition, MaxBytes: 8 << 20, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Minute)
	defer cancel()
	var all []kafka.Message
	for int64(len(all)) < last {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			e.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func TestReplayedRecordIsTheOriginal(t *testing.T) {
	e := newEnv(t)
	e.produce(source, 1, refusedAt, "good", "good")
	offset := e.refuse(1, "k1", `{"a":1}`, "wrong_type", header("trace", "abc"), header("empty", ""))

	out := e.replay(deadletters.Filter{}, deadletters.Options{})
	if verdicts(out) != "replayed" || out[0].Note != "" {
		t.Fatalf("outcomes %+v", out)
	}
	all := e.stored(source, 1)
	got := all[len(all)-1]
	if len(all) != 3 || string(got.Key) != "k1" || string(got.Value) != `{"a":1}` || !got.Time.Equal(refusedAt) {
		t.Errorf("replayed %d records, the last %s %s at %s", len(all)-2, got.Key, got.Value, got.Time)
	}
	if got.Offset != out[0].To.Offset {
		t.Errorf("reported offset %d, stored at %d", out[0].To.Offset, got.Offset)
	}
	want := fmt.Sprintf("[trace=abc empty= plumbline.replayed-from=predictions/1/%d]", offset)
	if text := headerText(got.Headers); text != want {
		t.Errorf("headers %s, want %s", text, want)
	}
	if n := len(e.stored(dead, 0)); n != 1 {
		t.Errorf("the dead-letter topic holds %d letters after the replay, want 1", n)
	}
}

func headerText(headers []kafka.Header) string {
	var parts []string
	for _, h := range headers {
		parts = append(parts, h.Key+"="+string(h.Value))
	}
	return fmt.Sprint(parts)
}

func TestSecondReplayIsSkippedUnlessAgain(t *testing.T) {
	e := newEnv(t)
	first := e.refuse(0, "a", "1", "bad_value")
	e.refuse(1, "b", "2", "bad_value")
	// A letter that ingest wrote twice is replayed once.
	e.produce(dead, 0, letterAt, "a", "1", letterHeaders("bad_value", 0, first)...)

	for _, step := range []struct {
		name    string
		options deadletters.Options
		want    string
		records int
	}{
		{"dry run", deadletters.Options{DryRun: true}, "replayed replayed skipped", 1},
		{"limit", deadletters.Options{Limit: 1}, "replayed", 2},
		{"first", deadletters.Options{}, "skipped replayed skipped", 2},
		{"second", deadletters.Options{}, "skipped skipped skipped", 2},
		{"again", deadletters.Options{Again: true}, "replayed replayed skipped", 3},
	} {
		if got := verdicts(e.replay(deadletters.Filter{}, step.options)); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
		if n := len(e.stored(source, 0)); n != step.records {
			t.Errorf("%s: partition 0 holds %d records, want %d", step.name, n, step.records)
		}
	}
}

// A replayed event that is refused again is a letter of its own.
func TestALetterOfAReplayCanBeReplayed(t *testing.T) {
	e := newEnv(t)
	e.refuse(0, "a", "1", "bad_value")
	out := e.replay(deadletters.Filter{}, deadletters.Options{})
	again := e.stored(source, 0)[out[0].To.Offset]
	e.produce(dead, 0, letterAt, "a", "1", append(again.Headers, letterHeaders("wrong_type", 0, again.Offset)...)...)

	if got := verdicts(e.replay(deadletters.Filter{}, deadletters.Options{})); got != "skipped replayed" {
		t.Errorf("outcomes %s", got)
	}
	all := e.stored(source, 0)
	want := fmt.Sprintf("[plumbline.replayed-from=predictions/0/%d]", again.Offset)
	if text := headerText(all[len(all)-1].Headers); text != want {
		t.Errorf("headers %s, want %s", text, want)
	}
}

// A record may be somebody's dead letter that a topic was fed with again: what its
// own headers say of another record is not said of it, and it keeps them.
func TestALetterOfALetter(t *testing.T) {
	e := newEnv(t)
	own := append(letterHeaders("too_large", 1, 4711), header("plumbline.value.bytes", "999999"), header("plumbline.cut", "value"),
		header("plumbline.timestamp", "1"), header("plumbline.event", "3"))
	there := e.refuse(0, "a", "there", "bad_value", own...)
	e.produce(dead, 0, letterAt, "b", "gone", append(slices.Clone(own), letterHeaders("wrong_type", 0, 1000)...)...)

	for offset, want := range []string{fmt.Sprintf("predictions/0/%d bad_value", there), "predictions/0/1000 wrong_type"} {
		l, err := e.box.Get(t.Context(), 0, int64(offset))
		if got := l.Source.String() + " " + l.Reason; err != nil || got != want || l.Cut() || !l.Original.IsZero() {
			t.Errorf("%s, cut %t, of %s, %v; want %s", got, l.Cut(), l.Original, err, want)
		}
	}
	out := e.replay(deadletters.Filter{}, deadletters.Options{})
	if verdicts(out) != "replayed replayed" {
		t.Fatalf("outcomes %+v", out)
	}
	for i, m := range e.stored(source, 0)[1:] {
		want := headerText(append(slices.Clone(own), header("plumbline.replayed-from", out[i].Letter.Source.String())))
		if got := headerText(m.Headers); got != want {
			t.Errorf("%s is replayed with %s, want %s", m.Value, got, want)
		}
	}
}

// Where the source is gone the letter serves, unless it was cut.
func TestSourceIsGone(t *testing.T) {
	e := newEnv(t)
	whole := e.produce(source, 0, refusedAt, "other", "other")
	e.produce(dead, 0, letterAt, "k", "v", letterHeaders("bad_value", 0, whole)...)
	e.produce(dead, 0, letterAt, "k", "v", append(letterHeaders("too_large", 0, 77), header("plumbline.value.bytes", "999999"))...)
	e.produce(dead, 0, letterAt, "k", "v", header("who", "knows"))
	gone := letterHeaders("bad_value", 0, 1)
	gone[0] = header("__connect.errors.topic", "no-such-topic")
	e.produce(dead, 0, letterAt, "k", "v", gone...)

	out := e.replay(deadletters.Filter{}, deadletters.Options{})
	if verdicts(out) != "replayed impossible impossible impossible" {
		t.Fatalf("outcomes %+v", out)
	}
	got := e.stored(source, 0)[1]
	if string(got.Value) != "v" || !got.Time.Equal(letterAt) || !strings.Contains(out[0].Note, "timestamp is the letter's") {
		t.Errorf("replayed %s at %s, note %q", got.Value, got.Time, out[0].Note)
	}
	if !strings.Contains(out[1].Note, "only the beginning") || !strings.Contains(out[2].Note, "do not name a record") {
		t.Errorf("notes %q, %q", out[1].Note, out[2].Note)
	}
}

// A cut letter is made whole from its source.
func TestCutLetterIsReplayedWhole(t *testing.T) {
	e := newEnv(t)
	value := strings.Repeat("x", 700<<10)
	offset := e.produce(source, 0, refusedAt, "k", value)
	e.produce(dead, 0, letterAt, "k", value[:512<<10], append(letterHeaders("too_large", 0, offset), header("plumbline.value.bytes", fmt.Sprint(len(value))))...)
	if got := verdicts(e.replay(deadletters.Filter{}, deadletters.Options{})); got != "replayed" {
		t.Fatalf("outcome %s", got)
	}
	if got := e.stored(source, 0)[1]; string(got.Value) != value {
		t.Errorf("replayed %d bytes, want %d", len(got.Value), len(value))
	}
}

func TestFilters(t *testing.T) {
	e := newEnv(t)
	for i := range 6 {
		e.refuse(i%2, fmt.Sprint(i), fmt.Sprint(i), []string{"bad_value", "wrong_type", "too_large"}[i/2])
	}
	e.produce(dead, 0, letterAt.Add(time.Hour), "late", "late", letterHeaders("bad_value", 0, 0)...)
	at := func(text string) *deadletters.Range {
		r, err := deadletters.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		return &r
	}
	for name, c := range map[string]struct {
		filter deadletters.Filter
		want   string
	}{
		"all":      {deadletters.Filter{}, "0 1 2 3 4 5 6"},
		"reason":   {deadletters.Filter{Reason: "wrong_type"}, "2 3"},
		"topic":    {deadletters.Filter{Topic: "labels"}, ""},
		"since":    {deadletters.Filter{Since: letterAt.Add(time.Second)}, "6"},
		"one":      {deadletters.Filter{Offsets: at("4")}, "4"},
		"range":    {deadletters.Filter{Offsets: at("1-3")}, "1 2 3"},
		"open":     {deadletters.Filter{Offsets: at("0/5-")}, "5 6"},
		"both":     {deadletters.Filter{Offsets: at("1-2"), Reason: "wrong_type"}, "2"},
		"past end": {deadletters.Filter{Offsets: at("7-9")}, ""},
	} {
		var got []string
		err := e.box.Each(t.Context(), c.filter, func(l deadletters.Letter) error {
			got = append(got, fmt.Sprint(l.At.Offset))
			return nil
		})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, %v, want %s", name, got, err, c.want)
		}
	}
	newest, matched, err := e.box.Newest(t.Context(), deadletters.Filter{}, 2)
	if err != nil || matched != 7 || len(newest) != 2 || newest[0].At.Offset != 5 {
		t.Errorf("newest %d of %d, %v", len(newest), matched, err)
	}
}

func TestGet(t *testing.T) {
	e := newEnv(t)
	e.refuse(1, "k", "v", "bad_value", header("trace", "abc"))
	l, err := e.box.Get(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if l.Source.String() != "predictions/1/0" || l.Reason != "bad_value" || l.Message != "bad_value: told" || len(l.Headers) != 7 || !l.Time.Equal(letterAt) {
		t.Errorf("letter %+v", l)
	}
	if _, err := e.box.Get(t.Context(), 0, 1); err == nil || !strings.Contains(err.Error(), "holds 0 up to 1") {
		t.Errorf("a letter that is not there: %v", err)
	}
	if _, err := e.box.Get(t.Context(), 3, 0); err == nil {
		t.Error("a letter of a partition that is not there was found")
	}
}

// A broker answers with whole batches; a letter in the middle of one is found,
// and those before it are not told twice.
func TestLettersOfOneBatch(t *testing.T) {
	e := newEnv(t)
	var records []kafka.Record
	for i := range 4 {
		records = append(records, kafka.Record{Time: letterAt, Value: kafka.NewBytes([]byte(fmt.Sprint(i))), Headers: letterHeaders("bad_value", 0, int64(i))})
	}
	if _, err := e.client.Produce(t.Context(), &kafka.ProduceRequest{Topic: dead, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...)}); err != nil {
		t.Fatal(err)
	}
	l, err := e.box.Get(t.Context(), 0, 2)
	if err != nil || string(l.Value) != "2" || l.At.Offset != 2 {
		t.Errorf("letter 2 is %q at %s, %v", l.Value, l.At, err)
	}
	_, matched, err := e.box.Newest(t.Context(), deadletters.Filter{Offsets: &deadletters.Range{First: 1, Last: 2}}, 9)
	if err != nil || matched != 2 {
		t.Errorf("letters 1 to 2 are %d, %v", matched, err)
	}
}

// A source topic that was recreated counts anew: its records are no originals,
// and a replay into it is recognised all the same.
func TestSourceWasRecreated(t *testing.T) {
	e := newEnv(t)
	e.produce(source, 0, refusedAt, "k", "vanished")
	e.produce(dead, 0, letterAt, "k", "v", append(letterHeaders("too_large", 0, 0), header("plumbline.value.bytes", "9"))...)
	e.produce(dead, 0, letterAt, "k", "w", letterHeaders("bad_value", 0, 4711)...)
	if got := verdicts(e.replay(deadletters.Filter{}, deadletters.Options{})); got != "impossible replayed" {
		t.Errorf("first replay: %s", got)
	}
	out := e.replay(deadletters.Filter{Offsets: &deadletters.Range{First: 1, Last: 1}}, deadletters.Options{})
	if got := verdicts(out); got != "skipped" {
		t.Errorf("second replay: %s", got)
	}
}

func TestMissingTopicIsNamed(t *testing.T) {
	e := newEnv(t)
	box, err := deadletters.New(deadletters.Config{Brokers: []string{e.client.Addr.String()}, Topic: "nowhere", Timeout: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	err = box.Each(t.Context(), deadletters.Filter{}, func(deadletters.Letter) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v does not name the topic", err)
	}
}

func TestConfigNamesItsMistakes(t *testing.T) {
	_, err := deadletters.New(deadletters.Config{})
	for _, field := range []string{"brokers", "topic", "timeout"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error %v does not name %s", err, field)
		}
	}
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string]deadletters.Range{
		"0": {}, "7": {First: 7, Last: 7}, "3-9": {First: 3, Last: 9}, "2/3-9": {Partition: 2, First: 3, Last: 9},
		"4-": {First: 4, Last: 1<<63 - 1},
	} {
		if got, err := deadletters.ParseRange(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", "-3", "9-3", "a", "1/", "/1", "-1/2", "1-2-3", "99999999999999999999"} {
		if got, err := deadletters.ParseRange(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, got)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"0", "3-9", "2/3-", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := deadletters.ParseRange(text)
		if err == nil && (r.First < 0 || r.Last < r.First || r.Partition < 0) {
			t.Errorf("%q is the range %+v", text, r)
		}
	})
}

// Of a record that carries several events only the refused ones are sent again,
// each once, with the timestamp that their record had.
func TestEventsOfOneRecord(t *testing.T) {
	e := newEnv(t)
	e.produce(source, 0, refusedAt, "k", "one good bad worse")
	timestamp := header("plumbline.timestamp", fmt.Sprint(refusedAt.UnixMilli()))
	for i, value := range []string{"bad", "worse"} {
		e.produce(dead, 0, letterAt, "k", value, append(letterHeaders("bad_value", 0, 0), timestamp, header("plumbline.event", fmt.Sprint(i+2)))...)
	}
	out := e.replay(deadletters.Filter{}, deadletters.Options{})
	if got := verdicts(out); got != "replayed replayed" {
		t.Fatalf("first replay: %s", got)
	}
	for i, o := range out {
		if !o.Time.Equal(refusedAt) || o.Letter.Source.Event != i+2 || o.Note != "" {
			t.Errorf("event %d: %+v", i+2, o)
		}
	}
	if got := verdicts(e.replay(deadletters.Filter{}, deadletters.Options{})); got != "skipped skipped" {
		t.Errorf("second replay: %s", got)
	}
}

// A letter that its topic does not take, because it is too large there or the
// partition is gone, keeps none of the others from being replayed.
func TestLettersThatTheTopicDoesNotTake(t *testing.T) {
	e := newEnv(t)
	e.create(kafka.TopicConfig{Topic: "narrow", NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "1000"}}})
	event := header("plumbline.event", "0")
	large := append(letterHeaders("bad_value", 0, 0), event)
	large[0] = header("__connect.errors.topic", "narrow")
	e.produce(dead, 0, letterAt, "k", strings.Repeat("x", 5000), large...)
	e.produce(dead, 0, letterAt, "k", "of a partition that is gone", append(letterHeaders("bad_value", 7, 0), event)...)
	e.refuse(0, "k", "good", "bad_value")
	outcomes := e.replay(deadletters.Filter{}, deadletters.Options{})
	if got := verdicts(outcomes); got != "impossible impossible replayed" {
		t.Errorf("%s: %v", got, outcomes)
	}
	if note := outcomes[0].Note; !strings.Contains(note, "max.message.bytes") {
		t.Errorf("the note is %q", note)
	}
}
