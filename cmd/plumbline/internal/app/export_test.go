package app

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Recorder registers metrics and remembers what was registered, also what has no
// series yet.
type Recorder struct {
	prometheus.Registerer
	prometheus.Gatherer
	Registered []prometheus.Collector
}

// Register implements prometheus.Registerer.
func (r *Recorder) Register(c prometheus.Collector) error {
	r.Registered = append(r.Registered, c)
	return r.Registerer.Register(c)
}

// Record returns what remembers all that the service registers from now on.
func (a *App) Record() *Recorder {
	r := &Recorder{Registerer: a.registry.Registerer, Gatherer: a.registry.Gatherer}
	a.registry.Registerer = r
	return r
}
