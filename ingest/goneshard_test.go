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
		reset  func(*testing.T, *twoShards, ingest.Config) // nil leaves the commits
		shards string
		stored string // where everything is at last
	}{
		"put back":   {nil, "ab", "ab"},
		"read again": {toEarliest, "b", "b"},
		"gone on":    {toCurrent, "b", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startShards(t)
			cfg := s.config(t)
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
				c.reset(t, s, cfg)
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

// toEarliest is kafka-consumer-groups --to-earliest.
func toEarliest(t *testing.T, s *twoShards, cfg ingest.Config) {
	commitAs(t, s.envs[0], cfg, 0, "")
}

// toCurrent is kafka-consumer-groups --to-current: the offsets without our metadata.
func toCurrent(t *testing.T, s *twoShards, cfg ingest.Config) {
	commits := map[string][]kafka.OffsetCommit{}
	for topic, partitions := range committed(t, s.envs[0], cfg) {
		for _, p := range partitions {
			commits[topic] = append(commits[topic], kafka.OffsetCommit{Partition: p.Partition, Offset: p.CommittedOffset})
		}
	}
	commit(t, s.envs[0], cfg, commits)
}
