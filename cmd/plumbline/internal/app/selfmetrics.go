package app

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/plumbline-slo/plumbline/storage/engine"
)

// registry is where the parts register their metrics and where /metrics reads them.
type registry struct {
	prometheus.Registerer
	prometheus.Gatherer
}

// newRegistry returns a registry with the metrics of the process and of its build.
func newRegistry() registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return registry{r, r}
}

// buildInfo says what this binary was built from.
func buildInfo() prometheus.Collector {
	version, revision := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "plumbline_build_info", Help: "1, with what the binary was built from; revision is unknown if it was built outside of a repository.",
	}, []string{"version", "revision", "goversion"})
	build.WithLabelValues(version, revision, runtime.Version()).Set(1)
	return build
}

// registerEngine registers what is known of the embedded ClickHouse.
func registerEngine(r prometheus.Registerer, e *engine.Engine) error {
	for _, c := range []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "plumbline_engine_disk_used_ratio", Help: "Used share, 0 to 1, of the disk of the embedded ClickHouse's data directory; NaN while it cannot be looked at.",
		}, func() float64 {
			used, known := e.DiskUsed()
			if !known {
				return math.NaN()
			}
			return used
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "plumbline_engine_restarts_total", Help: "Times that the embedded ClickHouse came back after a crash.",
		}, func() float64 { return float64(e.Restarts()) }),
	} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register engine metrics: %w", err)
		}
	}
	return nil
}
