package rules

import (
	"fmt"
	"strings"

	"github.com/plumbline-slo/plumbline"
)

// countAlert is the rule of one window pair of an SLO that counts events as they
// come. It fires, for each deploy, when both bad shares are beyond the threshold;
// for a page, noise at exactly the target must not be what did it either: a large
// window needs no second thought there, a handful of events does.
func countAlert(slo plumbline.SLO, pair plumbline.WindowPair, cfg GenerateConfig) rule {
	long, short := plumbline.WindowName(pair.Long), plumbline.WindowName(pair.Short)
	threshold := number(round12(pair.Threshold(slo.Target)))
	expr := fmt.Sprintf("%s > %s and %s > %s",
		series(plumbline.MetricErrorRatio(long), slo), threshold,
		series(plumbline.MetricErrorRatio(short), slo), threshold)
	if pair.Noise > 0 {
		expr += " and " + quietly(slo, pair)
	}
	return rule{
		Alert: plumbline.AlertSLOBurn, Expr: expr, For: pairFor(pair),
		Labels: pairLabels(slo, pair, pair.Severity), Annotations: countAnnotations(slo, pair, cfg),
	}
}

func evidenceText(pair plumbline.WindowPair) string {
	if pair.Noise == 0 {
		return ""
	}
	return ", if noise would not do that more than once a model and year"
}

// badEvents says in words what is bad about the events that an SLO counts.
func badEvents(slo plumbline.SLO) string {
	opposite := map[string]string{"lt": "at least", "lte": "over", "gt": "at most", "gte": "under"}[slo.SLI.Op]
	bound := opposite + " " + number(slo.SLI.Value)
	what := "events were bad"
	switch slo.SLI.Name() {
	case plumbline.SLILatency:
		what = "answers took " + bound + " ms"
	case plumbline.SLISuccess:
		what = "requests did not succeed"
	case plumbline.SLICost:
		what = "requests had " + templateText(string(slo.SLI.Feature)) + " " + bound
	case plumbline.SLIFreshness:
		what = "minutes had no answer in the " + plumbline.WindowName(slo.SLI.Within) + " before"
	case plumbline.SLILabelArrival:
		if slo.SLI.Within == 0 {
			what = "minutes were without the labels that should have come"
			break
		}
		what = "predictions had no label within " + plumbline.WindowName(slo.SLI.Within)
	case plumbline.SLIDrift, plumbline.SLIFairness, plumbline.SLIKPI:
		what = "minutes had " + templateText(slo.SLI.Measure) + " " + bound
		if slo.SLI.Feature != "" {
			what = "minutes had " + templateText(slo.SLI.Measure) + " of " + templateText(string(slo.SLI.Feature)) + " " + bound
		}
	case plumbline.SLIComposite:
		what = "budgets of its parts, weighed, were burnt"
	}
	if slo.Budgeting != "" && slo.Budgeting != plumbline.Occurrences {
		return "slices of " + plumbline.WindowName(slo.SliceWindow) + " were bad, that is, too many " + what
	}
	return what
}

func countAnnotations(slo plumbline.SLO, pair plumbline.WindowPair, cfg GenerateConfig) map[string]string {
	long, short := plumbline.WindowName(pair.Long), plumbline.WindowName(pair.Short)
	longValue := "{{ $value | humanizePercentage }}"
	shortValue := lookup(plumbline.MetricErrorRatio(short))
	threshold, allowed := percent(pair.Threshold(slo.Target)), percent(budget(slo))
	burn := burnTemplate(slo)
	bad := badEvents(slo)
	deploy := "{{ with $labels.deploy_hash }} (deploy {{ . }}){{ end }}"
	description := strings.Join([]string{
		"Over the last " + long + " (event time) of {{ $labels.model }}" + deploy + ", " + longValue + " of " + bad + ", and " + shortValue + " over the last " + short + ".",
		"SLO " + string(slo.Name) + " allows " + allowed + " over " + plumbline.PeriodWords(slo.PeriodName()) + "; this alert fires beyond " + threshold + evidenceText(pair) + ".",
		"The budget burns " + burn + " times as fast as planned.",
	}, " ")
	return withoutEmpty(map[string]string{
		plumbline.AnnotationSummary:     "{{ $labels.model }}: " + longValue + " of " + bad + " over " + long + ", " + allowed + " allowed" + deploy,
		plumbline.AnnotationDescription: description,
		plumbline.AnnotationRunbook:     runbook(slo, cfg, slo.SLI.Runbook()),
		plumbline.AnnotationDashboard:   link(cfg.DashboardURL, "var-model", plumbline.LabelModel, "var-deploy_hash", plumbline.LabelDeploy),
		plumbline.AnnotationPage:        link(cfg.PageURL, "model", plumbline.LabelModel, "deploy_hash", plumbline.LabelDeploy, "slo", plumbline.LabelSLO),
		plumbline.AnnotationSQL:         strings.Replace(burnSQL(plumbline.MeasureBadShare, long), "SELECT low, value,", "SELECT value, p AS noise,", 1),
		plumbline.AnnotationBurnRate:    burn,
		plumbline.AnnotationValue:       longValue,
		plumbline.AnnotationLongValue:   longValue,
		plumbline.AnnotationShortValue:  shortValue,
		plumbline.AnnotationThreshold:   threshold,
		plumbline.AnnotationTarget:      percent(slo.Target),
		plumbline.AnnotationWindows:     long + "/" + short,
		plumbline.AnnotationPeriod:      slo.PeriodName(),
	})
}
