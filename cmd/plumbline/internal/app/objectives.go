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

func objectives(slos []plumbline.SLO) ([]plumbline.Objective, error) { return rules.Objectives(slos) }

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

// DescribeSLOs checks one OpenSLO file and says in a line an SLO what it becomes.
// An SLO whose source nobody reads is correct, and is said to be inert.
func DescribeSLOs(file string) (string, error) {
	slos, err := rules.ParseFile(file)
	if err != nil {
		return "", err
	}
	var parts []string
	var active []plumbline.SLO
	for _, slo := range slos {
		if slo.Inert != "" {
			parts = append(parts, fmt.Sprintf("%s: correct OpenSLO that plumbline would refuse to serve: %s", slo.Name, slo.Inert))
			continue
		}
		active = append(active, slo)
	}
	all, err := objectives(active)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	for _, o := range all {
		if o.SLO.PartOf != "" {
			parts = append(parts, fmt.Sprintf("%s (%s): %s of %s at %g", o.SLO.Name, o.SLO.Model, "part", o.SLO.PartOf, o.SLO.Target))
			continue
		}
		var windows []string
		for _, p := range o.Pairs {
			windows = append(windows, fmt.Sprintf("%s over %s and %s at burn %.3g", p.Severity, plumbline.WindowName(p.Long), plumbline.WindowName(p.Short), p.Factor))
		}
		parts = append(parts, fmt.Sprintf("%s (%s): %s", o.SLO.Name, o.SLO.Model, strings.Join(append(windows, changesOf(o.SLO)...), "; ")))
	}
	return strings.Join(parts, "\n  "), nil
}

// changesOf says which of the workbook's pairs were lengthened or left out.
func changesOf(slo plumbline.SLO) []string {
	set, err := rules.PairsFor(slo)
	if err != nil {
		return nil // said already
	}
	var said []string
	for _, p := range set.Pairs {
		if p.Rederived {
			said = append(said, "re-derived: "+p.Reason)
		}
	}
	for _, r := range set.Refused {
		said = append(said, "left out: "+r.Name+": "+r.Reason)
	}
	return said
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
