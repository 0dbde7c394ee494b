package app

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Recorder registers metrics and remembers what was registered, also what has no
// series yet.
type Recorder struct {
	prometheus.Registerer
	prometheus.Gatherer

	mu         sync.Mutex // rules register while the service runs
	registered []prometheus.Collector
}

// Registered returns what was registered so far.
func (r *Recorder) Registered() []prometheus.Collector {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.registered)
}

// Register implements prometheus.Registerer.
func (r *Recorder) Register(c prometheus.Collector) error {
	r.mu.Lock()
	r.registered = append(r.registered, c)
	r.mu.Unlock()
	return r.Registerer.Register(c)
}

// Record returns what remembers all that the service registers from now on.
func (a *App) Record() *Recorder {
	r := &Recorder{Registerer: a.registry.Registerer, Gatherer: a.registry.Gatherer}
	a.registry.Registerer = r
	return r
}
