package app

import (
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards"
	"github.com/plumbline-slo/plumbline/rules"
)

// Objectives reads the SLO files and derives their window pairs.
func (c Config) Objectives() ([]plumbline.Objective, error) {
	slos, err := c.SLOs()
	if err != nil {
		return nil, err
	}
	return rules.Objectives(slos)
}

// GenerateRules returns how rules link to a service at the given address.
func (c Config) GenerateRules(base string) rules.GenerateConfig {
	cfg := rules.DefaultGenerateConfig()
	cfg.PageURL, cfg.RunbookURL, cfg.DashboardURL = base+"/", base+"/runbooks", c.onCallURL()
	return cfg
}

// DashboardOptions returns what the dashboards draw and link to.
func (c Config) DashboardOptions(objectives []plumbline.Objective, base string) []dashboards.Option {
	return []dashboards.Option{
		dashboards.WithObjectives(objectives...),
		dashboards.WithPartial(c.partialModels()...),
		dashboards.WithPage(base),
		dashboards.WithRunbooks(base + "/runbooks"),
	}
}

// partialModels are the models that decide themselves which predictions ever get a
// label.
func (c Config) partialModels() (names []plumbline.Model) {
	for _, m := range c.Models {
		if m.Feedback.Partial() {
			names = append(names, m.Name)
		}
	}
	return names
}

func (c Config) declaredModels() []plumbline.Model {
	names := make([]plumbline.Model, len(c.Models))
	for i, m := range c.Models {
		names[i] = m.Name
	}
	return names
}

// onCallURL is the on-call dashboard in the configured Grafana, if there is one.
func (c Config) onCallURL() string {
	if c.Dashboards.GrafanaURL == "" {
		return ""
	}
	return strings.TrimSuffix(c.Dashboards.GrafanaURL, "/") + "/d/" + dashboards.OnCallUID
}
