package app

import (
	"fmt"
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
	return objectives(slos)
}

func objectives(slos []plumbline.SLO) ([]plumbline.Objective, error) {
	all := make([]plumbline.Objective, 0, len(slos))
	for _, slo := range slos {
		set, err := rules.PairsFor(slo)
		if err != nil {
			return nil, fmt.Errorf("SLO %s: %w", slo.Name, err)
		}
		o := plumbline.Objective{SLO: slo}
		for _, p := range set.Pairs {
			o.Pairs = append(o.Pairs, p.WindowPair)
		}
		all = append(all, o)
	}
	return all, nil
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
		dashboards.WithPage(base),
		dashboards.WithRunbooks(base + "/runbooks"),
	}
}

// DescribeSLOs checks one OpenSLO file and says in a line what it becomes.
func DescribeSLOs(file string) (string, error) {
	slos, err := rules.ParseFile(file)
	if err != nil {
		return "", err
	}
	all, err := objectives(slos)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, o := range all {
		var windows []string
		for _, p := range o.Pairs {
			windows = append(windows, fmt.Sprintf("%s over %s and %s at burn %.3g", p.Severity, plumbline.WindowName(p.Long), plumbline.WindowName(p.Short), p.Factor))
		}
		parts = append(parts, fmt.Sprintf("%s (%s): %s", o.SLO.Name, o.SLO.Model, strings.Join(windows, "; ")))
	}
	return strings.Join(parts, "\n  "), nil
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
