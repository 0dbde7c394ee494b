package app

import (
	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/ask"
)

// Slices are the declared segments of every model, in the words of questions about
// quality.
func (c Config) Slices() map[plumbline.Model]ask.Slices {
	all := map[plumbline.Model]ask.Slices{}
	for model, declared := range c.Ingest.Segments {
		s := ask.Slices{Values: map[string][]string{}}
		for _, segment := range declared.Segments {
			if len(segment.Joint) > 0 {
				s.Joint = append(s.Joint, segment.Joint)
				continue
			}
			s.Values[segment.Name] = segment.Values
		}
		all[model] = s
	}
	return all
}
