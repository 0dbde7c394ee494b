package baseline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/fetch"
)

// rowHeader is the Kafka header that names a row of an import: ID/ROW.
const rowHeader = "plumbline.baseline"

// state is how far an import came. It is the metadata of the offsets that its
// group has committed, the same at each of them.
type state struct {
	// ID names the import; Row is up to which row, that one left out, all is in.
	ID  string `json:"id"`
	Row int64  `json:"row"`
	// Options is the hash of the options, At the event time of rows without one
	// in milliseconds since 1970.
	Options string `json:"options"`
	At      int64  `json:"at"`
	Done    bool   `json:"done"`
	// Round counts the imports of the same content, from 1.
	Round int `json:"round"`
}

// place is a partition of a topic.
type place struct {
	topic     string
	partition int
}

// producer writes events to Kafka and finds those that are in.
type producer struct {
	group     string
	topics    []string // predictions, and labels where there are some
	client    *kafka.Client
	transport *kafka.Transport
	writer    *kafka.Writer
	fetches   fetch.Config
	// from is where a look begins: what lies before is accounted for.
	from map[place]int64
	// unsure says that something may be in behind from.
	unsure bool
}

// requestTimeout bounds one request.
const requestTimeout = 20 * time.Second

func newProducer(o Options, content string) *producer {
	k := &producer{
		group: groupOf(o, content), topics: []string{o.Predictions}, unsure: true,
		transport: o.Dialer.Transport("plumbline-baseline"), from: make(map[place]int64),
	}
	if o.Label != "" {
		k.topics = append(k.topics, o.Labels)
	}
	k.fetches = fetch.DefaultConfig()
	k.fetches.Brokers, k.fetches.Dial = o.Brokers, o.Dialer.DialContext
	k.client = &kafka.Client{Addr: kafka.TCP(o.Brokers...), Timeout: requestTimeout, Transport: k.transport}
	k.writer = &kafka.Writer{
		Addr: k.client.Addr, Transport: k.transport, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 10 * time.Millisecond, BatchSize: 1000, WriteTimeout: requestTimeout,
		MaxAttempts: 1, // a second attempt of the client could write a row twice
	}
	return k
}

// groupOf names the consumer group that holds the progress.
func groupOf(o Options, content string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.') {
			return r
		}
		return '_'
	}, string(o.Model))
	return "plumbline-baseline-" + name + "-" + content
}

func (k *producer) close() {
	// Every write was waited for, so nothing is left to flush.
	_ = k.writer.Close()
	k.transport.CloseIdleConnections()
}

// places returns the partitions of the topics.
func (k *producer) places(ctx context.Context) ([]place, error) {
	r, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: k.topics})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for its topics: %w", err)
	}
	var all []place
	for _, t := range r.Topics {
		if t.Error != nil {
			return nil, fmt.Errorf("topic %s: %w; the service makes its topics when it starts", t.Name, t.Error)
		}
		for _, p := range t.Partitions {
			all = append(all, place{t.Name, p.ID})
		}
	}
	return all, nil
}

// load reads the state of an earlier import of the same content to the model.
func (k *producer) load(ctx context.Context) (s state, ok bool, err error) {
	places, err := k.places(ctx)
	if err != nil {
		return state{}, false, err
	}
	asked := map[string][]int{}
	for _, p := range places {
		asked[p.topic] = append(asked[p.topic], p.partition)
	}
	r, err := k.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: k.group, Topics: asked})
	if err == nil {
		err = r.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) {
		return state{}, false, nil // some brokers say so of a group without offsets
	}
	if err != nil {
		return state{}, false, fmt.Errorf("read the progress of group %s: %w", k.group, err)
	}
	for topic, partitions := range r.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return state{}, false, fmt.Errorf("read the progress of group %s: %w", k.group, p.Error)
			}
			if p.CommittedOffset < 0 {
				continue
			}
			var at state
			if err := json.Unmarshal([]byte(p.Metadata), &at); err != nil {
				return state{}, false, fmt.Errorf("progress of group %s: %q is not what an import writes", k.group, p.Metadata)
			}
			if ok && at != s {
				return state{}, false, fmt.Errorf("progress of group %s: its partitions do not agree", k.group)
			}
			s, ok = at, true
			k.from[place{topic, p.Partition}] = p.CommittedOffset
		}
	}
	return s, ok, nil
}

// begin commits the first state, before anything is produced.
func (k *producer) begin(ctx context.Context, s state) error {
	k.unsure = false
	return k.commit(ctx, s)
}

// commit stores a state at the present ends of the topics: behind them nothing
// of the import is in.
func (k *producer) commit(ctx context.Context, s state) error {
	places, err := k.places(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	topics := map[string][]kafka.OffsetCommit{}
	ends := make(map[place]int64)
	for _, p := range places {
		_, end, err := k.bounds(ctx, p)
		if err != nil {
			return err
		}
		ends[p] = end
		topics[p.topic] = append(topics[p.topic], kafka.OffsetCommit{Partition: p.partition, Offset: end, Metadata: string(text)})
	}
	r, err := k.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: k.group, GenerationID: -1, Topics: topics})
	if err != nil {
		return fmt.Errorf("commit the progress: %w", err)
	}
	for topic, partitions := range r.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return fmt.Errorf("commit the progress of %s/%d: %w", topic, p.Partition, p.Error)
			}
		}
	}
	k.from, k.unsure = ends, false
	return nil
}

// send produces the events that are not in yet, and returns how many
// predictions and labels those were.
func (k *producer) send(ctx context.Context, s state, events []event) (predictions, labels int64, err error) {
	in := map[string]map[int64]bool{}
	if k.unsure {
		if in, err = k.look(ctx, s); err != nil {
			return 0, 0, err
		}
	}
	var messages []kafka.Message
	for _, e := range events {
		add := func(topic string, value []byte, n *int64) {
			if value == nil || in[topic][e.row] {
				return
			}
			*n++
			messages = append(messages, kafka.Message{
				Topic: topic, Key: []byte(e.id), Value: value,
				Headers: []kafka.Header{{Key: rowHeader, Value: strconv.AppendInt([]byte(s.ID+"/"), e.row, 10)}},
			})
		}
		add(k.topics[0], e.prediction, &predictions)
		if len(k.topics) > 1 {
			add(k.topics[1], e.label, &labels)
		}
	}
	if len(messages) == 0 {
		return 0, 0, nil
	}
	k.unsure = true
	if err := k.writer.WriteMessages(ctx, messages...); err != nil {
		// How many are in is found by the next look, which counts them as known.
		return 0, 0, fmt.Errorf("send %d events: %w", len(messages), err)
	}
	return predictions, labels, nil
}

// look returns the rows of an import that stand behind the committed offsets.
func (k *producer) look(ctx context.Context, s state) (map[string]map[int64]bool, error) {
	places, err := k.places(ctx)
	if err != nil {
		return nil, err
	}
	in := map[string]map[int64]bool{}
	for _, topic := range k.topics {
		in[topic] = map[int64]bool{}
	}
	for _, p := range places {
		first, end, err := k.bounds(ctx, p)
		if err != nil {
			return nil, err
		}
		if k.from[p] > 0 && k.from[p] < first {
			return nil, fmt.Errorf("%s/%d begins at %d now, and what the import wrote from %d on is gone: nobody knows which rows were sent", p.topic, p.partition, first, k.from[p])
		}
		err = k.scan(ctx, p, max(first, k.from[p]), end, func(rec fetch.Record) {
			for key, value := range rec.Headers() {
				if row, ok := rowOf(key, value, s.ID); ok {
					in[p.topic][row] = true
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return in, nil
}

func rowOf(key, value []byte, id string) (int64, bool) {
	rest, ok := strings.CutPrefix(string(value), id+"/")
	if string(key) != rowHeader || !ok {
		return 0, false
	}
	row, err := strconv.ParseInt(rest, 10, 64)
	return row, err == nil
}

// bounds returns the first offset of a partition and the one after its last.
func (k *producer) bounds(ctx context.Context, p place) (first, end int64, err error) {
	r, err := k.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{p.topic: {kafka.FirstOffsetOf(p.partition), kafka.LastOffsetOf(p.partition)}},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("list offsets of %s/%d: %w", p.topic, p.partition, err)
	}
	i := slices.IndexFunc(r.Topics[p.topic], func(o kafka.PartitionOffsets) bool { return o.Partition == p.partition })
	if i < 0 {
		return 0, 0, fmt.Errorf("list offsets of %s/%d: %w", p.topic, p.partition, kafka.UnknownTopicOrPartition)
	}
	o := r.Topics[p.topic][i]
	if o.Error != nil {
		return 0, 0, fmt.Errorf("list offsets of %s/%d: %w", p.topic, p.partition, o.Error)
	}
	return o.FirstOffset, o.LastOffset, nil
}

// patience is how often in a row a broker may answer a fetch below the end with
// nothing.
const patience = 5

// scan visits the records from one offset up to another, that one left out.
func (k *producer) scan(ctx context.Context, p place, from, end int64, visit func(fetch.Record)) (err error) {
	fetches, err := fetch.New(k.fetches)
	if err != nil {
		return err
	}
	partition := fetches.Partition(p.topic, p.partition)
	defer func() { err = errors.Join(err, partition.Close()) }()
	for empty := 0; from < end; {
		chunk, err := partition.Fetch(ctx, from, time.Second)
		if err != nil {
			return fmt.Errorf("read %s/%d at %d: %w", p.topic, p.partition, from, err)
		}
		for rec := range chunk.Records() {
			if rec.Offset < end {
				visit(rec)
			}
		}
		if empty++; chunk.Next > from {
			from, empty = chunk.Next, 0
		}
		if empty == patience {
			return fmt.Errorf("read %s/%d at %d: the broker sent nothing, though the partition ends at %d", p.topic, p.partition, from, end)
		}
	}
	return nil
}
