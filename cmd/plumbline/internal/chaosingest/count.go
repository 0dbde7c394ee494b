package chaosingest

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// place is a topic partition, by the raw table of the topic.
type place struct {
	table     plumbline.TableName
	partition int
}

// ends are the numbers of records of the partitions.
type ends map[place]int64

func (e ends) total() (n int64) {
	for _, end := range e {
		n += end
	}
	return n
}

// ends asks Kafka where the partitions end.
func (w *world) ends(ctx context.Context) (ends, error) {
	found := make(ends)
	for table, topic := range w.topics() {
		var ask []kafka.OffsetRequest
		for p := range partitions {
			ask = append(ask, kafka.LastOffsetOf(p))
		}
		answer, err := w.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
		if err != nil {
			return nil, fmt.Errorf("ends of %s: %w", topic, err)
		}
		if n := len(answer.Topics[topic]); n != partitions {
			return nil, fmt.Errorf("ends of %s: of %d partitions", topic, n)
		}
		for _, p := range answer.Topics[topic] {
			if p.Error != nil {
				return nil, fmt.Errorf("ends of %s/%d: %w", topic, p.Partition, p.Error)
			}
			found[place{table, p.Partition}] = p.LastOffset
		}
	}
	return found, nil
}

// tally is what was found wrong, added up over the partitions; what is too much
// in one never makes up for what lacks in another.
type tally struct {
	wrong, lost, doubled, rolled, letters, dead int64
}

// count compares, a partition at a time, what is stored and rolled up with what
// was produced, and the rollups with their recomputation. planned says that one
// plan has decoded everything, so that the bad events are known beforehand.
func (w *world) count(ctx context.Context, planned bool) ([]figure.Figure, error) {
	return w.countWith(ctx, make(ends), planned)
}

// countWith also counts what former lives of the topics held.
func (w *world) countWith(ctx context.Context, former ends, planned bool) ([]figure.Figure, error) {
	produced, err := w.ends(ctx)
	if err != nil {
		return nil, err
	}
	for at, n := range former {
		produced[at] += n
	}
	letters, err := w.letters(ctx)
	if err != nil {
		return nil, err
	}
	var t tally
	for table := range w.topics() {
		for p := range partitions {
			at := place{table, p}
			if err := w.countPlace(ctx, at, produced[at], letters, len(former) > 0, &t); err != nil {
				return nil, err
			}
		}
	}
	figures := []figure.Figure{
		figure.AtLeast("events produced", float64(produced.total()), "events", 1),
		figure.Exactly("events the producer sent less those in Kafka", float64(w.feed.sent.Load()-produced.total()), "events", 0),
		figure.Exactly("partitions with a difference between produced, stored, dead and rolled up", float64(t.wrong), "partitions", 0),
		figure.Exactly("events lost", float64(t.lost), "events", 0),
		figure.Exactly("events doubled", float64(t.doubled), "events", 0),
		figure.Exactly("predictions rolled up more or less often than once", float64(t.rolled), "events", 0),
		figure.Exactly("refused events without a dead letter", float64(t.letters), "events", 0),
	}
	if planned {
		figures = append(figures, figure.Exactly("refused events less bad events produced", float64(t.dead)-float64(w.feed.dead), "events", 0))
	}
	rest, err := w.countRollups(ctx)
	return append(figures, rest...), err
}

func (w *world) countRollups(ctx context.Context) ([]figure.Figure, error) {
	report, err := verify.Run(ctx, w.db.Conn(), verify.Options{From: w.start.Add(-2 * time.Hour), To: time.Now().Add(time.Hour)})
	if err != nil {
		return nil, err
	}
	var compared, differing uint64
	for _, t := range report.Tables {
		compared += t.Keys
		differing += t.Differing
		for _, d := range t.Differences {
			fmt.Fprintf(w.Text, "  %s: %s\n", t.Table, d)
		}
	}
	generations, err := w.generations()
	if err != nil {
		return nil, err
	}
	return []figure.Figure{
		figure.AtLeast("rollup rows compared", float64(compared), "rows", 1),
		figure.Exactly("rollup rows that differ from the recomputation", float64(differing), "rows", 0),
		figure.Exactly("workers that ended by themselves", float64(w.fleet.crashes.Load()), "workers", 0),
		figure.AtLeast("rebalances", float64(generations), "generations", 1),
		figure.AtLeast("batches", float64(w.fleet.batches()), "batches", 1),
	}, nil
}

// countPlace adds what is wrong with one partition to the tally.
func (w *world) countPlace(ctx context.Context, at place, produced int64, letters map[place]map[int64]bool, recreated bool, t *tally) error {
	conn, topic, partition := w.db.Conn(), w.topics()[at.table], at.partition
	where := fmt.Sprintf(" FROM %s WHERE _topic = '%s' AND _partition = %d", at.table, topic, partition)
	var stored, distinct uint64
	if err := conn.QueryRow(ctx, "SELECT count(), uniqExact(_epoch, _offset)"+where).Scan(&stored, &distinct); err != nil {
		return fmt.Errorf("count %s/%d: %w", topic, partition, err)
	}
	var events, dead uint64
	query := fmt.Sprintf("SELECT sum(events), sum(dead) FROM batches FINAL WHERE table = '%s' AND topic = '%s' AND partition = %d", at.table, topic, partition)
	if err := conn.QueryRow(ctx, query).Scan(&events, &dead); err != nil {
		return fmt.Errorf("count batches of %s/%d: %w", topic, partition, err)
	}
	rolled := stored
	if at.table == plumbline.TablePredictions {
		query := fmt.Sprintf("SELECT sum(count) FROM series_hour WHERE model = '%s' AND series = 'requests' AND segment = ''", model(partition))
		if err := conn.QueryRow(ctx, query).Scan(&rolled); err != nil {
			return fmt.Errorf("count rollups of %s/%d: %w", topic, partition, err)
		}
	}
	missing := int64(0)
	if !recreated { // otherwise nothing bad was produced, and dead must be 0
		var offsets []int64
		if err := conn.QueryRow(ctx, "SELECT groupUniqArray(_offset)"+where).Scan(&offsets); err != nil {
			return fmt.Errorf("read offsets of %s/%d: %w", topic, partition, err)
		}
		missing = unaccounted(produced, offsets, letters[at])
	}
	fmt.Fprintf(w.Text, "  %-12s partition %d: produced %7d, stored %7d, distinct %7d, dead %5d, rolled up %7d\n", at.table, partition, produced, stored, distinct, dead, rolled)
	lost, doubled := abs(produced-int64(distinct)-int64(dead)), int64(stored)-int64(distinct)
	off := abs(int64(rolled) - int64(distinct))
	if lost+doubled+off+missing+abs(int64(events)-produced) > 0 {
		t.wrong++
	}
	t.lost += lost
	t.doubled += doubled
	t.rolled += off
	t.letters += missing
	t.dead += int64(dead)
	return nil
}

// unaccounted returns how many offsets below end are neither stored nor have a
// dead letter.
func unaccounted(end int64, stored []int64, letters map[int64]bool) (n int64) {
	there := make(map[int64]bool, len(stored))
	for _, offset := range stored {
		there[offset] = true
	}
	for offset := range end {
		if !there[offset] && !letters[offset] {
			n++
		}
	}
	return n
}

func abs(n int64) int64 { return max(n, -n) }

// letters reads the dead letters and returns the offsets they are about.
func (w *world) letters(ctx context.Context) (map[place]map[int64]bool, error) {
	tables := make(map[string]plumbline.TableName)
	for table, topic := range w.topics() {
		tables[topic] = table
	}
	topic := w.cfg.Topics.DeadLetters
	answer, err := w.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(0)}}})
	if err != nil || len(answer.Topics[topic]) != 1 {
		return nil, fmt.Errorf("end of %s: %w", topic, err)
	}
	found := make(map[place]map[int64]bool)
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: w.brokers, Topic: topic, MaxBytes: 8 << 20, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	for range answer.Topics[topic][0].LastOffset {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read dead letters: %w", err)
		}
		headers := make(map[string]string)
		for _, h := range m.Headers {
			headers[h.Key] = string(h.Value)
		}
		partition, err := strconv.Atoi(headers["__connect.errors.partition"])
		if err != nil {
			return nil, fmt.Errorf("dead letter %d: %w", m.Offset, err)
		}
		offset, err := strconv.ParseInt(headers["__connect.errors.offset"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("dead letter %d: %w", m.Offset, err)
		}
		at := place{tables[headers["__connect.errors.topic"]], partition}
		if found[at] == nil {
			found[at] = make(map[int64]bool)
		}
		found[at][offset] = true
	}
	return found, nil
}

var generation = regexp.MustCompile(`generation=(\d+)`)

// generations returns how often the group was rebalanced, from the logs.
func (w *world) generations() (most int, err error) {
	log, err := os.ReadFile(w.logOf(w.name))
	if err != nil {
		return 0, err
	}
	for _, found := range generation.FindAllSubmatch(log, -1) {
		n, err := strconv.Atoi(string(found[1]))
		if err != nil {
			return 0, err
		}
		most = max(most, n)
	}
	return most, nil
}
