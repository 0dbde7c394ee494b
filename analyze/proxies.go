package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/proxy"
)

// ProxyConfig says when a signal that speaks before labels is unusual.
type ProxyConfig struct {
	// Window is what is compared with the same hours of the weeks before, in whole
	// hours that a day is a multiple of. Default 24 h.
	Window time.Duration `yaml:"window"`
	// Weeks is how many weeks before are read, 4 to 52. Default 8.
	Weeks int `yaml:"weeks"`
	// KPIDelay is how long after the end of a window its business figures are all
	// there. Default 1 h.
	KPIDelay time.Duration `yaml:"kpi_delay"`
	// Interval is the pause between two looks. Default 5 min.
	Interval time.Duration `yaml:"interval"`
	// Budget is how many false breaches are expected of one model in a quarter of
	// 91 days, over all of its proxies, at most. Default 1.
	Budget float64 `yaml:"budget"`
	// LowConfidence is below which confidence, 0.5 to 1, an answer is hardly sure.
	// Default 0.6.
	LowConfidence float64 `yaml:"low_confidence"`
	// MinEffect overrides the least effects by measure, for example
	// mean_kpi: 0.1: a share of what is usual for mean_kpi and mean_disagreement,
	// else in the unit of the measure.
	MinEffect map[string]float64 `yaml:"min_effect"`
}

func defaultProxies() ProxyConfig {
	return ProxyConfig{Window: day, Weeks: 8, KPIDelay: time.Hour, Interval: 5 * time.Minute, Budget: 1, LowConfidence: 0.6}
}

// leastEffects are the defaults of ProxyConfig.MinEffect.
func leastEffects() map[string]float64 {
	return map[string]float64{
		plumbline.MeasureConfidence: 0.02, plumbline.MeasureEntropy: 0.05, plumbline.MeasureLowConfidence: 0.02,
		plumbline.MeasureDisagreement: 0.1, plumbline.MeasureExplained: 0.01, plumbline.MeasureKPI: 0.05,
	}
}

// minProxyWeeks is how few weeks may say what is usual: with three, the 95 %
// interval is five times as wide as what it is about.
const minProxyWeeks = 4

func (c ProxyConfig) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("analyze.proxies."+format, args...)) }
	if c.Window < time.Hour || c.Window%time.Hour != 0 || day%c.Window != 0 {
		wrong("window: %s is not a number of hours that a day is a multiple of", c.Window)
	}
	if c.Weeks < minProxyWeeks || c.Weeks > 52 {
		wrong("weeks: %d is not between %d and 52", c.Weeks, minProxyWeeks)
	}
	if c.KPIDelay < 0 || c.Interval <= 0 {
		wrong("kpi_delay and interval: must not be negative, and the interval not 0")
	}
	if !(c.Budget > 0 && c.Budget <= 91) {
		wrong("budget: %v is not above 0 and at most 91", c.Budget)
	}
	if !(c.LowConfidence >= 0.5 && c.LowConfidence <= 1) {
		wrong("low_confidence: %v is not between 0.5 and 1", c.LowConfidence)
	}
	for measure, least := range c.MinEffect {
		if _, ok := leastEffects()[measure]; !ok || !(least >= 0) {
			wrong("min_effect.%s: %v is no least effect of a measure of proxies", measure, least)
		}
	}
	return errors.Join(errs...)
}

// quarter is what ProxyConfig.Budget is counted over.
const quarter = 91 * day

// options are what one of so many figures is judged with: each closed window is
// one test, and of all those of a quarter Budget are expected to be false at most.
func (c ProxyConfig) options(measure string, figures int) proxy.Options {
	least := leastEffects()[measure]
	if v, ok := c.MinEffect[measure]; ok {
		least = v
	}
	tests := float64(quarter/c.Window) * float64(figures)
	return proxy.Options{Alpha: min(c.Budget/tests, 0.05), MinEffect: least, MinWeeks: minProxyWeeks}
}

// proxies looks at the signals that speak before labels. It belongs to the one
// goroutine that steps, and what it finds follows from the tables alone.
type proxies struct {
	reader proxy.Reader
	cfg    ProxyConfig
	looked map[plumbline.Model]attempt
}

func newProxies(reader proxy.Reader, cfg ProxyConfig) *proxies {
	return &proxies{reader: reader, cfg: cfg, looked: map[plumbline.Model]attempt{}}
}

// look compares the last closed window of every figure with the weeks before.
// What fails is tried again after the interval; until then the error stands.
func (p *proxies) look(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	last := p.looked[t.model]
	if last.stands(now, p.cfg.Interval) {
		return nil, last.err
	}
	newest, ok := t.newest()
	if !ok {
		return nil, nil
	}
	findings, err := p.compare(ctx, t, newest, now)
	if err != nil {
		err = fmt.Errorf("proxies: %w", err)
	}
	p.looked[t.model] = attempt{now, err}
	return findings, err
}

func (p *proxies) compare(ctx context.Context, t traffic, newest deploy, now time.Time) ([]Finding, error) {
	window := proxy.Window{Model: t.model, End: t.end.Add(-settle).Truncate(p.cfg.Window), Length: p.cfg.Window, Weeks: p.cfg.Weeks}
	figures, err := p.reader.Series(ctx, window, p.cfg.LowConfidence)
	late := window
	// Business figures go on, or not, whether the model answers or not: that of one
	// that fell silent is missing, and not what it was when it last answered.
	late.End = now.Add(-max(settle, p.cfg.KPIDelay)).Truncate(p.cfg.Window)
	kpis, kpiErr := p.reader.KPIs(ctx, late)
	var findings []Finding
	for _, f := range append(figures, kpis...) {
		of := window
		if f.Measure == plumbline.MeasureKPI {
			of = late
		}
		r, ok := proxy.Compare(f, p.cfg.options(f.Measure, len(figures)+len(kpis)))
		if !ok {
			continue
		}
		found := newFinding(signalOfProxy(f.Measure), f.Measure)
		found.Model, found.Deploy, found.Stage = t.model, newest.hash, plumbline.StageProduction
		found.Segment, found.Feature = f.Segment, plumbline.Feature(f.Name)
		found.Reference, found.Window, found.WindowEnd = plumbline.ReferencePastWeeks, of.Length, of.End
		found.Value, found.NullMean, found.Low, found.High = r.Value, r.Expected, r.Low, r.High
		found.P, found.Effect, found.Count, found.Verdict = r.P, r.Effect, f.Weeks[0].Count, r.Verdict
		found.Assumes = assumesProxy(r, f)
		findings = append(findings, found)
	}
	return findings, errors.Join(err, kpiErr)
}

func signalOfProxy(measure string) plumbline.SignalName {
	switch measure {
	case plumbline.MeasureDisagreement:
		return plumbline.SignalDisagreement
	case plumbline.MeasureExplained:
		return plumbline.SignalExplanation
	case plumbline.MeasureKPI:
		return plumbline.SignalKPI
	}
	return plumbline.SignalConfidence
}

// assumesProxy says what a comparison with past weeks rests on, and of one that
// says nothing why.
func assumesProxy(r proxy.Result, f proxy.Figure) string {
	weeks := fmt.Sprintf("the same hours of %d of the %d weeks before", r.Weeks, len(f.Weeks)-1)
	switch {
	case r.Verdict == plumbline.VerdictMissing:
		return weeks + " have readings, this window has none"
	case r.Verdict != plumbline.VerdictInsufficient:
		return weeks + " are alike but for what is normally distributed: no trend, no holiday"
	case r.Weeks < minProxyWeeks:
		return fmt.Sprintf("%s have readings, and %d are needed", weeks, minProxyWeeks)
	case math.IsNaN(r.Effect):
		return "more than half of the usual hours have no reading"
	}
	return weeks + " have never differed, so nobody can say how far is far"
}
