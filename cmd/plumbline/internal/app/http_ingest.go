package app

import (
	ingesthttp "github.com/plumbline-slo/plumbline/ingest/http"
)

// mountIngest takes events over HTTP from those who hold a token, and produces
// them to the Kafka and the topics that ingest reads. It needs no ClickHouse, so
// that an outage there is Kafka's to buffer, as for any producer. Its part
// starts before the web server and so ends after it.
func (a *App) mountIngest(parts *stack) error {
	topics := a.cfg.Ingest.Topics
	s, err := ingesthttp.New(a.cfg.HTTPIngest, ingesthttp.Dependencies{
		Brokers: a.brokers, Dialer: a.dialer, Predictions: topics.Predictions, Labels: topics.Labels, Deployments: topics.Deployments, KPIs: topics.KPIs,
		Sources: a.cfg.Ingest.AllSources(), Limits: a.cfg.Ingest.Limits, Registry: a.registry, Log: a.log,
	})
	if err != nil {
		return err
	}
	for _, path := range ingesthttp.Paths() {
		a.web.mux.Handle(path, s.Handler())
	}
	parts.start("http ingest", s.Run)
	return nil
}
