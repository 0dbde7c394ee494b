package rules

import (
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline"
)

const (
	// conceptFor is how long labels have to contradict an estimate before their ticket.
	// They contradict by chance in one window of a thousand, which is 0.4 a year of
	// windows of a day that share nothing. But they are looked at every hour, and
	// windows that slide by an hour share nearly everything: chance begins to
	// contradict in 3.5 of them a year, most often for an hour or two, and goes on for
	// six hours 0.4 times a year. So by then looking every hour has cost nothing.
	// Where labels are later than a window is long, the same one is looked at all
	// day: what it says by chance it says all day, once in a thousand of them.
	conceptFor = 6 * time.Hour
	// conceptKeep is how long the ticket outlasts the last contradiction: until a window
	// of a day, the shortest by default, shares nothing with the one contradicted last.
	// A drift that is just about seen crosses the bound every few hours, and would be
	// a new ticket as often.
	conceptKeep = 24 * time.Hour
)

// conceptAlert is the ticket that labels contradict what scores promised of a
// deploy. It has no SLO among its labels: it is of the model and deploy whatever is
// promised of them, and as part of the SLO's incident its text would hide behind
// that of a burn, and the ledger would judge it as one. Nor has it the window, so
// that one drift is one ticket; and what is only insufficient has no series.
func conceptAlert(slo plumbline.SLO, cfg GenerateConfig) rule {
	own := slo
	own.Runbook = "" // it is about burns
	window := gapOf(`label "window"`)
	return rule{
		Alert: plumbline.AlertConceptDrift,
		Expr:  plumbline.MetricEstimateContradicted + "{" + plumbline.LabelModel + "=" + promString(string(slo.Model)) + "} == 1",
		For:   plumbline.WindowName(conceptFor), KeepFiring: plumbline.WindowName(conceptKeep),
		Labels: map[string]string{
			plumbline.LabelSeverity: plumbline.SeverityTicket,
			plumbline.LabelOwner:    templateText(string(slo.Owner)),
		},
		Annotations: withoutEmpty(map[string]string{
			plumbline.AnnotationSummary: "{{ $labels.model }}: suspected concept drift, labels contradict the estimate (deploy {{ $labels.deploy_hash }})",
			plumbline.AnnotationDescription: strings.Join([]string{
				"In a window of " + window + " the labels that are in lie " + gapOf(`value | printf "%+.3g"`) +
					" on average from what their scores promised of the very same predictions of {{ $labels.model }} deploy {{ $labels.deploy_hash }}",
				"(under 0: it is right less often, -0.1 is 10 points; of a regression, over 0: its errors are larger).",
				"For " + plumbline.WindowName(conceptFor) + " that was more than chance makes of it and than earlier windows did: the same answer may no longer mean the same. It is a suspicion and no proof. The column assumes of the statement says where it is most.",
				"Meanwhile no page rests on an estimate that labels contradict: such a burn is a ticket until labels show it.",
				"This resolves after " + plumbline.WindowName(conceptKeep) + " without a contradiction.",
			}, " "),
			plumbline.AnnotationRunbook:   runbook(own, cfg, "concept-drift"),
			plumbline.AnnotationDashboard: link(cfg.DashboardURL, "var-model", plumbline.LabelModel, "var-deploy_hash", plumbline.LabelDeploy),
			plumbline.AnnotationPage:      link(cfg.PageURL, "model", plumbline.LabelModel, "deploy_hash", plumbline.LabelDeploy),
			plumbline.AnnotationSQL: "SELECT value, p, count, window, window_end, assumes, at FROM findings" +
				" WHERE signal = 'concept_drift' AND measure = 'estimate_gap' AND stage = 'production' AND segment = '' AND window = '" + window + "'" +
				" AND model = " + sqlLabel(plumbline.LabelModel) + " AND deploy_hash = " + sqlLabel(plumbline.LabelDeploy) +
				" AND isFinite(value) ORDER BY at DESC LIMIT 1",
		}),
	}
}

// gapOf is the template of what stands on the series of the alert's gap.
func gapOf(what string) string {
	return `{{ with printf "` + plumbline.MetricEstimateGap + `{model=%q,deploy_hash=%q}" $labels.model $labels.deploy_hash | query }}` +
		`{{ . | first | ` + what + ` }}{{ else }}unknown{{ end }}`
}
