package dashboards_test

import (
	"flag"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// flights is the objective the tests draw: 85 % of labelled predictions are
// right, over 28 days.
func flights() plumbline.Objective {
	return plumbline.Objective{
		SLO: plumbline.SLO{
			Name: "flight-delay-accuracy", Model: "flight-delay", Owner: "ml-oncall",
			Measure: plumbline.MeasureAccuracy, Target: 0.85, Period: 28 * 24 * time.Hour, MinCoverage: 0.05, Runbook: "slo-burn",
		},
		Pairs: []plumbline.WindowPair{
			{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, BudgetShare: 0.003, Factor: 2},
			{Severity: plumbline.SeverityTicket, Long: 24 * time.Hour, Short: 2 * time.Hour, BudgetShare: 0.05, Factor: 1.4},
		},
	}
}

func options() []dashboards.Option {
	return []dashboards.Option{dashboards.WithPage("http://plumbline.example:9470/"), dashboards.WithObjectives(flights())}
}
