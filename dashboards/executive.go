package dashboards

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	plumbline "github.com/plumbline-slo/plumbline"
)

// ExecutiveUID is the stable identifier of the executive dashboard, which is also in
// its address: /d/plumbline-executive.
const ExecutiveUID = "plumbline-executive"

// executive is what is read once a week by people who answer for models and do not run
// them: whether what was promised is kept, what it cost, and what the business notices.
func (g generator) executive() board {
	return board{
		uid: ExecutiveUID, audience: "executive",
		title:       "Plumbline for executives: do our models keep their promises?",
		description: "Start with the table of promises, the worst first. A promise is a service level objective (SLO) that somebody declared; the links lead to the model's page.",
		from:        "now-30d", refresh: "15m",
		variables: []cog.Builder[dashboard.VariableModel]{g.modelVariable()},
		sections: []section{
			{panels: g.promiseNumbers()},
			{panels: g.promises()},
			{heading: "What did it cost in incidents?", panels: g.incidents()},
			{heading: "Does the business notice?", panels: g.business()},
		},
	}
}

// promiseNumbers is the top row: four answers before any line is read.
func (g generator) promiseNumbers() []cog.Builder[dashboard.Panel] {
	kept := statPanel(text{
		title:       "Do our models keep their promises?",
		description: "Of the promises of which something is known, the share whose error budget is not spent: of what may go wrong in the promise's period, something is left. Promises on trial are left out. No data: nothing is promised, or nothing is known of any promise.",
		unit:        "percentunit",
	}, steps([]string{colorBreach, colorWarn, colorOK}, 0.8, 1), g.sql("exec_kept")).
		Links([]cog.Builder[dashboard.DashboardLink]{link("All models, the worst first", g.page+"/")})
	unknown := statPanel(text{
		title:       "Of how many promises is nothing known?",
		description: "Promises that are neither kept nor broken, because nothing was said of their budget in the last 10 minutes, too little of their period was seen, or too few labels can ever tell. The table says which. No data: nothing is promised.",
		unit:        "short",
	}, steps([]string{colorOK, colorMissing}, 1), g.sql("exec_unknown")).Span(5).Decimals(0).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: nothing is known of an SLO", g.runbooks+"/slo-missing")})
	pages := statPanel(text{
		title:       "How often was somebody paged?",
		description: "Incidents of the chosen models that became a page in the range of time, and in as long a time before it; one incident counts once, however often it was told. Incidents of Plumbline itself are left out. No data: none, and nobody watched these models' SLOs in that time.",
		unit:        "short",
	}, steps([]string{colorPlain}), g.sql("exec_pages")).Span(6).Decimals(0)
	times := statPanel(text{
		title:       "How long did pages take?",
		description: "Medians over the pages of the range: from the page until somebody took it, and from the incident's first alert until it was over. Those to which that has not happened are left out of the median and counted beside it. Below, how long any page was open in the range, until its incident was over; hours in which several were open count once. No data: there was no page to measure, or nobody watched.",
		unit:        "s",
	}, steps([]string{colorPlain}), g.sql("exec_times")).Span(7)
	return []cog.Builder[dashboard.Panel]{kept.Span(6), unknown, pages, times}
}

// promises says which promises they are, since when they fall, and whether the answers
// are right.
func (g generator) promises() []cog.Builder[dashboard.Panel] {
	const width = "custom.width"
	list := tablePanel(text{
		title:       "Which promises are broken, and which are at risk?",
		description: "One row a promise, the worst first: broken is one whose error budget is spent, at risk one with under a quarter left, on trial one that nobody is told of yet. Achieved is the share that was good in the promise's period so far, where it is a share of something. Pages are those of the range of time; open now is the incident that is not over at its end. What nothing is known of is neither kept nor broken, and has no number; the last column says why. A model without a promise has a row that says so. An empty table: no model is chosen.",
		unit:        "none",
	}, g.sql("exec_promises")).Height(10).Span(24).
		OverrideByName("promise", wordColors(map[string]string{"broken": colorBreach, "at risk": colorWarn, "kept": colorOK, "not known": colorMissing, "none made": colorMissing, "on trial": colorPlain}, 110)).
		OverrideByName("model", g.modelLink()).
		OverrideByRegexp("/^(target|achieved)$/", []dashboard.DynamicConfigValue{{Id: "unit", Value: "percentunit"}, {Id: width, Value: 90}}).
		OverrideByRegexp("/^(budget left|change in 7 days)$/", []dashboard.DynamicConfigValue{{Id: "unit", Value: "percentunit"}, {Id: "decimals", Value: 1}, {Id: width, Value: 130}}).
		OverrideByName("open now", wordColors(map[string]string{plumbline.SeverityPage: colorBreach, plumbline.SeverityTicket: colorWarn}, 110)).
		OverrideByRegexp("/^(over|pages)$/", []dashboard.DynamicConfigValue{{Id: width, Value: 70}})
	left := seriesPanel(text{
		title:       "What gets worse? Error budget left of promises",
		description: "Share of the error budget that is left of the 15 promises with least, by hour, over the period in their names: 100 % is untouched, 0 % spent, less is overspent. A gap: nothing was known of it then. No data: nothing is promised, or nothing was known of any promise.",
		unit:        "percentunit",
	}, gapHours, seriesQuery("A", g.sql("exec_budgets"))).AxisSoftMax(1).
		Thresholds(steps([]string{colorBreach, colorOK}, 0)).ThresholdsStyle(dashedThresholds()).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: a budget is nearly spent", g.runbooks+"/exhaustion")})
	right := seriesPanel(text{
		title:       "Are the answers right? Share of right answers by day",
		description: "Of each day's labelled predictions the share that was right, of all deploys; of a model that decides itself what ever gets a label, the bounds between which that share is. A day with fewer than 20 labels has no point. Dashed and thin: the share of the day's predictions whose label is in, without which the other says little. Predicted numbers have no right or wrong, so that only their dashed line is there. No data: no label is in.",
		unit:        "percentunit",
	}, gapBlocks, seriesQuery("A", g.sql("exec_quality")), seriesQuery("B", g.sql("exec_labels"))).AxisSoftMax(1).
		OverrideByQuery("B", []dashboard.DynamicConfigValue{
			{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{4, 6}}},
			{Id: "custom.lineWidth", Value: 1},
			{Id: "custom.showPoints", Value: string(common.VisibilityModeNever)},
		})
	return []cog.Builder[dashboard.Panel]{list, left, right}
}

// incidents says what people were told of, and whether that was worth it.
func (g generator) incidents() []cog.Builder[dashboard.Panel] {
	days := bars(seriesPanel(text{
		title:       "When were people told? Incidents by day",
		description: "Incidents of the chosen models by the day (UTC) on which they reached their highest level, pages and tickets apart. A day without a bar: nobody was told of anything. No data: that holds of the whole range.",
		unit:        "short",
	}, gapBlocks, seriesQuery("A", g.sql("exec_incident_days")))).Span(16).Decimals(0)
	worth := statPanel(text{
		title:       "Was it worth it? Share of alarms that were right",
		description: "Of the quality and drift alarms of the last 90 days that the labels of their windows have judged, the share that was right. Alarms whose labels are not in yet are left out. No data: none is judged.",
		unit:        "percentunit",
	}, steps([]string{colorBreach, colorWarn, colorOK}, 0.5, 0.8), g.sql("alarm_precision")).Height(9).Span(8)
	list := tablePanel(text{
		title:       "What happened? Incidents of this time",
		description: "Incidents of the chosen models that were open at some time of the range, the newest 200 first. Severity is the highest that one reached. An empty cell: nobody took it, or it is not over. `plumbline incident show` with the name in the last column tells the whole story. An empty table: nobody was told of anything.",
		unit:        "none",
	}, g.sql("exec_incidents")).Span(24).
		OverrideByName("severity", wordColors(map[string]string{plumbline.SeverityPage: colorBreach, plumbline.SeverityTicket: colorWarn}, 110)).
		OverrideByName("status", wordColors(map[string]string{"open": colorBreach, "acknowledged": colorWarn, "resolved": colorOK}, 110)).
		OverrideByName("model", g.modelLink()).
		OverrideByRegexp("/^to (acknowledge|resolve)$/", shown("s", 0)).
		OverrideByName("opened", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}})
	return []cog.Builder[dashboard.Panel]{days, worth, list}
}

// business says whether the figures of the business are as usual, and whether the
// models are used.
func (g generator) business() []cog.Builder[dashboard.Panel] {
	figures := tablePanel(text{
		title:       "Do the business figures hold?",
		description: "The last closed window of every business figure that producers send, against the mean of the same hours of the weeks before, the unusual first. Between the two ends lies a week like those before, 95 times in 100. Unusual is neither good nor bad: that depends on the figure. One that is usually sent and was not has no value. An empty table: no figure is sent.",
		unit:        "short",
	}, g.sql("exec_kpis")).Span(24).
		OverrideByName("reading", wordColors(map[string]string{"unusual": colorBreach, "not sent": colorMissing, "not known": colorMissing, "usual": colorOK}, 110)).
		OverrideByName("model", g.modelLink()).
		OverrideByName("difference", shown("percentunit", 1)).
		OverrideByName("until", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}})
	lines := seriesPanel(text{
		title:       "Since when are business figures unusual? Difference from past weeks",
		description: "How far each closed window of a business figure was from the mean of the same hours of the weeks before, as a share of it, at the window's end. Single weeks differ: which difference is more than that, the table above says. A gap: it was not sent, or too few weeks are known. No data: that holds of all figures.",
		unit:        "percentunit",
	}, gapBlocks, seriesQuery("A", g.sql("exec_kpi_lines")))
	requests := bars(seriesPanel(text{
		title:       "Are the models used? Predictions by day",
		description: "Predictions that production answered on each whole day (UTC), by model, of all deploys. A day without a bar: none arrived, which is not told from none being sent. No data: none on any whole day of the range.",
		unit:        "short",
	}, gapBlocks, seriesQuery("A", g.sql("exec_requests")))).Decimals(0)
	return []cog.Builder[dashboard.Panel]{figures, lines, requests}
}

// promisesSQL spells the objectives as a ClickHouse array of named tuples, one an SLO.
// Those on trial tell nobody; a part is promised by its composite alone, which is a
// share of nothing.
func promisesSQL(objectives []plumbline.Objective) string {
	var rows []string
	for _, o := range objectives {
		rows = append(rows, fmt.Sprintf("(%s, %s, %s, %s, %s, %t, %t, %t)",
			quoteSQL(string(o.SLO.Name)), quoteSQL(string(o.SLO.Model)), strings.ReplaceAll(quoteSQL(string(o.SLO.Owner)), "$", `\x24`),
			number(o.SLO.Target), quoteSQL(plumbline.PeriodWords(o.SLO.PeriodName())),
			o.SLO.Shadow, o.SLO.PartOf != "", !o.SLO.SLI.Is(plumbline.SLIComposite)))
	}
	return "CAST([" + strings.Join(rows, ", ") + "], 'Array(Tuple(slo String, model String, owner String, target Float64, period String, trial Bool, part Bool, shares Bool))')"
}
