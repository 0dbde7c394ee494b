package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// notices records what ingest tells people.
type notices struct {
	mu  sync.Mutex
	got []ingest.Notice
	hit chan ingest.NoticeKind
}

func newNotices() *notices { return &notices{hit: make(chan ingest.NoticeKind, 100)} }

func (n *notices) Notice(_ context.Context, notice ingest.Notice) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, notice)
	select {
	case n.hit <- notice.Kind:
	default:
	}
	return nil
}

func (n *notices) await(t *testing.T, kind ingest.NoticeKind) {
	t.Helper()
	for {
		select {
		case got := <-n.hit:
			if got == kind {
				return
			}
		case <-time.After(5 * time.Minute):
			t.Fatalf("no notice %q; got %v", kind, n.got)
		}
	}
}

// text returns the text of the last notice of a kind.
func (n *notices) text(kind ingest.NoticeKind) (text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, notice := range n.got {
		if notice.Kind == kind {
			text = notice.Text
		}
	}
	return text
}

func (n *notices) none(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, notice := range n.got {
		t.Errorf("unexpected notice: %+v", notice)
	}
}

func everything(now time.Time) verify.Options {
	return verify.Options{From: now.Add(-80 * 24 * time.Hour), To: now.Add(time.Hour)}
}

func TestBatchOfAnotherPlanIsFinished(t *testing.T) {
	for _, table := range []string{"predictions", "series_hour", "series_minute", "categories_hour", "batches"} {
		t.Run(table, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			p, db := startProxy(t, env)
			// Partitions of the first table are stored in part.
			p.reset(func(n int, query string) fault {
				if n > 3 && strings.Contains(query, "`"+table+"`") {
					return refuse
				}
				return pass
			})
			cfg := testConfig(env)
			cfg.Partitions = 1
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			want := produce(t, env, cfg, options(3, 500))
			stop := start(t, cfg, ingest.Dependencies{DB: db})
			p.await(t)
			stop()
			p.reset(func(int, string) fault { return pass })
			cfg.Limits.MaxFeatures = 999
			seen := newNotices()
			start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
			seen.await(t, ingest.NoticePlanChanged)
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			check(t, env, want, everything(time.Now()))
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.bare) > 0 {
				t.Errorf("statements that write and cannot be seen running: %q", p.bare)
			}
		})
	}
}

func TestRecreatedTopicIsANewEpoch(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	client := &kafka.Client{Addr: kafka.TCP(env.Brokers...), Transport: &kafka.Transport{}}
	now := time.Now()
	var want traffic.Expected
	for life := range 3 {
		if life > 0 {
			r, err := client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{cfg.Topics.Predictions, cfg.Topics.Labels}})
			if err := errors.Join(err, r.Errors[cfg.Topics.Predictions], r.Errors[cfg.Topics.Labels]); err != nil {
				t.Fatal(err)
			}
		}
		if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		// The third life is longer than the second: its end alone tells nothing.
		want = plus(want, produce(t, env, cfg, options(uint64(20+life), 300+100*life*(life-1))))
		seen := newNotices()
		stop := start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
		until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
		stop()
		if life == 0 {
			seen.none(t)
		} else {
			seen.await(t, ingest.NoticeNewEpoch)
		}
	}
	check(t, env, want, everything(now))
	if got := count(t, env, "SELECT uniqExact(_epoch) FROM predictions WHERE _partition = 0"); got != 3 {
		t.Errorf("%d epochs of partition 0, want 3", got)
	}
}

// A commit that was lost or reset, with or without a batch under way, doubles
// nothing.
func TestLostCommitDoublesNothing(t *testing.T) {
	for _, unfinished := range []string{"", "predictions", "labels", "series_minute", "batches"} {
		t.Run("unfinished "+unfinished, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
			p, db := startProxy(t, env)
			cfg := testConfig(env)
			cfg.Partitions = 1
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			want := produce(t, env, cfg, options(4, 300))
			stop := start(t, cfg, ingest.Dependencies{DB: db})
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			want = plus(want, produce(t, env, cfg, options(5, 300)))
			if unfinished != "" {
				// Of its statements into the table one is applied without an
				// answer, and no more.
				applied := false
				p.reset(func(_ int, query string) fault {
					switch {
					case !strings.Contains(query, "`"+unfinished+"`"):
						return pass
					case applied:
						return refuse
					}
					applied = true
					return lie
				})
				want = plus(want, produce(t, env, cfg, options(6, 300)))
				p.await(t)
			}
			stop()
			p.reset(func(int, string) fault { return pass })
			commitAs(t, env, cfg, 0, "")
			seen := newNotices()
			start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
			seen.await(t, ingest.NoticeRewound)
			want = plus(want, produce(t, env, cfg, options(7, 300)))
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			check(t, env, want, everything(time.Now()))
		})
	}
}

// A commit that is older than the batches, with the intent of a batch that is
// long complete, goes on after the last of them.
func TestStaleIntentDoublesNothing(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.FlushRows = 50
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	want := produce(t, env, cfg, options(4, 600))
	stop := start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	stop()
	for _, topic := range []string{cfg.Topics.Predictions, cfg.Topics.Labels} {
		var epoch, plan string
		var last int64
		row := env.DB.Conn().QueryRow(t.Context(), "SELECT epoch, plan, last FROM batches WHERE topic = {topic:String} AND partition = 0 AND first = 0 LIMIT 1", clickhouse.Named("topic", topic))
		if err := row.Scan(&epoch, &plan, &last); err != nil {
			t.Fatal(err)
		}
		commit(t, env, cfg, map[string][]kafka.OffsetCommit{
			topic: {{Partition: 0, Offset: 0, Metadata: fmt.Sprintf(`{"v":1,"epoch":%q,"last":%d,"plan":%q}`, epoch, last, plan)}}})
	}
	seen := newNotices()
	start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
	seen.await(t, ingest.NoticeRewound)
	want = plus(want, produce(t, env, cfg, options(5, 300)))
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, everything(time.Now()))
}

func TestPermanentErrorParksAndHeals(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	p, db := startProxy(t, env)
	p.reset(func(_ int, query string) fault {
		if strings.Contains(query, "`labels`") {
			return wrong
		}
		return pass
	})
	cfg := testConfig(env)
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	want := produce(t, env, cfg, options(6, 300))
	seen := newNotices()
	start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
	seen.await(t, ingest.NoticeParked)
	// The other topic goes on.
	until(t, env, "SELECT sum(rows) FROM batches FINAL WHERE table = 'predictions'", uint64(want.Predictions))
	p.reset(func(int, string) fault { return pass })
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, everything(time.Now()))
}

func TestMembersShareAndHandOver(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.Partitions = 4
	cfg.FlushRows = 100
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	want := produce(t, env, cfg, options(8, 1500))
	first := start(t, cfg, ingest.Dependencies{DB: env.DB})
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	want = plus(want, produce(t, env, cfg, options(9, 1500)))
	first()
	want = plus(want, produce(t, env, cfg, options(10, 500)))
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, everything(time.Now()))
}

// letters reads the dead-letter topic from its beginning.
func letters(t *testing.T, env *testenv.Env, cfg ingest.Config, n int) []kafka.Message {
	t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: env.Brokers, Topic: cfg.Topics.DeadLetters, MaxWait: 50 * time.Millisecond, MaxBytes: 8 << 20})
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	got := make([]kafka.Message, n)
	for i := range got {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("dead letter %d of %d: %v", i, n, err)
		}
		got[i] = m
	}
	return got
}

func TestBadEventsAreDeadLettersAndNeighboursAreStored(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.Partitions = 1
	kafkatest.Create(t, env.Brokers, kafka.TopicConfig{
		Topic: cfg.Topics.Predictions, NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "20000000"}},
	})
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := func(id string) string {
		return fmt.Sprintf(`{"prediction_id":%q,"model":"undeclared","deploy_hash":"d","ts":%d,"features":{"a":1}}`, id, now.UnixMilli())
	}
	event := func(fields string) string {
		return fmt.Sprintf(`{"prediction_id":"x","model":"m","deploy_hash":"d","ts":%d,%s}`, now.UnixMilli(), fields)
	}
	bad := map[string]string{
		"unparsable":        `{"prediction_id":`,
		"missing_field":     strings.Replace(good("x"), "prediction_id", "identifier", 1),
		"wrong_type":        event(`"score":"high"`),
		"bad_value":         event(`"stage":"test"`),
		"bad_text":          event("\"predicted\":\"\xff\""),
		"duplicate_key":     event(`"features":{"a":1,"a":2}`),
		"too_nested":        event(`"features":{"a":{"b":1}}`),
		"too_large":         event(`"features":{"text":"` + strings.Repeat("x", 10<<20) + `"}`),
		"too_many_features": event(`"features":{` + strings.TrimSuffix(manyFeatures(1001), ",") + `}`),
		"time_out_of_range": strings.Replace(good("x"), fmt.Sprint(now.UnixMilli()), fmt.Sprint(now.AddDate(-10, 0, 0).UnixMilli()), 1),
	}
	w := &kafka.Writer{WriteTimeout: 5 * time.Minute, Addr: kafka.TCP(env.Brokers...), Topic: cfg.Topics.Predictions, RequiredAcks: kafka.RequireAll, BatchBytes: 32 << 20, BatchTimeout: 5 * time.Millisecond, Transport: &kafka.Transport{}}
	defer w.Close()
	var messages []kafka.Message
	for reason, value := range bad {
		messages = append(messages,
			kafka.Message{Key: []byte("k"), Value: []byte(good("before " + reason))},
			kafka.Message{Key: []byte(reason), Value: []byte(value), Headers: []kafka.Header{{Key: "own", Value: []byte("kept")}}},
			kafka.Message{Key: []byte("k"), Value: []byte(good("after " + reason))})
	}
	if err := w.WriteMessages(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, committedEvents, uint64(len(messages)))
	if got := count(t, env, "SELECT uniqExact(prediction_id) FROM predictions WHERE model = 'undeclared'"); got != uint64(2*len(bad)) {
		t.Errorf("%d neighbours are stored, want %d", got, 2*len(bad))
	}
	if got := count(t, env, "SELECT sum(dead) FROM batches FINAL WHERE table = 'predictions'"); got != uint64(len(bad)) {
		t.Errorf("%d dead, want %d", got, len(bad))
	}
	for _, m := range letters(t, env, cfg, len(bad)) {
		checkLetter(t, cfg, m, bad[string(m.Key)])
	}
}

func manyFeatures(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"f%d":1,`, i)
	}
	return b.String()
}

func checkLetter(t *testing.T, cfg ingest.Config, m kafka.Message, value string) {
	t.Helper()
	headers := map[string]string{}
	for _, h := range m.Headers {
		headers[h.Key] = string(h.Value)
	}
	reason := string(m.Key)
	for name, want := range map[string]string{
		"own": "kept", "__connect.errors.topic": cfg.Topics.Predictions, "__connect.errors.partition": "0",
		"__connect.errors.stage": "VALUE_CONVERTER", "__connect.errors.exception.class.name": "plumbline.decode." + reason,
	} {
		if headers[name] != want {
			t.Errorf("%s: header %s = %q, want %q", reason, name, headers[name], want)
		}
	}
	if headers["__connect.errors.offset"] == "" || !strings.HasPrefix(headers["__connect.errors.exception.message"], reason) {
		t.Errorf("%s: headers %v", reason, headers)
	}
	if size, cut := headers["plumbline.value.bytes"]; cut {
		if size != fmt.Sprint(len(value)) || !bytes.HasPrefix([]byte(value), m.Value) {
			t.Errorf("%s: %d bytes of a value of %s", reason, len(m.Value), size)
		}
	} else if string(m.Value) != value {
		t.Errorf("%s: the letter holds another value", reason)
	}
}

// A batch in which everything is bad still goes on.
func TestOnlyBadEvents(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.Partitions = 1
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	var messages []traffic.Message
	for _, topic := range []string{cfg.Topics.Predictions, cfg.Topics.Labels, cfg.Topics.Deployments} {
		messages = append(messages, traffic.Message{Topic: topic, Key: "k", Value: []byte(`[]`), Time: time.Now()})
	}
	if err := env.Produce(t.Context(), messages, nil); err != nil {
		t.Fatal(err)
	}
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, committedEvents, 3)
	letters(t, env, cfg, 3)
}

func TestLabelsDeploymentsAndKPIs(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.Topics.KPIs = "kpis-" + env.Suffix
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second).UTC()
	var messages []traffic.Message
	add := func(topic string, event map[string]any) {
		value, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, traffic.Message{Topic: topic, Key: "k", Value: value, Time: now})
	}
	for _, label := range []any{"late", true, 3.5, nil} {
		add(cfg.Topics.Labels, map[string]any{"prediction_id": "p", "model": "m", "ts": now.Format(time.RFC3339), "label": label})
	}
	add(cfg.Topics.Deployments, map[string]any{"model": "m", "deploy_hash": "h", "ts": now.UnixMilli(), "version": "v2", "by": "me", "commit": "c", "dataset_hash": "dh", "feature_job": "fj", "note": "n"})
	add(cfg.Topics.KPIs, map[string]any{"model": "m", "name": "revenue", "ts": now.UnixMilli(), "value": 12.5, "segment": "region=eu"})
	add(cfg.Topics.KPIs, map[string]any{"model": "m", "name": "revenue", "ts": now.Add(-40 * 24 * time.Hour).UnixMilli(), "value": -1})
	if err := env.Produce(t.Context(), messages, nil); err != nil {
		t.Fatal(err)
	}
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, committedEvents, 7)
	for query, want := range map[string]string{
		"SELECT arrayStringConcat(arraySort(groupArray(concat(label, '|', ifNull(toString(label_value), '-'), '|', toString(deleted)))), ' ') FROM labels":    "late|-|0 true|-|0 |-|1 |3.5|0",
		"SELECT any(concat(model, deploy_hash, stage, version, by, commit, dataset_hash, feature_job, note, toString(toUnixTimestamp(ts)))) FROM deployments": "mhproductionv2mecdhfjn" + fmt.Sprint(now.Unix()),
		"SELECT arrayStringConcat(arraySort(groupArray(concat(model, '|', name, '|', segment, '|', toString(value)))), ' ') FROM kpis":                        "m|revenue|region=eu|12.5 m|revenue||-1",
	} {
		var got string
		if err := env.DB.Conn().QueryRow(t.Context(), query).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if sortFields(got) != sortFields(want) {
			t.Errorf("%s\n got %q\nwant %q", query, got, want)
		}
	}
}

func sortFields(s string) string {
	fields := strings.Split(s, " ")
	slices.Sort(fields)
	return strings.Join(fields, " ")
}

// A service that has run for years must not read years of batches at a start.
func TestLastBatchIsReadFromTheEnd(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := env.DB.Conn().Exec(t.Context(), "INSERT INTO batches (topic, epoch, partition, first, last) SELECT 't', 'e', 1, number, number FROM numbers(9)"); err != nil {
		t.Fatal(err)
	}
	rows, err := env.DB.Conn().Query(t.Context(), "EXPLAIN actions = 1 SELECT last FROM batches"+ingest.LastComplete,
		clickhouse.Named("topic", "t"), clickhouse.Named("epoch", "e"), clickhouse.Named("partition", "1"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if !strings.Contains(plan.String(), "InReverseOrder") || !strings.Contains(plan.String(), "Limit 1") {
		t.Errorf("the table is read otherwise:\n%s", &plan)
	}
}
