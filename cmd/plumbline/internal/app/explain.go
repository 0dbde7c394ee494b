package app

import (
	"context"
	"errors"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// explainer tells alerting what the analyzers know of a deploy.
type explainer struct {
	runner *analyze.Runner
	base   string // external URL
	stored <-chan struct{}
}

// Explain implements alerting.Explainer.
func (x explainer) Explain(ctx context.Context, about alerting.Question) (alerting.Explanation, error) {
	select {
	case <-x.stored:
	case <-ctx.Done():
		return alerting.Explanation{}, errors.New("ClickHouse does not answer yet")
	}
	e, err := x.runner.Explain(ctx, about.Model, about.Deploy, about.SLO)
	if err != nil {
		return alerting.Explanation{}, err
	}
	out := alerting.Explanation{
		SQL: e.SQL, PageURL: pageOf(x.base, about.Model), Carriers: e.Why.Carriers(),
		Deploy: alerting.DeployInfo{
			Version: e.Deployment.Version, By: e.Deployment.By, Commit: e.Deployment.Commit,
			At: e.Deployment.Time, Previous: e.Previous,
		},
	}
	for i, s := range e.Drifted {
		out.Features = append(out.Features, alerting.FeatureShift{Feature: s.Feature, PSI: s.PSI, Share: e.Share(i), Before: s.Before, After: s.After})
	}
	if e.After != nil {
		coverage := e.After.Coverage()
		out.Coverage = &coverage
	}
	out.Quality = qualityChange(e.Previous, e.Before, e.After)
	return out, nil
}

// qualityChange is nil unless both sides have labels.
func qualityChange(previous plumbline.DeployHash, before, after *quality.Counts) *alerting.QualityChange {
	if before == nil || after == nil {
		return nil
	}
	return &alerting.QualityChange{
		Measure: plumbline.MeasureAccuracy, Before: before.Accuracy(), After: after.Accuracy(),
		BeforeWhat: "deploy " + string(previous) + ", the 7 days before", AfterWhat: "this deploy",
	}
}
