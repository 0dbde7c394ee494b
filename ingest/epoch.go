package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// fingerprint is the record by which a life of a topic partition is told from
// another: kafka-go does not give the topic's id.
type fingerprint struct {
	Epoch  string
	Offset int64
	Time   int64 // Unix milliseconds
	CRC    int64 // CRC-32C of key and value
}

func (f fingerprint) sameRecord(o fingerprint) bool {
	return f.Offset == o.Offset && f.Time == o.Time && f.CRC == o.CRC
}

// epochOf names the epoch that begins with a record.
func epochOf(at source, f fingerprint) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d/%d/%d/%d", at.Cluster, at.Topic, at.Partition, f.Offset, f.Time, f.CRC))
	return hex.EncodeToString(sum[:6])
}

// epoch finds out which life of the partition this is, waiting for the first
// record of an empty one, and stores its fingerprint where the partition goes on if
// it is new there. first is the first offset that Kafka still has.
func (w *worker) epoch(ctx context.Context, c committed) (epoch string, first int64, err error) {
	stored, known, here, err := w.latestEpoch(ctx)
	if err == nil && !known && c.Offset >= 0 {
		w.known = w.i.db.Shards() // the one that the commit names may have lost its disk
		stored, known, here, err = w.latestEpoch(ctx)
	}
	if err != nil {
		return "", 0, err
	}
	first, end, err := w.i.coordination.bounds(ctx, w.at.Topic, w.at.Partition)
	if err != nil {
		return "", 0, err
	}
	w.since = first
	if known {
		changed, err := w.epochChanged(ctx, stored, first, end)
		if err != nil {
			return "", 0, err
		}
		var back int64
		if changed == "" {
			w.since = stored.Offset
			if back, err = w.setBack(ctx, stored.Epoch, c, end); err != nil {
				return "", 0, err
			}
		}
		switch {
		case changed != "":
			w.i.notice(ctx, NoticeNewEpoch, w.at.String(), "%s was recreated (%s): it is read from its beginning as a new epoch.", w.at, changed)
		case back >= 0:
			w.since = back
		case !here:
			return stored.Epoch, first, w.storeEpoch(ctx, stored)
		default:
			return stored.Epoch, first, w.refreshEpoch(ctx, stored, first, end)
		}
	}
	f, err := w.recordAt(ctx, w.since)
	if err != nil {
		return "", 0, err
	}
	f.Epoch = epochOf(w.at, f)
	return f.Epoch, first, w.storeEpoch(ctx, f)
}

// looksAtTheEnd is how often a partition is asked for its end, an idleWait apart, until
// it is believed to end before what it gave out: a leader that was elected just now
// learns its end from the others first.
const looksAtTheEnd = 10

// setBack returns where a partition ends of which more was read than it has, though its
// first record is the one that was seen; -1 if it has all. Its leader lost the end of
// its log, or a backup of it was restored: what is produced now takes the offsets of
// what was lost, and is of another epoch, that begins there. Until 2026-11-23 none of it
// was read before it had passed what was stored.
func (w *worker) setBack(ctx context.Context, epoch string, c committed, end int64) (int64, error) {
	w.at.Epoch = epoch
	if err := w.findComplete(ctx); err != nil {
		return 0, err
	}
	read := w.complete
	if i, ok, _ := parseIntent(c.Metadata); ok && i.Epoch == epoch {
		read = max(read, c.Offset)
	}
	// The end was asked for before what is stored, and another owner may have stored
	// since.
	for range looksAtTheEnd {
		if end >= read {
			return -1, nil
		}
		sleep(ctx, idleWait)
		var err error
		if _, end, err = w.i.coordination.bounds(ctx, w.at.Topic, w.at.Partition); err != nil {
			return 0, err
		}
	}
	w.i.notice(ctx, NoticeNewEpoch, w.at.String(), "%s was set back: it ends at %d, and what was before %d had been read. What comes from %d on is read as a new epoch; what is stored stays.", w.at, end, read, end)
	return end, nil
}

// epochChanged returns why the partition cannot be the one whose fingerprint is
// stored, or nothing.
func (w *worker) epochChanged(ctx context.Context, stored fingerprint, first, end int64) (string, error) {
	if end <= stored.Offset {
		return fmt.Sprintf("it ends at %d, before the record %d that was seen", end, stored.Offset), nil
	}
	if stored.Offset >= first {
		now, err := w.recordAt(ctx, stored.Offset)
		if err != nil {
			return "", err
		}
		if !now.sameRecord(stored) {
			return fmt.Sprintf("record %d is another than the one seen before", stored.Offset), nil
		}
	}
	return "", nil // where retention has dropped the record, only the end can contradict
}

// refreshEpoch stores a younger fingerprint of the same epoch once retention
// has dropped the record of the old one.
func (w *worker) refreshEpoch(ctx context.Context, stored fingerprint, first, end int64) error {
	if stored.Offset >= first || first >= end {
		return nil
	}
	f, err := w.recordAt(ctx, first)
	if err != nil {
		return err
	}
	f.Epoch = stored.Epoch
	return w.storeEpoch(ctx, f)
}

// recordAt reads the fingerprint of the first record at or after an offset,
// waiting until there is one.
func (w *worker) recordAt(ctx context.Context, offset int64) (f fingerprint, err error) {
	for found := false; !found; {
		if ctx.Err() != nil {
			return f, ctx.Err()
		}
		next, _, err := w.fetcher.fetch(ctx, offset, idleWait, func(rec *record) error {
			f = fingerprint{Offset: rec.Offset, Time: rec.Known, CRC: int64(fingerprintCRC(rec.Key, rec.Value))}
			found = true
			return errStop
		})
		if err != nil {
			return f, err
		}
		offset = next
	}
	return f, nil
}

// latestEpoch returns the fingerprint that was seen last on any shard, and
// whether the one that is chosen for the partition has that epoch. (Not the one that
// is written: a batch that turns out to be finished on a former shard leads home at
// once, and the next owner asks nobody but the home for the epoch.)
func (w *worker) latestEpoch(ctx context.Context) (latest fingerprint, known, here bool, err error) {
	var seen time.Time
	own := ""
	for _, db := range w.known {
		f, at, err := w.storedEpoch(ctx, db)
		if err != nil {
			return latest, false, false, err
		}
		if db == w.home {
			own = f.Epoch
		}
		if f.Epoch != "" && (!known || at.After(seen)) {
			latest, seen, known = f, at, true
		}
	}
	w.seen = seen.UnixMilli()
	return latest, known, own == latest.Epoch, nil
}

// storedEpoch returns the latest fingerprint on a shard, if there is one, and
// when it was seen.
func (w *worker) storedEpoch(ctx context.Context, db *storage.DB) (f fingerprint, seen time.Time, err error) {
	if err := w.sync(ctx, db, plumbline.TableEpochs); err != nil {
		return f, seen, err
	}
	var at time.Time
	rows, err := db.Conn().Query(ctx, "SELECT epoch, offset, record_time, crc, seen FROM "+db.Local(plumbline.TableEpochs)+
		" WHERE topic = {topic:String} AND partition = {partition:Int32} ORDER BY seen DESC LIMIT 1",
		clickhouse.Named("topic", w.at.Topic), clickhouse.Named("partition", fmt.Sprint(w.at.Partition)))
	if err != nil {
		return f, seen, fmt.Errorf("read epoch of %s: %w", w.at, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&f.Epoch, &f.Offset, &at, &f.CRC, &seen); err != nil {
			return f, seen, fmt.Errorf("read epoch of %s: %w", w.at, err)
		}
		f.Time = at.UnixMilli()
	}
	return f, seen, rows.Err()
}

// had reports whether a shard has ever had an epoch.
func (w *worker) had(ctx context.Context, epoch string) (bool, error) {
	for _, db := range w.known {
		var n uint64
		row := db.Conn().QueryRow(ctx, "SELECT count() FROM "+db.Local(plumbline.TableEpochs)+
			" WHERE topic = {topic:String} AND partition = {partition:Int32} AND epoch = {epoch:String}",
			clickhouse.Named("topic", w.at.Topic), clickhouse.Named("partition", fmt.Sprint(w.at.Partition)), clickhouse.Named("epoch", epoch))
		if err := row.Scan(&n); err != nil {
			return false, fmt.Errorf("read epochs of %s: %w", w.at, err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

func (w *worker) storeEpoch(ctx context.Context, f fingerprint) error {
	c := columnsOf(plumbline.TableEpochs, 1)
	c.constant("topic", w.at.Topic)
	fixed(c, "partition", []int32{int32(w.at.Partition)})
	c.constant("epoch", f.Epoch)
	fixed(c, "offset", []int64{f.Offset})
	fixed(c, "record_time", []int64{storable(f.Time)})
	fixed(c, "crc", []int64{f.CRC})
	// The one seen last is the epoch, also where the clock was ahead then, or another
	// process's is. (Until 2026-11-23 a topic that was recreated then was taken for its
	// former life, and what was in it not read, or read twice.)
	seen := max(w.i.now().UnixMilli(), w.seen+1)
	fixed(c, "seen", []int64{seen})
	rec := c.record()
	defer rec.Release()
	token := fmt.Sprintf("%s/%s/%d/epoch/%s/%d/%d", w.at.Cluster, w.at.Topic, w.at.Partition, f.Epoch, f.Offset, seen)
	// In no session: it follows no intent, and stored late or twice it is still
	// true, with the time at which it was seen.
	if err := w.home.Insert(ctx, plumbline.TableEpochs, token, rec); err != nil {
		return fmt.Errorf("store epoch of %s: %w", w.at, err)
	}
	return nil
}

// clusterID returns the id by which the Kafka cluster names itself.
func (i *Ingester) clusterID(ctx context.Context, topic string) (string, error) {
	client := i.coordination.get()
	r, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		i.coordination.renew(client)
		return "", fmt.Errorf("read cluster id: %w", err)
	}
	return r.ClusterID, nil
}
