package join

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// beatsPerTimeout is how many signs of life fit into the timeout.
const beatsPerTimeout = 6

// beat says that this process is there and reads who else is. All times are
// ClickHouse's, so that the clocks of processes do not matter.
func (j *Join) beat(ctx context.Context) error {
	if err := j.say(ctx, false); err != nil {
		return fmt.Errorf("say that this join is there: %w", err)
	}
	rows, err := j.db.Conn().Query(ctx, "SELECT member FROM "+string(plumbline.TableJoinMembers)+
		" GROUP BY member HAVING argMax(gone, seen) = 0 AND max(seen) > now64(3, 'UTC') - toIntervalMillisecond({gone:Int64}) ORDER BY member", clickhouse.Named("gone", j.cfg.MemberTimeout.Milliseconds()))
	if err != nil {
		return fmt.Errorf("read who joins: %w", err)
	}
	defer rows.Close()
	var members []string
	for rows.Next() {
		var member string
		if err := rows.Scan(&member); err != nil {
			return fmt.Errorf("read who joins: %w", err)
		}
		members = append(members, member)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read who joins: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.members = members
	return nil
}

// seen returns who was there when this process last looked.
func (j *Join) seen() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.members
}

// keepBeating says that this process is there until the context ends, however
// long a step takes: of a process that is silent for a step the others would take
// the partitions, and do its work a second time. It closes there when the process
// has been seen once, before which everybody's partitions are its own.
func (j *Join) keepBeating(ctx context.Context, there chan<- struct{}) {
	for first := true; ; {
		err := j.beat(ctx)
		if err != nil && ctx.Err() == nil {
			j.metrics.errors.Inc()
			j.log.Error("a sign of life of the join will be repeated", "err", err, "after", j.cfg.MemberTimeout/beatsPerTimeout)
		}
		if err == nil && first {
			first = false
			close(there)
		}
		if !rest(ctx, j.cfg.MemberTimeout/beatsPerTimeout) {
			return
		}
	}
}

func (j *Join) say(ctx context.Context, gone bool) error {
	db := j.db.Derived()
	insert := "INSERT INTO " + db.Local(plumbline.TableJoinMembers) + " (member, seen, gone) SELECT {member:String}, now64(3, 'UTC'), {gone:Bool}"
	return db.Conn().Exec(j.repeatable(ctx), insert, clickhouse.Named("member", j.member), clickhouse.Named("gone", gone))
}

// leave says that this process ends, so that its partitions need not wait for
// the timeout. A process that cannot say so is missed all the same.
func (j *Join) leave(ctx context.Context) {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := j.say(ctx, true); err != nil {
		j.metrics.errors.Inc()
		j.log.Warn("others take this join's work over after its timeout", "err", err)
	}
}

// owns reports whether a topic partition is this process's to follow: of those
// that are there, the one with the greatest hash of both (rendezvous hashing,
// Thaler & Ravishankar 1998), so that who comes or goes moves only its own share.
// While processes see others differently a partition may be followed twice, which
// costs work and changes nothing, or by nobody for as long as a beat.
func owns(member string, members []string, p partition) bool {
	weight := func(m string) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(m + "/" + p.key())) // never fails
		// FNV leaves the high bits of short texts alike.
		x := h.Sum64()
		x ^= x >> 33
		x *= 0xff51afd7ed558ccd
		x ^= x >> 33
		return x
	}
	own := weight(member)
	for _, other := range members {
		if w := weight(other); other != member && (w > own || w == own && other > member) {
			return false
		}
	}
	return true
}
