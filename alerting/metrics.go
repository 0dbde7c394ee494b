package alerting

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what the package tells about itself. Alertmanager's own metrics
// (alertmanager_*) live in a registry of their own, which the given one
// collects.
type metrics struct {
	received         prometheus.Counter
	refused          prometheus.Counter
	events           *prometheus.CounterVec
	explainFailures  prometheus.Counter
	journalFailures  prometheus.Counter
	seedFailures     prometheus.Counter
	storageFailures  *prometheus.CounterVec
	gossip           *prometheus.GaugeVec
	alertmanager     *prometheus.Registry
	requestDurations *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "plumbline", Subsystem: "alerting", Name: name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "plumbline", Subsystem: "alerting", Name: name, Help: help}, labels)
	}
	m := &metrics{
		received:        counter("alerts_received_total", "Alerts taken from the rules."),
		refused:         counter("alerts_refused_total", "Alerts from the rules that were not valid or could not be stored."),
		events:          vec("events_total", "Notices to people by channel and kind (opened, notified, resolved, unrouted).", "channel", "kind"),
		explainFailures: counter("explain_failures_total", "Notices that went out without an explanation."),
		journalFailures: counter("journal_failures_total", "Incident events that could not be recorded."),
		seedFailures:    counter("seed_failures_total", "Starts without the alerts that the rules knew to be firing."),
		storageFailures: vec("storage_failures_total", "Writes to the data directory that did not succeed, by file.", "file"),
		gossip: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "plumbline", Subsystem: "alerting", Name: "gossip_state_bytes",
			Help: "What a replica tells another when they compare everything, by state; from 20 MiB on, the other takes none of it.",
		}, []string{"state"}),
		alertmanager: prometheus.NewRegistry(),
		requestDurations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "alertmanager_http_request_duration_seconds", Help: "Latencies of API requests.", Buckets: prometheus.DefBuckets,
		}, []string{"handler", "method", "code"}),
	}
	if err := m.alertmanager.Register(m.requestDurations); err != nil {
		return nil, fmt.Errorf("register alerting metrics: %w", err)
	}
	for _, c := range []prometheus.Collector{
		m.received, m.refused, m.events, m.explainFailures, m.journalFailures, m.seedFailures, m.storageFailures, m.gossip, m.alertmanager,
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register alerting metrics: %w", err)
		}
	}
	return m, nil
}
