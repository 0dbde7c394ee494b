package rules

import (
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// Groups returns the rule groups with their state, none before Run and after it.
func (e *Evaluator) Groups() []*promrules.Group {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.manager == nil {
		return nil
	}
	return e.manager.RuleGroups()
}

// Recorded returns the series of the last Config.Lookback that rules read or
// wrote.
func (e *Evaluator) Recorded() storage.Queryable { return e.memory }
