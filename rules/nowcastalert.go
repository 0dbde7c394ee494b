package rules

import (
	"fmt"
	"maps"
	"strings"

	"github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// spokenAgainst is the condition under which estimates since speak against a page
// that labels open: what they show is over. It is empty for what has no nowcast.
func spokenAgainst(o plumbline.Objective, pair plumbline.WindowPair) string {
	nowcast, ok := burn.NowcastPair(o)
	if !ok || pair.Severity != plumbline.SeverityPage || nowcast.Long != pair.Long || nowcast.Factor != pair.Factor {
		return ""
	}
	return fmt.Sprintf("%s < %s", series(plumbline.MetricEstimateSince(plumbline.WindowName(pair.Long)), o.SLO), number(round12(pair.Threshold(o.SLO.Target))))
}

// nowcastAlerts are the rules of the clock that does not wait for labels: a page
// where past estimates held as promised, and a ticket where none may rest on them.
// Both are of the incident that the labels' own alerts are of.
func nowcastAlerts(o plumbline.Objective, cfg GenerateConfig) []rule {
	pair, ok := burn.NowcastPair(o)
	if !ok {
		return nil
	}
	slo := o.SLO
	long, short, threshold := plumbline.WindowName(pair.Long), plumbline.WindowName(pair.Short), number(round12(pair.Threshold(slo.Target)))
	beyond := fmt.Sprintf("%s > %s and %s > %s and %s == 1",
		series(plumbline.MetricEstimateLow(long), slo), threshold, series(plumbline.MetricEstimate(short), slo), threshold,
		series(plumbline.MetricEstimateAhead(long), slo))
	proven := series(plumbline.MetricEstimateProven(long), slo) + " == 1"
	page := nowcastRule(slo, pair, cfg, plumbline.SeverityPage, beyond+" and "+proven)
	ticket := nowcastRule(slo, pair, cfg, plumbline.SeverityTicket, beyond+" unless "+proven)
	suspected := ticket.Annotations
	suspected[plumbline.AnnotationSummary] = "Suspected: " + suspected[plumbline.AnnotationSummary]
	suspected[plumbline.AnnotationDescription] += " Past estimates are not proven, or labels contradict this one, or only the labels that came first say so and scores do not: so it pages nobody."
	return []rule{page, ticket}
}

func nowcastRule(slo plumbline.SLO, pair plumbline.WindowPair, cfg GenerateConfig, severity, expr string) rule {
	long, short := plumbline.WindowName(pair.Long), plumbline.WindowName(pair.Short)
	// What the labels' own alert says, but for what it is said of.
	annotations := burnAnnotations(slo, pair, cfg)
	longValue, shortValue := lookup(plumbline.MetricEstimate(long)), lookup(plumbline.MetricEstimate(short))
	threshold, allowed := percent(pair.Threshold(slo.Target)), percent(budget(slo))
	maps.Copy(annotations, map[string]string{
		plumbline.AnnotationSummary: "{{ $labels.model }}: an estimated " + longValue + " of predictions wrong over " + long +
			", before labels are in, " + allowed + " allowed (deploy {{ $labels.deploy_hash }})",
		plumbline.AnnotationDescription: strings.Join([]string{
			"Over the last " + long + " of full hours (event time) an estimated " + longValue + " of the predictions of {{ $labels.model }} deploy {{ $labels.deploy_hash }} were wrong,",
			"at least {{ $value | humanizePercentage }}, and " + shortValue + " over the last " + short + ".",
			"SLO " + string(slo.Name) + " allows " + allowed + " over " + plumbline.PeriodWords(slo.PeriodName()) + "; this alert fires beyond " + threshold + ".",
			"Most labels are not in yet: they will confirm or retract it, and they alone spend the budget.",
		}, " "),
		plumbline.AnnotationSQL:        burnSQL(plumbline.MeasureEstimatedBadShare, long),
		plumbline.AnnotationCoverage:   lookup(plumbline.MetricEstimateCoverage(long)),
		plumbline.AnnotationLongValue:  longValue,
		plumbline.AnnotationShortValue: shortValue,
		plumbline.AnnotationHighValue:  lookup(plumbline.MetricEstimateHigh(long)),
	})
	return rule{
		Alert: plumbline.AlertSLOBurn, Expr: expr, Annotations: annotations,
		Labels: clockLabels(slo, pair, severity, plumbline.ClockNowcast),
	}
}

func clockLabels(slo plumbline.SLO, pair plumbline.WindowPair, severity, clock string) map[string]string {
	labels := pairLabels(slo, pair, severity)
	labels[plumbline.LabelClock] = clock
	return labels
}
