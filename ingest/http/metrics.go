package ingesthttp

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// What became of an event, as the metric says it.
const (
	resultAccepted       = "accepted"
	resultRejected       = "rejected"
	resultUnacknowledged = "unacknowledged"
)

type metrics struct {
	requests *prometheus.CounterVec // kind, code
	events   *prometheus.CounterVec // kind, result
	rejected *prometheus.CounterVec // kind, reason
}

func newMetrics(reg prometheus.Registerer, load *pressure) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "plumbline", Subsystem: "ingest_http", Name: name, Help: help}
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts(name, help)), value)
	}
	m := &metrics{
		requests: counter("requests_total", "Requests to send events, by kind of event and status.", "kind", "code"),
		events:   counter("events_total", "Events of requests by what became of them: accepted, rejected, or unacknowledged by Kafka.", "kind", "result"),
		rejected: counter("rejected_total", "Events that were rejected, by reason.", "kind", "reason"),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.events, m.rejected,
		gauge("requests_in_flight", "Requests under way.", func() float64 { n, _ := load.underWay(); return float64(n) }),
		gauge("in_flight_bytes", "Memory held for the bodies of requests under way.", func() float64 { _, n := load.underWay(); return float64(n) }),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of HTTP ingest: %w", err)
		}
	}
	return m, nil
}

// start makes the series of a kind exist before their first event, so that a
// rate over them sees the first.
func (m *metrics) start(kind string) {
	for _, result := range []string{resultAccepted, resultRejected, resultUnacknowledged} {
		m.events.WithLabelValues(kind, result)
	}
	for _, r := range decode.Reasons() {
		m.rejected.WithLabelValues(kind, r.String())
	}
}

func (m *metrics) count(kind string, a answer) {
	m.events.WithLabelValues(kind, resultAccepted).Add(float64(a.Accepted))
	m.events.WithLabelValues(kind, resultRejected).Add(float64(len(a.Rejected)))
	m.events.WithLabelValues(kind, resultUnacknowledged).Add(float64(len(a.Unacknowledged)))
	for _, r := range a.Rejected {
		m.rejected.WithLabelValues(kind, r.Reason).Inc()
	}
}
