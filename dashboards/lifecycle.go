package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// LifecycleUID is the stable identifier of the lifecycle dashboard, which is also in
// its address: /d/plumbline-lifecycle.
const LifecycleUID = "plumbline-lifecycle"

// lifecycle is what the owner of a model opens to decide: is it time to train again, may a
// canary take over, does a deploy have to go back, and what was each of them worth.
func (g generator) lifecycle() board {
	return board{
		uid: LifecycleUID, audience: "lifecycle",
		title:       "Plumbline lifecycle: what serves, what was it worth, and what next",
		description: "Start with the table of what serves: what is told of there does not agree with what answers stands first.",
		from:        "now-90d", refresh: "15m",
		variables: []cog.Builder[dashboard.VariableModel]{g.modelVariable()},
		sections: []section{
			{panels: g.staleness()},
			{panels: []cog.Builder[dashboard.Panel]{g.serves()}},
			{heading: "What did past deploys bring?", panels: g.worth()},
			{heading: "May the canary or shadow take over?", panels: g.trials()},
			{heading: "Does the model still fit what it sees?", panels: g.fit()},
			{heading: "When do labels come, and what is known before them?", panels: g.waiting()},
			{heading: "What was deployed?", panels: []cog.Builder[dashboard.Panel]{g.deployEvents()}},
		},
	}
}

// staleness is the top row: four numbers that say whether something is due.
func (g generator) staleness() []cog.Builder[dashboard.Panel] {
	age := statPanel(text{
		title:       "How old is what serves? Oldest deploy in production",
		description: "Time since the oldest of a model's deploys that serve in production was first known there, by a deployment event or by its first answer within 400 days: one that came back after a rollback is as old as it was. A deploy serves if it answered in the last two hours in which its model did. No data: the model did not answer in 24 hours.",
		unit:        "s",
	}, steps([]string{colorPlain}), g.sql("lifecycle_age"))
	last := statPanel(text{
		title:       "How long ago was the last deploy?",
		description: "Time since a deployment event last put a deploy into production in place of another; that one is told of again while it serves is no deploy. No data: no deployment event ever came, so that nobody can say.",
		unit:        "s",
	}, steps([]string{colorPlain}), g.sql("lifecycle_last_deploy"))
	drifted := statPanel(text{
		title:       "How many inputs have left the training set?",
		description: "Inputs on which a drift ticket against the training set is open after the newest closed day (UTC) of the last three, of all production deploys together: what lasts, and is beyond what quiet days show. 0 is that all were judged that could be, and none has. No data: there is no training set, no day was compared, or the first days are still learnt from.",
		unit:        "none",
	}, steps([]string{colorOK, colorWarn}, 1), g.sql("lifecycle_open")).Decimals(0).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: data drift", g.runbooks+"/data-drift")})
	labels := statPanel(text{
		title:       "How long must a verdict wait for labels?",
		description: "How long after the end of a window nine tenths of the labels that it will ever get are in, of all production deploys together, as told last within the hour. Under 0 they were in before it ended. No data: the history of labels is too short to tell, or no label comes.",
		unit:        "s",
	}, steps([]string{colorPlain}), g.sql("lifecycle_label_wait")).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: label delay", g.runbooks+"/label-delay")})
	return []cog.Builder[dashboard.Panel]{age, last, drifted, labels}
}

func (g generator) serves() *table.PanelBuilder {
	return g.deployTable(text{
		title:       "What serves now, and is it what was deployed?",
		description: "Deploys that answered in the last 24 hours, and those that were deployed to production and do not answer; what does not agree stands first. Since: when it last took the place of another. Age: since it was first known in its stage. Share: of the requests of the model's users in 24 hours, which a shadow has none of. Who made it and of which data is what deployment events tell. An empty table means that nothing answered and nothing was ever deployed.",
		unit:        "none",
	}, "lifecycle_serves").
		OverrideByName("says", patternColors(map[string]string{
			"^serves$": colorOK, "^(was deployed, and|serves, )": colorBreach, "^was just deployed": colorWarn, "^answers no more": colorMissing,
		}, 290)).
		OverrideByName("age", shown("s", 1))
}

// worth is what deploys did while they served.
func (g generator) worth() []cog.Builder[dashboard.Panel] {
	deploys := g.deployTable(text{
		title:       "What was each deploy worth?",
		description: "Production deploys that answered in the time range, the newest first, and what they did in it. Accuracy is over the labels that are in, with the ends of its 95 % interval; a fraction of coverage is no fair sample where some outcomes are known sooner. Fewer than 20 labels say nothing. Where a model decides itself which predictions ever get a label, low and high are the bounds between which accuracy is, whatever the others are. Than former: accuracy less that of the deploy before it, which had other traffic; it says worse or better where their intervals lie apart, as the gate in Slack does. Pages and tickets are of incidents about the deploy that opened in the range; incidents of an endpoint are no deploy's. Followed by: what was deployed next. An empty table means that nothing answered.",
		unit:        "none",
	}, "lifecycle_worth").
		OverrideByRegexp("/^(accuracy|low|high)$/", shown("percentunit", 1)).
		OverrideByName("than_former", shown("percentunit", 1)).
		OverrideByName("says", patternColors(map[string]string{
			"^worse": colorBreach, "^better": colorOK, "^withheld": colorMissing, "^insufficient": colorWarn,
		}, 230)).
		OverrideByName("followed_by", patternColors(map[string]string{"^rolled back": colorBreach}, 170))
	traffic := seriesPanel(text{
		title:       "Who answers? Share of a model's requests by deploy and day",
		description: "Share of the requests of a model's users that each deploy answered, canaries among them and shadows not, by day (UTC) of the answer; the newest day is under way. A gap is a day on which the deploy answered nothing.",
		unit:        "percentunit",
	}, gapBlocks, seriesQuery("A", g.sql("lifecycle_traffic"))).Min(0).Max(1).FillOpacity(10)
	accuracy := dashedReference(seriesPanel(text{
		title:       "Does it get worse as it ages? Accuracy by deploy and day",
		description: "Accuracy by day (UTC) of the prediction over the labels that are in, of production deploys, with the targets of SLOs on accuracy dashed. Days with fewer than 20 labels are a gap; the newest days have few of theirs. Of a model that decides itself which predictions ever get a label, the bounds between which accuracy is.",
		unit:        "percentunit",
	}, gapBlocks, seriesQuery("A", g.sql("lifecycle_accuracy")), seriesQuery("B", g.sql("accuracy_targets")))).Max(1)
	if len(g.partial) > 0 {
		accuracy = accuracy.WithTarget(seriesQuery("C", g.sql("lifecycle_bounds")))
	}
	return []cog.Builder[dashboard.Panel]{deploys, traffic, accuracy}
}

// trials hold what is tried beside production against it.
func (g generator) trials() []cog.Builder[dashboard.Panel] {
	quality := g.deployTable(text{
		title:       "Is the canary or shadow right more often than production?",
		description: "Canaries and shadows that answered in the time range against the other deploys of production in the same hours, each hour weighed by the labels of the trial: a difference in accuracy with its 95 % interval (Newcombe). Worse or better: the interval leaves out 0. No difference shown is no proof of none, and looking again and again finds one by chance. Of a shadow the interval is too wide rather than too narrow. Fewer than 20 labels on a side say nothing, and where a model decides itself what gets a label they are withheld. An empty table means that no canary and no shadow answered.",
		unit:        "none",
	}, "lifecycle_trials").
		OverrideByRegexp("/^(accuracy|production|difference|low|high)$/", shown("percentunit", 1)).
		OverrideByName("says", patternColors(map[string]string{
			"^worse": colorBreach, "^better": colorOK, "^(missing|withheld)": colorMissing, "^insufficient": colorWarn,
		}, 250))
	answers := g.deployTable(text{
		title:       "Does the canary or shadow answer otherwise, before labels say who is right?",
		description: "Canaries and shadows that answered in the time range against the other deploys of production in the same hours, each hour weighed by what the trial answered. Moved: the share of answers that would have to be of another class to be distributed as production's; noise: what that would be on average if nothing had changed. Means of the score, of predicted numbers and of the latency in milliseconds stand beside production's. Another distribution is not a worse one. An empty cell: the model has no such figure, or production did not answer in the same hours.",
		unit:        "none",
	}, "lifecycle_trial_answers").
		OverrideByRegexp("/^(moved|noise)$/", shown("percentunit", 1)).
		OverrideByRegexp("/^(score|answer)/", []dashboard.DynamicConfigValue{{Id: "decimals", Value: 3}}).
		OverrideByRegexp("/^latency/", shown("ms", 1))
	return []cog.Builder[dashboard.Panel]{quality, answers}
}

// fit is how far what a model sees is from what it was trained on.
func (g generator) fit() []cog.Builder[dashboard.Panel] {
	training := g.deployTable(text{
		title:       "What is the input compared with, and is that what serves was trained on?",
		description: "The training set that is stored of each model, by the deploy that it was imported for, beside the deploy that answered last within 24 hours. Drift against a training set that what serves was not trained on tells of two changes at once. A reference belongs to the model: a second training set adds to the first. Newest example: event time, which is when it was imported unless the import says otherwise. A model without a training set is missing one, and has no drift.",
		unit:        "none",
	}, "lifecycle_training").Height(6).
		OverrideByName("says", patternColors(map[string]string{
			"^it is what": colorOK, "^missing": colorMissing, "^(what serves was|[0-9]+ training sets)": colorBreach, "^(imported|nothing)": colorWarn,
		}, 330))
	drift := seriesPanel(text{
		title:       "Is it drifting away from its training? The five inputs that moved most",
		description: "PSI against the training set less what is usual of the input, the median of its quiet days: by closed day (UTC, drawn at its end) of all production deploys together, of the five inputs of each model that moved most in the last seven days of the range. Around 0 is as ever. A gap is a day on which the input could not be compared, or none was looked at.",
		unit:        "none",
	}, gapBlocks, seriesQuery("A", g.sql("lifecycle_drift"))).
		Thresholds(steps([]string{colorPlain, colorWarn, colorBreach}, 0.1, 0.25)).ThresholdsStyle(dashedThresholds()).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: data drift", g.runbooks+"/data-drift")})
	tickets := seriesPanel(text{
		title:       "How many inputs have a drift worth a ticket?",
		description: "Inputs on which a drift ticket against the training set is open, by closed day (UTC), of all production deploys together: what lasts, and is beyond what quiet days show. A day that was judged and has none is 0; a gap is a day that was not, as the first ones are learnt from.",
		unit:        "none",
	}, gapBlocks, seriesQuery("A", g.sql("lifecycle_tickets"))).Min(0).Decimals(0)
	return []cog.Builder[dashboard.Panel]{training, drift, tickets}
}

// waiting is what can be known while labels are not in.
func (g generator) waiting() []cog.Builder[dashboard.Panel] {
	coverage := seriesPanel(text{
		title:       "When are labels in? Share of a day's predictions with one",
		description: "Share of the predictions of each day (UTC), of all production deploys, whose label is in by now: where the line falls on the right is how long labels take. A fall further back is a day whose labels were lost. A gap is a day without predictions.",
		unit:        "percentunit",
	}, gapBlocks, seriesQuery("A", g.sql("lifecycle_coverage"))).Min(0).Max(1).Span(8).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: label delay", g.runbooks+"/label-delay")})
	estimates := g.deployTable(text{
		title:       "Is quality expected to hold? Estimates before the labels, against the target",
		description: "Accuracy, or the mean error of a regression, that scores and the labels that are in promise of a window as a whole, as told last within the hour, with its 95 % interval; the farthest under its target first. Held: the share of past intervals that held. Unproven: not yet 10 of them, or fewer than promised, so that nothing should rest on it. Contradicted: labels that are in are not what scores promised of them. Labels say: what the labels of the longest window with 20 of them say alone. Target: the highest of the model's SLOs on accuracy. An empty table means that nothing was estimated in the last hour.",
		unit:        "none",
	}, "lifecycle_estimates").Span(16).Height(9).
		OverrideByRegexp("/^(estimate|low|high|target|labels_say)$/", []dashboard.DynamicConfigValue{{Id: "decimals", Value: 3}}).
		OverrideByName("held", shown("percentunit", 0)).
		OverrideByName("record", patternColors(map[string]string{"^contradicted": colorBreach, "^proven": colorOK, "^unproven": colorWarn, "^no estimate": colorMissing}, 160))
	return []cog.Builder[dashboard.Panel]{coverage, estimates}
}

func (g generator) deployEvents() *table.PanelBuilder {
	return g.deployTable(text{
		title:       "What was deployed when, by whom, and why?",
		description: "Deployment events in the time range, the newest first, of production, canaries and shadows; an event that was sent twice is one row. An empty table means that none was sent, not that nothing changed: the table of what serves names deploys without an event.",
		unit:        "none",
	}, "lifecycle_events")
}

// deployTable is a table of deploys as wide as the screen: models lead to their page, and
// columns that several of these tables have look alike.
func (g generator) deployTable(t text, sql string) *table.PanelBuilder {
	return tablePanel(t, g.sql(sql)).Span(24).
		OverrideByName("model", g.modelLink()).
		OverrideByRegexp("/^(share|coverage)$/", shown("percentunit", 0)).
		OverrideByRegexp("/^(at|since|deployed|first_hour|last_hour|newest_example)$/", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}})
}
