package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
)

// The partitions of a shard that is taken away wait until people say what shall be:
// the shard is put back, or the offsets of the group are set, to where they are or to
// the earliest. (They used to go on, and what stood on the shard was in no query, with
// nobody told.)
func TestPartitionsOfAShardThatIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		reset  func(committed int64) int64 // nil leaves the commits
		shards string
		stored string // where everything is at last
	}{
		"put back":   {nil, "ab", "ab"},
		"read again": {func(int64) int64 { return 0 }, "b", "b"},
		"gone on":    {func(committed int64) int64 { return committed }, "b", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startShards(t)
			cfg := testConfig(s.envs[0])
			cfg.Partitions = shardedPartitions
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			want := produce(t, s.envs[0], cfg, options(71, 400))
			stop := start(t, cfg, ingest.Dependencies{DB: s.open(t, "ab")})
			s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			stop()

			seen := newNotices()
			stop = start(t, cfg, ingest.Dependencies{DB: s.open(t, "b"), Noticer: seen})
			seen.await(t, ingest.NoticeParked)
			stop()
			if text := seen.text(ingest.NoticeParked); !strings.Contains(text, `on shard "a", which is not among clickhouse.shards`) {
				t.Error(text)
			}

			if c.reset != nil {
				resetOffsets(t, s, cfg, c.reset)
			}
			start(t, cfg, ingest.Dependencies{DB: s.open(t, c.shards)})
			want = plus(want, produce(t, s.envs[0], cfg, options(72, 400)))
			if c.stored == "b" {
				until(t, s.envs[1], committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
				check(t, s.envs[1], want, everything(time.Now()))
				return
			}
			s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			s.check(t, want)
		})
	}
}

// resetOffsets sets every offset of a group that rests, as Kafka's own tool does.
func resetOffsets(t *testing.T, s *twoShards, cfg ingest.Config, to func(committed int64) int64) {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(s.envs[0].Brokers...), Transport: &kafka.Transport{}}
	request := &kafka.OffsetFetchRequest{GroupID: cfg.Group, Topics: map[string][]int{}}
	for _, topic := range []string{cfg.Topics.Predictions, cfg.Topics.Labels} {
		for p := range cfg.Partitions {
			request.Topics[topic] = append(request.Topics[topic], p)
		}
	}
	got, err := client.OffsetFetch(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	commits := map[string][]kafka.OffsetCommit{}
	for topic, partitions := range got.Topics {
		for _, p := range partitions {
			commits[topic] = append(commits[topic], kafka.OffsetCommit{Partition: p.Partition, Offset: to(p.CommittedOffset)})
		}
	}
	if _, err := client.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{GroupID: cfg.Group, GenerationID: -1, Topics: commits}); err != nil {
		t.Fatal(err)
	}
}
