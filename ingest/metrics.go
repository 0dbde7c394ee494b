package ingest

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// metrics are ingest's figures about itself.
type metrics struct {
	events   *prometheus.CounterVec // topic, result
	letters  *prometheus.CounterVec // topic, reason
	unknown  *prometheus.CounterVec // topic
	batches  *prometheus.CounterVec // topic
	rows     *prometheus.CounterVec // table
	replays  *prometheus.CounterVec // topic
	retries  *prometheus.CounterVec // operation
	leftOut  *prometheus.CounterVec // topic
	lag      *prometheus.GaugeVec   // topic, partition
	age      *prometheus.GaugeVec   // topic, partition
	parked   *prometheus.GaugeVec   // topic, partition
	paused   *prometheus.GaugeVec   // topic, partition
	insert   *prometheus.HistogramVec
	commit   prometheus.Histogram
	inserted *prometheus.CounterVec // table
	headroom *prometheus.GaugeVec   // table
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "plumbline", Subsystem: "ingest", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "plumbline", Subsystem: "ingest", Name: name, Help: help}, labels)
	}
	latency := prometheus.ExponentialBuckets(0.001, 2, 16)
	m := &metrics{
		events:  counter("events_total", "Events by what became of them: stored, dead (refused) or skipped (no event of ours).", "topic", "result"),
		letters: counter("dead_letters_total", "Records sent to the dead-letter topic, by reason.", "topic", "reason"),
		unknown: counter("unknown_fields_total", "Top-level fields of events that the schema does not know; they are skipped.", "topic"),
		batches: counter("batches_total", "Batches stored and committed.", "topic"),
		rows:    counter("rows_total", "Rows stored, markers of rollups not counted.", "table"),
		replays: counter("replays_total", "Batches that were begun before and looked up before they were finished.", "topic"),
		retries: counter("retries_total", "Attempts that failed and were made again.", "operation"),
		leftOut: counter("raw_left_out_total", "Predictions that were rolled up and stored without their raw rows, because the disk is nearly full.", "topic"),
		lag:     gauge("lag_records", "Records of a partition that Kafka has and that are not stored yet.", "topic", "partition"),
		age:     gauge("unstored_age_seconds", "Time since the oldest record of a partition that is fetched and not stored yet was fetched; 0 when nothing waits.", "topic", "partition"),
		parked:  gauge("parked", "1 while a partition is parked because of an error that no retry mends.", "topic", "partition"),
		paused:  gauge("paused", "1 while a partition is read only now and then because too many of its events are bad.", "topic", "partition"),
		insert: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "plumbline", Subsystem: "ingest", Name: "insert_seconds",
			Help: "Duration of one INSERT.", Buckets: latency}, []string{"table"}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "plumbline", Subsystem: "ingest", Name: "commit_seconds",
			Help: "Duration of one offset commit.", Buckets: latency}),
		inserted: counter("insert_partitions_total", "Inserts x ClickHouse partitions: what the deduplication window counts.", "table"),
		headroom: gauge("dedup_window_batches", "Deduplication window over the inserts x partitions of the last batch of one partition: how many such batches it remembers.", "table"),
	}
	for _, operation := range []string{"join", "partition", "session", "fence", "fetch", "lag", "look", "insert", "delete", "commit", "dead_letters", "notice"} {
		m.retries.WithLabelValues(operation)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.events, m.letters, m.unknown, m.batches, m.rows, m.replays, m.retries, m.leftOut, m.lag, m.age, m.parked, m.paused, m.insert, m.commit, m.inserted, m.headroom} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// start makes the series of a topic exist before their first event, so that a
// rate over them sees the first. Only predictions have raw rows that are left out.
func (m *metrics) start(topic string, predictions bool) {
	if predictions {
		m.leftOut.WithLabelValues(topic)
	}
	m.unknown.WithLabelValues(topic)
	m.replays.WithLabelValues(topic)
	m.events.WithLabelValues(topic, "stored")
	m.events.WithLabelValues(topic, "dead")
	m.events.WithLabelValues(topic, "skipped")
	m.batches.WithLabelValues(topic)
	for _, r := range decode.Reasons() {
		m.letters.WithLabelValues(topic, r.String())
	}
}

// startPartition makes the series of a partition exist before something is wrong with
// it; what is known to be wrong stays.
func (m *metrics) startPartition(at source) {
	partition := strconv.Itoa(at.Partition)
	m.parked.WithLabelValues(at.Topic, partition)
	m.paused.WithLabelValues(at.Topic, partition)
}
