package rules

import (
	"strings"

	"github.com/plumbline-slo/plumbline"
)

// runbookMissing is the page of the ticket that nothing is known.
const runbookMissing = "slo-missing"

// runbook links the SLO's own page, else the named one; empty without a folder
// of runbooks.
func runbook(slo plumbline.SLO, cfg GenerateConfig, name string) string {
	if slo.Runbook != "" {
		name = slo.Runbook
	}
	if strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") {
		return templateText(name)
	}
	if cfg.RunbookURL == "" {
		return ""
	}
	return templateText(strings.TrimSuffix(cfg.RunbookURL, "/")) + "/" + templateText(name) + ".md"
}
