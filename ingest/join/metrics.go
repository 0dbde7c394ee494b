package join

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	labels, waiting, misdirected, late, predictions, mended, errors prometheus.Counter
}

// newMetrics registers the join's metrics, unless the registerer is nil.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "plumbline", Subsystem: "join", Name: name, Help: help})
	}
	m := &metrics{
		labels:      counter("labels_total", "Label rows followed; a repeated step counts them again."),
		waiting:     counter("labels_waiting_total", "Label rows whose prediction was not stored when they were followed: early, for an unknown id, or long after the retention of predictions."),
		misdirected: counter("labels_misdirected_total", "Waiting label rows whose id is a prediction's of another model: wrongly keyed, and never applied. At most a thousand of a step are looked for."),
		late:        counter("labels_late_total", "Label rows that came after the retention of their prediction, and are never applied."),
		predictions: counter("predictions_total", "Predictions whose outcome was computed, each time a label or delivery changed it."),
		mended:      counter("mended_total", "Times that a step summed cells again because another process had summed them at once."),
		errors:      counter("step_errors_total", "Steps that ended in an error and were repeated."),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.labels, m.waiting, m.misdirected, m.late, m.predictions, m.mended, m.errors} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(p Progress) {
	m.labels.Add(float64(p.Labels))
	m.waiting.Add(float64(p.Waiting))
	m.misdirected.Add(float64(p.Misdirected))
	m.late.Add(float64(p.Late))
	m.predictions.Add(float64(p.Predictions))
}
