package web

import (
	"fmt"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
)

// decidesItself is why there is no accuracy under partial feedback.
const decidesItself = "the model itself decides which predictions ever get a label, so that labels say nothing of the others"

// bounds are what accuracy is between where labels alone say nothing of the
// predictions that have none: all of those wrong, and all of them right.
type bounds struct{ Low, High float64 }

// String is how the page shows them; the words tell them from an interval, which
// would have a point in it.
func (b *bounds) String() string {
	if b == nil {
		return noData
	}
	return fmt.Sprintf("%s to %s", fixed(b.Low), fixed(b.High))
}

// boundsOf returns nil without a label.
func boundsOf(correct, labelled, requests int64) *bounds {
	if labelled <= 0 {
		return nil
	}
	all := float64(max(requests, labelled))
	return &bounds{Low: float64(correct) / all, High: 1 - float64(labelled-correct)/all}
}

// partial reports whether a model decides itself which of its predictions ever get
// a label.
func (c Config) partial(model string) bool {
	return slices.Contains(c.Partial, plumbline.Model(model))
}

// neverAlerts reports whether an SLO is on the accuracy of a model with partial
// feedback, of which labels say nothing.
func (c Config) neverAlerts(model, slo string) bool {
	return c.partial(model) && slices.ContainsFunc(c.Objectives, func(o plumbline.Objective) bool {
		return string(o.SLO.Model) == model && string(o.SLO.Name) == slo && o.SLO.SLI.Is(plumbline.SLIQuality)
	})
}
