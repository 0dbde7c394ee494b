package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

// Events that nobody commits are found by asking Kafka alone.
func TestIngestProbeAsksKafka(t *testing.T) {
	b := kafkatest.Embedded(t)
	defaults := DefaultConfig()
	defaults.Ingest.Brokers = b.Addresses()
	if err := ingest.EnsureTopics(t.Context(), defaults.Ingest); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	p := &ingestProbe{
		client: &kafka.Client{Addr: kafka.TCP(b.Addresses()...)}, group: defaults.Ingest.Group, topics: defaults.Ingest.ConsumedTopics(),
		explained: func(object string) bool { return told[object] }, seen: make(map[partitionKey]progress),
	}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	look := func(after time.Duration) (time.Duration, string) {
		t.Helper()
		lag, what, err := p.lag(t.Context(), now.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return lag, what
	}
	if lag, _ := look(0); lag != 0 {
		t.Fatalf("empty topics are behind by %s", lag)
	}
	topic := defaults.Ingest.Topics.Predictions
	w := &kafka.Writer{Addr: kafka.TCP(b.Addresses()...), Topic: topic, Balancer: partitionOne{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	if err := w.WriteMessages(t.Context(), kafka.Message{Value: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	look(time.Second)
	lag, what := look(time.Minute)
	if object := topic + "/1"; lag != 59*time.Second && lag != time.Minute || !strings.Contains(what, object) {
		t.Errorf("behind by %s: %q", lag, what)
	}
	told[topic+"/1"] = true
	if lag, _ := look(time.Minute); lag != 0 {
		t.Errorf("what is told of already is behind by %s", lag)
	}
	told[topic+"/1"] = false
	commit := func(c kafka.OffsetCommit) {
		t.Helper()
		if _, err := p.client.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
			GroupID: p.group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {c}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	// A batch of many days goes on: its intent says that more and more is stored. One
	// that is begun again and gets no further stands.
	for n, step := range []struct {
		done   int
		stands bool
	}{{7, false}, {9, false}, {9, true}, {2, true}, {9, true}, {10, false}} {
		commit(kafka.OffsetCommit{Partition: 1, Metadata: fmt.Sprintf(`{"v":1,"last":0,"done":%d}`, step.done)})
		if lag, _ := look(time.Duration(3+n) * time.Minute); lag > 0 != step.stands {
			t.Errorf("%d statements are stored: behind by %s", step.done, lag)
		}
	}
	commit(kafka.OffsetCommit{Partition: 1, Offset: 1})
	if lag, _ := look(20 * time.Minute); lag != 0 {
		t.Errorf("after the commit behind by %s", lag)
	}
}

type partitionOne struct{}

func (partitionOne) Balance(kafka.Message, ...int) int { return 1 }

func TestEvaluationProbe(t *testing.T) {
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	now := began.Add(10 * time.Minute)
	var all []rules.Evaluated
	p := evaluationProbe{evaluations: func() []rules.Evaluated { return all }, began: began, any: true}
	for _, test := range []struct {
		name string
		all  []rules.Evaluated
		turn func(string) bool
		want time.Duration
	}{
		{"not begun", nil, nil, 10 * time.Minute},
		{"in time", []rules.Evaluated{{Group: "a", At: now.Add(-10 * time.Second), Every: 15 * time.Second}}, nil, 0},
		{"one late", []rules.Evaluated{{Group: "a", At: now, Every: time.Second}, {Group: "b", At: now.Add(-time.Minute), Every: 15 * time.Second}}, nil, 45 * time.Second},
		{"never", []rules.Evaluated{{Group: "a", Every: time.Minute}}, nil, 9 * time.Minute},
		{"another's", []rules.Evaluated{{Group: "a", Every: time.Minute}}, func(string) bool { return false }, 0},
		{"taken over just now", []rules.Evaluated{{Group: "a", Every: time.Second}}, func(string) bool { return true }, 0},
	} {
		all, p.turn, p.since = test.all, test.turn, nil
		if lag, _, err := p.lag(t.Context(), now); err != nil || lag != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, lag, err, test.want)
		}
	}
}

// A group that a reload brings was not late before it was there, and one that it took
// away and brings again is new. One that is never evaluated is late all the same.
func TestEvaluationProbeMeetsANewGroup(t *testing.T) {
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	now := began.Add(time.Hour)
	old, fresh := rules.Evaluated{Group: "old", At: now, Every: time.Minute}, rules.Evaluated{Group: "new", Every: 15 * time.Second}
	var all []rules.Evaluated
	p := evaluationProbe{evaluations: func() []rules.Evaluated { return all }, began: began, any: true}
	for _, step := range []struct {
		name  string
		all   []rules.Evaluated
		after time.Duration
		want  time.Duration
	}{
		{"before", []rules.Evaluated{old}, 0, 0},
		{"reloaded", []rules.Evaluated{old, fresh}, time.Second, 0},
		{"its first turn", []rules.Evaluated{old, fresh}, 16 * time.Second, 0},
		{"never evaluated", []rules.Evaluated{old, fresh}, 26 * time.Second, 10 * time.Second},
		{"taken away", []rules.Evaluated{old}, 27 * time.Second, 0},
		{"back", []rules.Evaluated{old, fresh}, 50 * time.Second, 0},
	} {
		all = step.all
		if lag, what, err := p.lag(t.Context(), now.Add(step.after)); err != nil || lag != step.want || lag > 0 && !strings.HasPrefix(what, "new: ") {
			t.Errorf("%s: %s, %q, %v; want %s", step.name, lag, what, err, step.want)
		}
	}
}

// A partition that is parked pages for itself.
func TestTroublesExplainAStandstill(t *testing.T) {
	tr, err := newTroubles(defaultTroublesConfig(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if tr.explains("predictions/1") {
		t.Error("nothing is wrong")
	}
	tr.begin(partitionParked, "predictions/1", "")
	if !tr.explains("predictions/1") || tr.explains("predictions/2") {
		t.Error("a parked partition explains itself and no other")
	}
	tr.begin(engineCrashLoop, "here", "")
	if !tr.explains("predictions/2") {
		t.Error("without ClickHouse nothing is stored")
	}
}

func TestReplicasNeedWhatTheyShare(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.validateReplicas(); err != nil {
		t.Fatal(err)
	}
	cfg.Alerting.Relay.Peers = []string{"http://a:9470/alertmanager", "x"}
	err := cfg.validateReplicas()
	for _, want := range []string{"kafka.brokers", "alerting.cluster.listen", "alerting.relay.peers[1]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

var errGone = errors.New("gone")

// The speaker of one process hands alerts to its own service and says when that
// does not take them.
func TestSpeakerAlone(t *testing.T) {
	a := &App{cfg: DefaultConfig(), log: slog.New(slog.DiscardHandler)}
	s, err := a.newSpeaker()
	if err != nil || s.relay != nil || s.member != nil || s.turn() != nil {
		t.Fatalf("%+v, %v", s, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errGone)
	local, err := alerting.New(func() alerting.Config {
		c := alerting.DefaultConfig()
		c.DataDir, c.Owners = t.TempDir(), []plumbline.OwnerEntry{{Name: "o"}}
		return c
	}(), alerting.Deps{Registry: prometheus.NewRegistry(), Logger: a.log})
	if err != nil {
		t.Fatal(err)
	}
	s.local = local
	s.notify(ctx, "") // the service does not run: that is said, and nothing waits
}
