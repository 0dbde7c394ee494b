package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// shardOf chooses the shard of a partition by rendezvous: the one whose name
// and the partition's hash highest together. One more shard takes its share of
// the partitions and moves no other.
func shardOf(shards []*storage.DB, topic string, partition int) *storage.DB {
	best, highest := shards[0], uint64(0)
	for _, s := range shards {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", s.Shard(), topic, partition))
		if weight := binary.BigEndian.Uint64(sum[:8]); weight > highest {
			best, highest = s, weight
		}
	}
	return best
}

// settleOn decides where the partition is written: on the shard that its last
// commit names while a batch stands there unfinished, else on the one that is
// chosen for it. Both are asked what is known of the partition; all are where
// no commit says.
func (w *worker) settleOn(begun intent, ours bool) error {
	shards := w.i.db.Shards()
	w.home = shardOf(shards, w.at.Topic, w.at.Partition)
	w.db, w.known = w.home, shards
	if !ours {
		return nil
	}
	last := w.named(begun)
	switch {
	case last != nil:
		w.known = []*storage.DB{w.home}
		if last != w.home {
			w.known = append(w.known, last)
		}
		if begun.Last != nil {
			w.db = last
		}
	case begun.Last != nil:
		return w.parkWithout(begun, *begun.Last+1)
	}
	return nil
}

// parkWithout parks a partition whose rows before an offset are on a shard that is gone.
// Only people know whether it comes back.
func (w *worker) parkWithout(begun intent, before int64) error {
	return park("%s before %d was stored, or begun to be, on shard %q, which is not among clickhouse.shards: put it back, or, if it is gone for good, see what to do under PartitionParked in docs/runbooks/service.md", w.at, before, begun.Shard)
}

// named is the shard that a commit names, nil if it is there no more.
func (w *worker) named(begun intent) (shard *storage.DB) {
	for n, s := range w.i.db.Shards() {
		// What has no name was written before there were shards: on the first.
		if s.Shard() == begun.Shard || begun.Shard == "" && n == 0 {
			shard = s
		}
	}
	return shard
}

// table is the local table of the worker's shard: never a Distributed one.
func (w *worker) table(t plumbline.TableName) string { return w.db.Local(t) }

// idle is the metadata of a commit with no batch begun.
func (w *worker) idle() string { return intent{Epoch: w.at.Epoch, Shard: w.db.Shard()}.encode() }

// sync makes a shard's replica current before it is looked at.
func (w *worker) sync(ctx context.Context, db *storage.DB, tables ...plumbline.TableName) error {
	if err := db.Sync(ctx, tables...); err != nil {
		return fmt.Errorf("look for %s: %w", w.at, err)
	}
	return nil
}
