package rules

import (
	"strings"

	"github.com/plumbline-slo/plumbline"
)

// loudest chooses, of each model with an SLO on quality, the one whose group tells
// what is of the model and not of one SLO, and how loudly that one tells: as loudly
// as any of them would of a burn, the first of such. So a model is told of once,
// however many SLOs it has, and the owner of suspected concept drift is the one who
// is paged, for pages are what rests on estimates.
func loudest(objectives []plumbline.Objective) map[plumbline.SLOName]string {
	chosen := make(map[plumbline.Model]plumbline.SLOName)
	severities := make(map[plumbline.SLOName]string)
	for _, o := range objectives {
		slo := o.SLO
		if slo.Shadow || len(o.Pairs) == 0 || !slo.SLI.Is(plumbline.SLIQuality) {
			continue
		}
		severity := plumbline.SeverityTicket
		for _, p := range o.Pairs {
			if p.Severity == plumbline.SeverityPage {
				severity = p.Severity
			}
		}
		former, ok := chosen[slo.Model]
		if !ok || severity == plumbline.SeverityPage && severities[former] != severity {
			delete(severities, former)
			chosen[slo.Model], severities[slo.Name] = slo.Name, severity
		}
	}
	return severities
}

// promisedArrivals are the models that declare what late labels are, in an SLO of
// label arrival: that one tells that labels stay away.
func promisedArrivals(objectives []plumbline.Objective) map[plumbline.Model]bool {
	promised := make(map[plumbline.Model]bool)
	for _, o := range objectives {
		if !o.SLO.Shadow && len(o.Pairs) > 0 && o.SLO.SLI.Is(plumbline.SLILabelArrival) {
			promised[o.SLO.Model] = true
		}
	}
	return promised
}

// labelsAlert says that the labels of a model stay away. Its labels are those of
// the ticket that nothing is known of the SLO, which follows from it: both are one
// incident. There is no `for`: what is surely too little of an hour's labels or
// more is no blip.
func labelsAlert(slo plumbline.SLO, severity string, cfg GenerateConfig) rule {
	known := slo
	known.Runbook = "" // it is about burns
	return rule{
		Alert: plumbline.AlertLabelsSilent,
		Expr:  plumbline.MetricLabelsBlind + "{" + plumbline.LabelModel + "=" + promString(string(slo.Model)) + "} > 0",
		Labels: map[string]string{
			plumbline.LabelSLO:      templateText(string(slo.Name)),
			plumbline.LabelSeverity: severity,
			plumbline.LabelOwner:    templateText(string(slo.Owner)),
		},
		Annotations: withoutEmpty(map[string]string{
			plumbline.AnnotationSummary: "{{ $labels.model }}: its labels have stopped coming, quality is blind",
			plumbline.AnnotationDescription: strings.Join([]string{
				"Surely too few of the labels that should have come by the delays of the weeks before came lately: the label pipeline of {{ $labels.model }} is late or down.",
				"Nothing is known of the quality of newer predictions. The windows of its SLOs on quality, such as " + templateText(string(slo.Name)) + ", end where its labels do: they neither burn for that nor say that all is well.",
				"This resolves once labels surely come again.",
			}, " "),
			plumbline.AnnotationRunbook:   runbook(known, cfg, plumbline.SLI{Kind: plumbline.SLILabelArrival}.Runbook()),
			plumbline.AnnotationDashboard: link(cfg.DashboardURL, "var-model", plumbline.LabelModel),
			plumbline.AnnotationPage:      link(cfg.PageURL, "model", plumbline.LabelModel, "slo", plumbline.LabelSLO),
			plumbline.AnnotationSQL: "SELECT value, assumes, window_end, at FROM findings WHERE signal = 'label_arrival' AND measure = 'blind' AND model = " +
				sqlLabel(plumbline.LabelModel) + " AND isFinite(value) ORDER BY at DESC LIMIT 1",
		}),
	}
}
