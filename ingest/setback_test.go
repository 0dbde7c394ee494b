package ingest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// Kafka that lost the end of a partition, as after an unclean election of a leader,
// gives its offsets to what is produced then: once that is seen, all of it is stored, and what was
// stored stays, once. (It used to be read no sooner than it had passed what was
// stored, and all before that was lost.)
func TestPartitionThatWasSetBack(t *testing.T) {
	for name, offset := range map[string]int64{"the commit stays": 100, "the commit is set back, too": 60} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			cfg := testConfig(env)
			cfg.Partitions = 1
			client := &kafka.Client{Addr: kafka.TCP(env.Brokers...), Transport: &kafka.Transport{}}
			began := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
			send := func(from, to int, life string) {
				t.Helper()
				var messages []traffic.Message
				for n := from; n < to; n++ {
					at := began.Add(time.Duration(n) * time.Second)
					event := fmt.Sprintf(`{"prediction_id":"%s-%d","model":"fraud","deploy_hash":"d","ts":%d,"score":0.5}`, life, n, at.UnixMilli())
					messages = append(messages, traffic.Message{Topic: cfg.Topics.Predictions, Key: fmt.Sprint(n), Value: []byte(event), Time: at})
				}
				if err := env.Produce(t.Context(), messages, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			send(0, 100, "first")
			stop := start(t, cfg, ingest.Dependencies{DB: env.DB})
			until(t, env, committedEvents, 100)
			stop()

			metadata := committed(t, env, cfg)[cfg.Topics.Predictions][0].Metadata
			r, err := client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{cfg.Topics.Predictions}})
			if err := errors.Join(err, r.Errors[cfg.Topics.Predictions], ingest.EnsureTopics(t.Context(), cfg)); err != nil {
				t.Fatal(err)
			}
			send(0, 60, "first")
			commit(t, env, cfg, map[string][]kafka.OffsetCommit{cfg.Topics.Predictions: {{Partition: 0, Offset: offset, Metadata: metadata}}})
			seen := newNotices()
			stop = start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
			seen.await(t, ingest.NoticeNewEpoch)
			send(60, 150, "second")
			until(t, env, committedEvents, 190)
			stop()
			stop = start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
			send(150, 160, "second")
			until(t, env, committedEvents, 200)
			stop()
			for query, want := range map[string]uint64{
				"SELECT uniqExact(prediction_id) FROM predictions":                                  200,
				"SELECT sum(count) FROM series_minute WHERE series = 'requests' AND model != ''":    200,
				"SELECT countIf(_offset < 60) FROM predictions WHERE prediction_id LIKE 'second-%'": 0,
			} {
				if got := count(t, env, query); got != want {
					t.Errorf("%s: %d, want %d", query, got, want)
				}
			}
		})
	}
}

// A clock that was a day ahead when the first life of a topic was seen, or is another
// process's, does not hide the second: what of it is stored is not read again once
// Kafka has dropped its first records.
func TestEpochSeenByAClockThatWasAhead(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.Partitions = 1
	client := &kafka.Client{Addr: kafka.TCP(env.Brokers...), Transport: &kafka.Transport{}}
	began := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	send := func(from, to int, life string) {
		t.Helper()
		var messages []traffic.Message
		for n := from; n < to; n++ {
			at := began.Add(time.Duration(n) * time.Second)
			event := fmt.Sprintf(`{"prediction_id":"%s-%d","model":"fraud","deploy_hash":"d","ts":%d,"score":0.5}`, life, n, at.UnixMilli())
			messages = append(messages, traffic.Message{Topic: cfg.Topics.Predictions, Key: fmt.Sprint(n), Value: []byte(event), Time: at})
		}
		if err := env.Produce(t.Context(), messages, nil); err != nil {
			t.Fatal(err)
		}
	}
	const distinct = "SELECT uniqExact(prediction_id) FROM predictions"
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	send(0, 100, "first")
	stop := start(t, cfg, ingest.Dependencies{DB: env.DB, Now: func() time.Time { return time.Now().Add(24 * time.Hour) }})
	until(t, env, committedEvents, 100)
	stop()

	r, err := client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{cfg.Topics.Predictions}})
	if err := errors.Join(err, r.Errors[cfg.Topics.Predictions], ingest.EnsureTopics(t.Context(), cfg)); err != nil {
		t.Fatal(err)
	}
	send(0, 90, "second")
	seen := newNotices()
	stop = start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
	seen.await(t, ingest.NoticeNewEpoch)
	until(t, env, committedEvents, 190)
	stop()

	deleteRecords(t, env, cfg.Topics.Predictions, 50)
	send(90, 100, "second")
	after := newNotices()
	stop = start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: after})
	until(t, env, distinct, 200)
	stop()
	after.none(t)
	if all := count(t, env, storedRows); all != 200 {
		t.Errorf("%d rows of 200 predictions", all)
	}
}
