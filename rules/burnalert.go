package rules

import (
	"fmt"
	"math"
	"strings"

	"github.com/plumbline-slo/plumbline"
)

func round12(v float64) float64 { return math.Round(v*1e12) / 1e12 }

// burnAlert is the rule of one window pair. It fires, for each deploy, when the
// lower end of the long window's interval and the short window's bad share are
// both beyond the threshold: the long window shows the burn, the short one ends
// the alert soon after the fault does. There is no `for` but one that an SLO file asks
// for: the windows are the delay already. For a page, neither chance nor labels that are missing must be what
// did it, and what since speaks against is left out; see spokenAgainst.
func burnAlert(slo plumbline.SLO, pair plumbline.WindowPair, cfg GenerateConfig, since string) rule {
	expr, annotations := labelsBeyond(slo, pair), burnAnnotations(slo, pair, cfg)
	if pair.Noise > 0 {
		expr += " and " + quietly(slo, pair)
		annotations[plumbline.AnnotationDescription] += " Even if every label that is missing says right, chance would not do that to a model that meets its target more than once a year."
	}
	if since != "" {
		expr += " unless " + since
	}
	return rule{Alert: plumbline.AlertSLOBurn, Expr: expr, For: pairFor(pair), Labels: pairLabels(slo, pair, pair.Severity), Annotations: annotations}
}

// pairFor is how long a condition asks to be held, empty for the workbook's.
func pairFor(pair plumbline.WindowPair) string {
	if pair.For > 0 {
		return plumbline.WindowName(pair.For)
	}
	return ""
}

// labelsBeyond is the workbook's condition on the labels that are in.
func labelsBeyond(slo plumbline.SLO, pair plumbline.WindowPair) string {
	threshold := number(round12(pair.Threshold(slo.Target)))
	return fmt.Sprintf("%s > %s and %s > %s",
		series(plumbline.MetricErrorRatioLow(plumbline.WindowName(pair.Long)), slo), threshold,
		series(plumbline.MetricErrorRatio(plumbline.WindowName(pair.Short)), slo), threshold)
}

// quietly is the condition that noise at exactly the target would seldom do that.
func quietly(slo plumbline.SLO, pair plumbline.WindowPair) string {
	return series(plumbline.MetricNoise(plumbline.WindowName(pair.Long)), slo) + " <= " + number(pair.Noise)
}

// heldBackAlert is the ticket of a page by labels that chance or the labels that are
// missing may explain, for of labels that come the sooner for what they say most of the
// first may be bad; or that estimates since speak against. It is one rule: two with the
// labels of one alert would end each other.
func heldBackAlert(slo plumbline.SLO, pair plumbline.WindowPair, cfg GenerateConfig, since string) rule {
	paged, why := quietly(slo, pair), " Chance, or the labels that are missing if they say right, may explain it"
	if since != "" {
		paged = "(" + paged + " unless " + since + ")"
		why += "; or estimates of the hours since, which held before and which labels agree with, say that it is over"
	}
	r := rule{
		Alert: plumbline.AlertSLOBurn, Expr: labelsBeyond(slo, pair) + " unless " + paged,
		Labels: clockLabels(slo, pair, plumbline.SeverityTicket, plumbline.ClockMatured), Annotations: burnAnnotations(slo, pair, cfg),
	}
	r.Annotations[plumbline.AnnotationDescription] += why + ". So it pages nobody."
	return r
}

// pairLabels are of an alert as on its series. No two alerts of a file look alike: two
// pairs of one severity and window are told apart by conditionLabel, the clocks by
// clockLabels.
func pairLabels(slo plumbline.SLO, pair plumbline.WindowPair, severity string) map[string]string {
	return map[string]string{
		plumbline.LabelSLO:      templateText(string(slo.Name)),
		plumbline.LabelSeverity: severity,
		plumbline.LabelOwner:    templateText(string(slo.Owner)),
		plumbline.LabelWindow:   plumbline.WindowName(pair.Long),
	}
}

func burnAnnotations(slo plumbline.SLO, pair plumbline.WindowPair, cfg GenerateConfig) map[string]string {
	long, short := plumbline.WindowName(pair.Long), plumbline.WindowName(pair.Short)
	longValue := lookup(plumbline.MetricErrorRatio(long))
	shortValue := lookup(plumbline.MetricErrorRatio(short))
	coverage := lookup(plumbline.MetricCoverage(long))
	threshold := percent(pair.Threshold(slo.Target))
	allowed := percent(budget(slo))
	burn := burnTemplate(slo)
	description := strings.Join([]string{
		"Over the last " + long + " (event time) " + longValue + " of the labelled predictions of {{ $labels.model }} deploy {{ $labels.deploy_hash }} were wrong,",
		"at least {{ $value | humanizePercentage }} with 95 % confidence, and " + shortValue + " over the last " + short + ".",
		"SLO " + string(slo.Name) + " allows " + allowed + " over " + plumbline.PeriodWords(slo.PeriodName()) + "; this alert fires beyond " + threshold + ".",
		"The budget burns at least " + burn + " times as fast as planned.",
		coverage + " of the window's predictions have a label.",
	}, " ")
	return withoutEmpty(map[string]string{
		plumbline.AnnotationSummary: "{{ $labels.model }}: " + longValue + " of labelled predictions wrong over " + long +
			", " + allowed + " allowed (deploy {{ $labels.deploy_hash }})",
		plumbline.AnnotationDescription: description,
		plumbline.AnnotationRunbook:     runbook(slo, cfg, slo.SLI.Runbook()),
		plumbline.AnnotationDashboard:   link(cfg.DashboardURL, "var-model", plumbline.LabelModel, "var-deploy_hash", plumbline.LabelDeploy),
		plumbline.AnnotationPage:        link(cfg.PageURL, "model", plumbline.LabelModel, "deploy_hash", plumbline.LabelDeploy, "slo", plumbline.LabelSLO),
		plumbline.AnnotationSQL:         burnSQL(plumbline.MeasureBadShare, long),
		plumbline.AnnotationBurnRate:    burn,
		plumbline.AnnotationValue:       "{{ $value | humanizePercentage }}",
		plumbline.AnnotationLongValue:   longValue,
		plumbline.AnnotationShortValue:  shortValue,
		plumbline.AnnotationThreshold:   threshold,
		plumbline.AnnotationTarget:      percent(slo.Target),
		plumbline.AnnotationWindows:     long + "/" + short,
		plumbline.AnnotationPeriod:      slo.PeriodName(),
		plumbline.AnnotationCoverage:    coverage,
	})
}

// burnTemplate is the template of the burn rate: Prometheus templates do no
// arithmetic, a query does.
func burnTemplate(slo plumbline.SLO) string {
	return `{{ with printf "%g / ` + number(budget(slo)) + `" $value | query }}{{ . | first | value | printf "%.2f" }}{{ end }}`
}

// burnSQL is one statement that returns the alert's number: the first column is
// what the rule compared, the lower end of the long window's interval.
func burnSQL(measure, long string) string {
	return "SELECT low, value, count, coverage, window_end, at FROM findings" +
		" WHERE signal = 'burn' AND measure = '" + measure + "' AND stage = 'production' AND segment = '' AND window = '" + long + "'" +
		" AND model = " + sqlLabel(plumbline.LabelModel) +
		" AND deploy_hash = " + sqlLabel(plumbline.LabelDeploy) +
		" AND slo = " + sqlLabel(plumbline.LabelSLO) +
		" AND isFinite(low) ORDER BY at DESC LIMIT 1"
}

// lookup is the template that shows another series of the alert's own deploy.
func lookup(metric string) string {
	return `{{ with printf "` + metric + `{slo=%q,model=%q,deploy_hash=%q}" $labels.slo $labels.model $labels.deploy_hash | query }}` +
		`{{ . | first | value | humanizePercentage }}{{ else }}an unknown share{{ end }}`
}

// link appends pairs of a query key and the label that gives its value.
func link(base string, pairs ...string) string {
	if base == "" {
		return ""
	}
	query := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		query = append(query, pairs[i]+"="+urlLabel(pairs[i+1]))
	}
	return templateText(base) + "?" + strings.Join(query, "&")
}
