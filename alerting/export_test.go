package alerting

import (
	"context"

	"github.com/prometheus/common/model"
)

// Inhibits reports whether a firing alert inhibits one with these labels by now:
// the inhibitor learns of alerts by itself, some time after the dispatcher may
// have sent them.
func (s *Service) Inhibits(ctx context.Context, labels map[string]string) bool {
	set := model.LabelSet{}
	for name, value := range labels {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return s.core.inhibitor.Mutes(ctx, set)
}
