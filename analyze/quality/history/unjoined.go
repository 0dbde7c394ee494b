package history

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

//go:embed sql/joined.sql
var joinedSQL string

//go:embed sql/unjoined.sql
var unjoinedSQL string

// Unjoined is labels of one topic partition that are stored and that the join has not
// come to.
type Unjoined struct {
	Topic, Epoch string
	Partition    int32
	// JoinedBefore is the offset before which everything is joined.
	JoinedBefore int64
	Labels       uint64
	// Oldest is when the first of them became known.
	Oldest time.Time
}

// Name is how the partition is spelt.
func (u Unjoined) Name() string {
	return u.Topic + "/" + u.Epoch + "/" + strconv.Itoa(int(u.Partition))
}

// spanned is more offsets than a batch spans, unless its configuration allows more. One
// that is larger, was stored again with other boundaries after a takeover and lies
// across a cursor is not seen before the next batch is there.
const spanned = 100_000

// Unjoined returns the topic partitions with labels that the join has not come to, as
// the view unjoined_labels does. What it reads does not grow with what was ever stored:
// per partition a hundred thousand offsets, and what waits.
func (r Reader) Unjoined(ctx context.Context) ([]Unjoined, error) {
	followed, err := r.unjoined(ctx, joinedSQL, nil, func(u *Unjoined) []any { return []any{&u.JoinedBefore} })
	if err != nil {
		return nil, fmt.Errorf("read how far labels are joined: %w", err)
	}
	before := make(map[string]int64, len(followed))
	for i := range followed {
		followed[i].JoinedBefore++ // the first that is not
		before[followed[i].Name()] = followed[i].JoinedBefore
	}
	condition, parameters := beyond(followed)
	waiting, err := r.unjoined(ctx, strings.Replace(unjoinedSQL, "/*beyond*/", condition, 1), parameters, func(u *Unjoined) []any { return []any{&u.Labels, &u.Oldest} })
	if err != nil {
		return nil, fmt.Errorf("read which labels are not joined: %w", err)
	}
	for i, u := range waiting {
		waiting[i].JoinedBefore = before[u.Name()]
	}
	return waiting, nil
}

// beyond returns the condition for batches after the cursors, and its parameters.
func beyond(followed []Unjoined) (condition string, parameters []any) {
	if len(followed) == 0 {
		return "1", nil
	}
	var ranges, known []string
	for i, u := range followed {
		n := strconv.Itoa(i)
		ranges = append(ranges, "(topic = {t"+n+":String} AND epoch = {e"+n+":String} AND partition = {p"+n+":Int32} AND first > {j"+n+":Int64} - "+strconv.Itoa(spanned)+" AND last >= {j"+n+":Int64})")
		known = append(known, "({t"+n+":String}, {e"+n+":String}, {p"+n+":Int32})")
		parameters = append(parameters, clickhouse.Named("t"+n, u.Topic), clickhouse.Named("e"+n, u.Epoch), clickhouse.Named("p"+n, u.Partition), clickhouse.Named("j"+n, u.JoinedBefore))
	}
	return strings.Join(ranges, " OR ") + " OR (topic, epoch, partition) NOT IN (" + strings.Join(known, ", ") + ")", parameters
}

// unjoined reads rows of a partition each, and what else a statement selects.
func (r Reader) unjoined(ctx context.Context, statement string, parameters []any, more func(*Unjoined) []any) ([]Unjoined, error) {
	rows, err := r.Conn.Query(ctx, statement, parameters...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Unjoined
	for rows.Next() {
		var u Unjoined
		if err := rows.Scan(append([]any{&u.Topic, &u.Epoch, &u.Partition}, more(&u)...)...); err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, rows.Err()
}

// Waiting counts labels that became known before an instant, and are stored and not
// joined: of a partition all, if one of them did. Of which models they are is not known
// before they are joined. A zero instant is now.
func Waiting(all []Unjoined, asOf time.Time) (labels uint64) {
	for _, u := range all {
		if asOf.IsZero() || u.Oldest.Before(asOf) {
			labels += u.Labels
		}
	}
	return labels
}

// WaitingInWords is what people are told of labels that wait; empty where none do.
func WaitingInWords(labels uint64) string {
	switch labels {
	case 0:
		return ""
	case 1:
		return "1 label, of this or another model, is stored and waits to be joined: it counts nowhere yet"
	}
	return fmt.Sprintf("%d labels, of this or another model, are stored and wait to be joined: they count nowhere yet", labels)
}
