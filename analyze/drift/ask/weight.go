package ask

import (
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Widened returns the options with which n requests of a reference are compared
// with m current ones: where the producers sample, noise is that of the
// deliveries they were counted from, as in an Answer.
func Widened(o measure.Options, reference, current drift.Sample, n, m uint64) measure.Options {
	return pair{reference: reference, current: current}.options(o, n, m)
}
