package dashboards

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// DebugUID is the stable identifier of the debug dashboard, which is also in its
// address: /d/plumbline-debug.
const DebugUID = "plumbline-debug"

// debug is what whoever knows that a model is wrong opens to find what made it so: an
// input, a slice, a deploy or the pipe.
func (g generator) debug() board {
	return board{
		uid: DebugUID, audience: "debug",
		title:       "Plumbline debug: which input, slice, deploy or pipe it is",
		description: "Choose the model, then read from the top: inputs, slices, deploys, answers, the pipe, and single answers that were wrong. Click on a feature to look at it.",
		from:        "now-6h", refresh: "1m",
		variables: []cog.Builder[dashboard.VariableModel]{g.oneModelVariable(), g.featureVariable()},
		sections: []section{
			{panels: g.movedInputs()},
			{heading: "What does the chosen feature look like?", panels: g.chosenFeature()},
			{heading: "Which slice is it?", panels: g.slices()},
			{heading: "Is it the deploy?", panels: g.deploysCompared()},
			{heading: "Do answers come, how fast, and which?", panels: g.answers()},
			{heading: "Does the pipe work?", panels: g.pipe()},
			{heading: "What were the last wrong answers?", panels: g.wrongAnswers()},
		},
	}
}

// oneModelVariable chooses one model: lines of many are not read. A link from another
// dashboard may bring several all the same, so that every query is right for many.
func (g generator) oneModelVariable() cog.Builder[dashboard.VariableModel] {
	return g.queryVariable("model", "Model", modelsDescription, "models").Sort(dashboard.VariableSortAlphabeticalAsc)
}

// featureVariable chooses one feature of the model. It has no current value: Grafana
// then takes the first of the query, which moved most.
func (g generator) featureVariable() cog.Builder[dashboard.VariableModel] {
	return g.queryVariable("feature", "Feature", "Features of the model in the range or on the day before it, the one that moved most first.", "debug_features").
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged)
}

// debugLink leads from a cell with a model's name to this dashboard.
const debugLink = "/d/" + DebugUID + "?${__url_time_range}&${datasource:queryparam}&var-model=${__data.fields.model:percentencode}"

// chooses links a column of features to this dashboard with the feature chosen.
func chooses() []dashboard.DynamicConfigValue {
	return cellLinks(map[string]any{"title": "Look at this feature", "targetBlank": false, "url": debugLink + "&var-feature=${__data.fields.feature:percentencode}"})
}

// lateWords end the descriptions of what rests on labels.
const lateWords = " Labels come late: of the newest predictions the first labels are not a fair sample, so read coverage with it, and choose a longer range where labels take longer than this one."

// movedInputs are the first look: what is not as it was.
func (g generator) movedInputs() []cog.Builder[dashboard.Panel] {
	moved := tablePanel(text{
		title:       "Which input moved? Distance of each feature from each reference now",
		description: "Latest finding of drift within 10 minutes of every feature, deploy, reference and window, by the measure that moved most in its least effects. Noise is the distance of samples of these sizes if nothing had changed, beyond is the distance without it. Breaches stand first, then what is missing, then the greatest. What is insufficient has no number, and the last column says why. A model, or a deploy that answers, without any finding is missing.",
		unit:        "none",
	}, g.sql("debug_inputs")).Span(24).Height(9).
		OverrideByName("verdict", verdictColors()).
		OverrideByName("feature", chooses()).
		OverrideByRegexp("/^(value|noise|beyond)$/", shown("none", 3)).
		OverrideByName("p", []dashboard.DynamicConfigValue{{Id: "unit", Value: "sci"}, {Id: "decimals", Value: 0}, narrow(80)}).
		OverrideByName("events", shown("short", 1)).
		OverrideByName("at", shown("dateTimeAsIso", 0)).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: data-drift", g.runbooks+"/data-drift")})
	sound := tablePanel(text{
		title:       "Are the values sound? What is null, missing, new or out of range",
		description: "Latest checks of data quality within 10 minutes (repeats: 75): every breach, and every share of what should not come that is over 0, beside what is usual. Shares are from 0 to 1, others in the unit of their check. All other checks of a deploy are one row for each verdict. A model, or a deploy that answers, without any finding is missing.",
		unit:        "none",
	}, g.sql("debug_soundness")).Span(24).Height(7).
		OverrideByName("verdict", verdictColors()).
		OverrideByName("feature", chooses()).
		OverrideByRegexp("/^(now|usual)$/", shown("none", 4)).
		OverrideByName("at", shown("dateTimeAsIso", 0)).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: data-quality", g.runbooks+"/data-quality")})
	return []cog.Builder[dashboard.Panel]{moved, sound}
}

// chosenFeature draws the feature of the variable by hour and deploy.
func (g generator) chosenFeature() []cog.Builder[dashboard.Panel] {
	quantiles := seriesPanel(text{
		title:       "Since when are its numbers others? Median, 5 % and 95 % by hour",
		description: "Quantiles of the finite numbers of the chosen feature by hour and deploy, to 0.4 % (integers up to 511 exactly), from the hourly counts on the grid; the hour under way so far. No data: the feature has no numbers, or none came.",
		unit:        "none",
	}, gapHours, seriesQuery("A", g.quantiles("debug_feature_rows", "('5 %', 0.05), ('median', 0.5), ('95 %', 0.95)"))).Span(8)
	gaps := seriesPanel(text{
		title:       "Is it there? Share of requests with a null, nothing or no number",
		description: "Share of the requests of an hour in which the chosen feature was sent as null, was not sent at all, or was NaN or infinite, by deploy. 0 is a sound feature; no line means that there was no request, or that the model never sent the feature.",
		unit:        "percentunit",
	}, gapHours, seriesQuery("A", g.sql("debug_gaps"))).Span(8).Min(0)
	categories := seriesPanel(text{
		title:       "Since when are its values others? Shares of the most frequent by hour",
		description: "Share of each of the eight most frequent values of the chosen feature in the range, nulls left out, and of all others together, by hour and deploy. No data: the feature has no text or boolean values, or none came.",
		unit:        "percentunit",
	}, gapHours, seriesQuery("A", g.sql("debug_categories"))).Span(8).Min(0)
	return []cog.Builder[dashboard.Panel]{quantiles, gaps, categories}
}

// quantiles is the query of quantiles of what a statement of rows selects: columns time,
// line, grid, least_seen, greatest_seen and hist.
func (g generator) quantiles(rows, quantiles string) string {
	return strings.NewReplacer("$rows", g.sql(rows), "$quantiles", quantiles).Replace(g.sql("debug_quantiles"))
}

func (g generator) slices() []cog.Builder[dashboard.Panel] {
	slices := tablePanel(text{
		title:       "Which slice fell? Quality of each declared segment against the day before",
		description: "Production in the range, in whole hours, against the 24 hours before it, by declared segment: accuracy, or the mean absolute error of a regression, of the predictions that are labelled. Fell: by more than 3 standard errors; under 20 labels nothing is said. A model that chooses itself what is labelled has no number. An empty table means that nothing was asked or labelled." + lateWords,
		unit:        "none",
	}, g.sql("debug_slices")).Span(15).Height(9).
		OverrideByName("says", wordColors(map[string]string{
			"fell": colorBreach, "rose": colorOK, "too few labels": colorWarn, "no label yet": colorMissing, "no request": colorMissing,
			"nothing to compare with": colorMissing, "labels chosen by the model": colorMissing,
		}, 140)).
		OverrideByRegexp("/^(accuracy.*|coverage)$/", shown("percentunit", 1)).
		OverrideByRegexp("/^mean_error/", shown("none", 3)).
		OverrideByRegexp("/^(requests|labelled)$/", shown("short", 1))
	confusion := tablePanel(text{
		title:       "What is taken for what? Wrong classes in the range",
		description: "Labelled production predictions of the range that were wrong, by the class that was predicted and the true one, the most frequent first, with their share of all that were labelled. Of the labels that a model with partial feedback chose this is no estimate of all traffic. An empty table means that none was wrong, or none labelled, or that the model has no classes.",
		unit:        "none",
	}, g.sql("debug_confusion")).Span(9).Height(9).
		OverrideByName("of_labelled", shown("percentunit", 1)).
		OverrideByName("wrong", shown("short", 1))
	hours := seriesPanel(text{
		title:       "Since when does a slice fall? Accuracy by hour of those that fell most",
		description: "Accuracy of labelled production predictions by hour, of all traffic and of the eight declared segments that fell most against the day before the range, of those with 20 labels on either side. A fall that begins with a deploy's mark is the deploy's. No line: no label, a regression, or labels that the model chose." + lateWords,
		unit:        "percentunit",
	}, gapHours, seriesQuery("A", g.sql("debug_slice_hours"))).Span(24).Height(8).Max(1)
	return []cog.Builder[dashboard.Panel]{slices, confusion, hours}
}

func (g generator) deploysCompared() []cog.Builder[dashboard.Panel] {
	deploys := tablePanel(text{
		title:       "Which deploy answers otherwise? Traffic, quality and speed of each",
		description: "Every deploy that answered in the range, in whole hours, whichever its stage, the newest answer first: its share of what users got (a shadow has none), the share of its predictions with a label, accuracy or mean absolute error of these, the mean of its scores or predicted numbers, the 95 % quantile of its latency, and when it was seen first and last in the range. An empty table means that none answered." + lateWords,
		unit:        "none",
	}, g.sql("debug_deploys")).Span(24).
		OverrideByRegexp("/^(share|coverage|accuracy)$/", shown("percentunit", 1)).
		OverrideByRegexp("/^mean_/", shown("none", 3)).
		OverrideByName("p95_ms", shown("ms", 0)).
		OverrideByName("requests", shown("short", 1)).
		OverrideByRegexp("/_answer$/", shown("dateTimeAsIso", 0)).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: regression", g.runbooks+"/regression")})
	return []cog.Builder[dashboard.Panel]{deploys}
}

// answers draws what comes back, without waiting for labels.
func (g generator) answers() []cog.Builder[dashboard.Panel] {
	const quantiles = "('5 %', 0.05), ('median', 0.5), ('95 %', 0.95)"
	traffic := seriesPanel(text{
		title:       "Who answers? Share of traffic by deploy",
		description: "Share of the requests of five minutes that each deploy answered, shadows left out. No line means that nobody answered then, or that the counts of minutes are not kept so long.",
		unit:        "percentunit",
	}, gapFindings, seriesQuery("A", g.sql("debug_traffic"))).Min(0).Max(1)
	latency := seriesPanel(text{
		title:       "How fast are answers? Latency by deploy",
		description: "Median, 95 % and 99 % quantile of the latency that producers send, of five minutes and by deploy, to 1.6 %. No data: none is sent, or nothing was answered; that is not fast.",
		unit:        "ms",
	}, gapFindings, seriesQuery("A", g.quantiles("debug_latency_rows", "('median', 0.5), ('95 %', 0.95), ('99 %', 0.99)"))).Min(0).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: latency", g.runbooks+"/latency")})
	failed := seriesPanel(text{
		title:       "Do answers fail? Share by status in the last hour",
		description: "Share of the answers of a minute whose status is not ok, together and by status, by deploy, of at most the last hour of the range: it is counted from raw rows, so only of what is stored of them. 0 is an hour without errors; no line means that nothing was answered.",
		unit:        "percentunit",
	}, gapMinutes, seriesQuery("A", g.sql("debug_errors"))).Min(0)
	scores := answersByHour(seriesPanel(text{
		title:       "What is answered? Scores, and predicted numbers by hour",
		description: "Median, 5 % and 95 % quantile of the scores of five minutes, and of a regression's predicted numbers of an hour, by deploy. Probabilities that move without an input that did are another model, or another calibration. No data: the model sends neither, or answered nothing.",
		unit:        "none",
	}, gapFindings, seriesQuery("A", g.quantiles("debug_score_rows", quantiles)), seriesQuery("B", g.quantiles("debug_value_rows", quantiles))))
	return []cog.Builder[dashboard.Panel]{traffic, latency, failed, scores}
}

// answersByHour lets the lines of query B, which has a point an hour, have gaps of hours.
func answersByHour(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return p.OverrideByQuery("B", []dashboard.DynamicConfigValue{{Id: "custom.insertNulls", Value: gapHours}})
}

// pipe says whether what the model answered reached its numbers.
func (g generator) pipe() []cog.Builder[dashboard.Panel] {
	labels := seriesPanel(text{
		title:       "Do labels come, and do they count? Labels by hour",
		description: "Labels by the hour in which they became known, and the predictions of any deploy that were labelled for the first time by them (less those whose label was withdrawn). What came and did not count repeats or corrects another label, waits to be joined, or belongs to no prediction: ask the view unmatched_labels which. No line means that no label came.",
		unit:        "short",
	}, gapHours, seriesQuery("A", g.sql("debug_labels"))).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: label-delay", g.runbooks+"/label-delay")})
	notices := tablePanel(text{
		title:       "What did the pipe report? Parked, paused, lost or refused",
		description: "Notices in the range about the service itself, for all models: partitions that were parked or paused, offsets that were lost, a full disk. Newest first; an empty table means that there was none.",
		unit:        "none",
	}, g.sql("debug_notices")).Span(12).Height(9).
		OverrideByName("at", shown("dateTimeAsIso", 0)).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: service", g.runbooks+"/service")})
	return []cog.Builder[dashboard.Panel]{g.topics(), labels, notices}
}

func (g generator) topics() *table.PanelBuilder {
	return tablePanel(text{
		title:       "Do events arrive, and are they taken? Topics in the last 24 hours",
		description: "Every topic that was ever read, of all models: how old the newest stored event is, how long the newest event of the last batch waited to be stored, and the longest that one did in the last hour (events that were read late, of a replay say, waited long), and how many events were refused as dead letters (plumbline dlq list shows them with the reason). Labels that wait are stored and not joined yet. A topic of which nothing was stored in 24 hours has no number; one of deploys may well be silent. An empty table means that no topic was ever read.",
		unit:        "none",
	}, g.sql("debug_topics")).Span(24).Height(7).
		OverrideByName("says", wordColors(map[string]string{
			"stores": colorOK, "refuses events": colorBreach, "nothing stored in 1 h": colorWarn, "nothing stored in 24 h": colorMissing,
		}, 170)).
		OverrideByRegexp("/^(newest_age|last_wait|longest_wait|oldest_waits)$/", shown("s", 1)).
		OverrideByRegexp("/^(events|refused|labels_waiting)$/", shown("short", 1)).
		OverrideByName("refused_share", shown("percentunit", 2)).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: service", g.runbooks+"/service")})
}

func (g generator) wrongAnswers() []cog.Builder[dashboard.Panel] {
	wrong := tablePanel(text{
		title:       "Which answers were wrong last? The newest 50 with what they rest on",
		description: "The newest 50 production predictions of the range whose label says that they were wrong, by event time, with their score, the label that counts now, and their features as they are stored: what the privacy policy drops or hashes is not here. Of a regression the newest labelled ones with their error. Features of an exchange that was logged in halves, and of raw rows that expired, are empty. An empty table means that none was wrong, or that none of the range is labelled yet: choose a longer one.",
		unit:        "none",
	}, g.sql("debug_wrong")).Span(24).Height(12).
		OverrideByRegexp("/^(at|labelled_at)$/", shown("dateTimeAsIso", 0)).
		OverrideByRegexp("/^(score|error)$/", shown("none", 3)).
		OverrideByName("latency_ms", shown("ms", 0)).
		OverrideByName("features", []dashboard.DynamicConfigValue{narrow(600)})
	return []cog.Builder[dashboard.Panel]{wrong}
}
