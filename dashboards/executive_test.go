package dashboards_test

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards"
)

// executiveWorld is a world that the executive dashboard is asked about.
func executiveWorld(t *testing.T, opts ...dashboards.Option) world {
	t.Helper()
	w := newWorld(t)
	w.b = parse(t, generate(t, dashboards.ExecutiveUID, opts...))
	return w
}

// over runs a query of the panel with the title over the range that it opens with.
func (w world) over(t *testing.T, title, ref string, models ...string) []row {
	t.Helper()
	i := slices.IndexFunc(w.b.Panels, func(p panel) bool { return p.Title == title })
	if i < 0 {
		t.Fatalf("no panel %q", title)
	}
	j := slices.IndexFunc(w.b.Panels[i].Targets, func(q target) bool { return q.RefID == ref })
	if j < 0 {
		t.Fatalf("%q has no query %s", title, ref)
	}
	_, rows := queryOver(t.Context(), t, w.conn, w.b.Panels[i].Targets[j].RawSQL, w.b.span(t), w.now, models...)
	return rows
}

// promised is an SLO with one window pair.
func promised(name, model string, target float64, change func(*plumbline.SLO)) plumbline.Objective {
	o := plumbline.Objective{
		SLO:   plumbline.SLO{Name: plumbline.SLOName(name), Model: plumbline.Model(model), Owner: "ana", Target: target, Period: 30 * 24 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLILatency}},
		Pairs: []plumbline.WindowPair{{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 10}},
	}
	if change != nil {
		change(&o.SLO)
	}
	return o
}

// promises are of every kind there is, beside one whose SLO was removed and one of a
// model that is not looked at.
func promises() dashboards.Option {
	return dashboards.WithObjectives(
		promised("kept", "m", 0.99, nil), promised("risk", "m", 0.9, nil), promised("broken", "m", 0.999, nil), promised("spent", "n", 0.9, nil),
		promised("stale", "m", 0.9, nil), promised("short", "m", 0.9, nil), promised("withheld", "m", 0.9, nil), promised("missing", "m", 0.9, nil), promised("never", "m", 0.9, nil),
		promised("trial", "m", 0.9, func(s *plumbline.SLO) { s.Shadow = true }),
		promised("whole", "m", 0.9, func(s *plumbline.SLO) {
			s.SLI.Kind = plumbline.SLIComposite
			s.Calendar = &plumbline.Calendar{Months: 1}
		}),
		promised("part", "m", 0.9, func(s *plumbline.SLO) { s.PartOf = "whole" }),
		promised("of another", "other", 0.9, nil),
	)
}

// sayBudgets inserts what is left of the budgets of promises: the second number is how
// many seconds ago that was said.
func sayBudgets(t *testing.T, w world) {
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, stage, slo, window, window_end, measure, value, low, high, coverage, verdict, assumes)
		SELECT toDateTime64({now:Int64} - ago, 3) AS at, 'budget', model, 'production', slo, '30d', at, 'left', left, nan, nan, seen, verdict, 'what it rests on'
		FROM VALUES('slo String, ago Int64, left Float64, verdict String, model String, seen Float64',
			('kept', 60, 0.4, 'ok', 'm', 1.), ('kept', 180, -9, 'breach', 'm', 1.), ('kept', 7 * 86400 + 60, 0.9, 'ok', 'm', 1.), ('kept', 7 * 86400 + 3000, 5, 'ok', 'm', 1.), ('kept', 7 * 86400 - 60, 5, 'ok', 'm', 1.),
			('risk', 60, 0.2, 'ok', 'm', 1.), ('risk', 7 * 86400 + 60, 0.9, 'insufficient', 'm', 1.),
			('broken', 60, -0.5, 'breach', 'm', 1.), ('spent', 60, 0, 'breach', 'n', 1.),
			('stale', 700, 0.9, 'ok', 'm', 1.), ('short', 60, 0.8, 'insufficient', 'm', 0.42), ('short', 100, 0.9, 'ok', 'm', 1.), ('withheld', 60, nan, 'insufficient', 'm', 1.), ('missing', 60, nan, 'missing', 'm', 0.),
			('trial', 60, -3, 'breach', 'm', 1.), ('whole', 60, 0.5, 'ok', 'm', 1.), ('whole', 7 * 86400 + 7200, 0.9, 'ok', 'm', 1.), ('part', 60, -1, 'breach', 'm', 1.), ('removed', 60, -1, 'breach', 'm', 1.), ('of another', 60, -1, 'breach', 'other', 1.))`)
}

// Kept are those with something left, of those that are known: neither what nobody knows
// of nor what is on trial is kept or broken, and a part is promised by its whole.
func TestPromisesAreCountedOnce(t *testing.T) {
	w := executiveWorld(t, promises())
	sayBudgets(t, w)
	// kept, risk and whole; broken and spent are not.
	if rows := w.over(t, "Do our models keep their promises?", "A", "m", "n"); len(rows) != 1 || !near(rows[0]["value"], 3./5) || rows[0]["metric"] != "3 of 5 promises kept" {
		t.Errorf("kept: %v, want 3 of 5", rows)
	}
	// stale, short, withheld, missing, never.
	if rows := w.over(t, "Of how many promises is nothing known?", "A", "m", "n"); len(rows) != 1 || !near(rows[0]["value"], 5) || rows[0]["metric"] != "of 10 promises" {
		t.Errorf("unknown: %v, want 5 of 10", rows)
	}
	if rows := w.over(t, "Do our models keep their promises?", "A", "x"); len(rows) != 1 || rows[0]["value"] != nil {
		t.Errorf("kept of a model that promises nothing: %v", rows)
	}
	if rows := w.over(t, "Of how many promises is nothing known?", "A", "x"); len(rows) != 1 || rows[0]["value"] != nil {
		t.Errorf("unknown of a model that promises nothing: %v", rows)
	}
}

// Every promise has a row, the worst first; numbers stand only where they are known.
func TestEveryPromiseHasARow(t *testing.T) {
	w := executiveWorld(t, promises())
	sayBudgets(t, w)
	addIncidents(t, w, "('i1', 'm', 'broken', 'page', 500, 0, 0, 400), ('i2', 'm', 'broken', 'page', 40 * 86400, 86400, 0, 0), ('i3', 'm', 'broken', 'ticket', 500, -1, 0, 400), ('i4', 'm', 'kept', 'page', 31 * 86400, 31 * 86400, 0, 400), ('i5', 'm', 'never', 'page', 50, 50, 0, 0), ('i6', 'm', 'risk', 'ticket', 50, 0, 0, 0)")
	var got []string
	for _, r := range w.over(t, "Which promises are broken, and which are at risk?", "A", "m", "n", "silent") {
		got = append(got, fmt.Sprintln(r["promise"], r["model"], r["SLO"], cell(r["achieved"]), cell(r["budget left"]), cell(r["change in 7 days"]), cell(r["pages"]), r["open now"], r["why"]))
	}
	want := []string{
		"broken m broken 0.9985 -0.5 - 2 page \n",
		"broken n spent 0.9 0 - 0  \n",
		"not known m never - - - 1 page nothing was said of it in 10 minutes\n",
		"not known m missing - - - 0  nothing of it was counted\n",
		"not known m short - - - 0  only 42 % of its period was seen\n",
		"not known m stale - - - 0  nothing was said of it in 10 minutes\n",
		"not known m withheld - - - 0  what it rests on\n",
		"at risk m risk 0.92 0.2 - 0 ticket \n",
		"none made silent  - - - -  no SLO is declared, so that nothing can be broken\n",
		"kept m kept 0.994 0.4 -0.5 0  \n",
		"kept m whole - 0.5 - 0  \n",
		"on trial m trial 0.6 -3 - -  \n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", strings.Join(got, ""), strings.Join(want, ""))
	}
	rows := w.over(t, "Which promises are broken, and which are at risk?", "A", "m")
	whole := rows[slices.IndexFunc(rows, func(r row) bool { return r["SLO"] == "whole" })]
	if whole["owner"] != "ana" || !near(whole["target"], 0.9) || whole["over"] != "a calendar month" {
		t.Errorf("owner, target and period: %v", whole)
	}
}

// cell is a number as a person would write it, - for none.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case float64:
		return strconv.FormatFloat(math.Round(v*1e6)/1e6+0, 'f', -1, 64) // no -0
	}
	return fmt.Sprint(v)
}

// An SLO that nobody looked at in the range has no count of pages, not 0.
func TestNobodyWatchedIsNoPage(t *testing.T) {
	w := executiveWorld(t, promises())
	for _, r := range w.over(t, "Which promises are broken, and which are at risk?", "A", "m") {
		if r["pages"] != nil || r["promise"] != "not known" && r["promise"] != "on trial" {
			t.Errorf("of an empty table: %v", r)
		}
	}
	for _, title := range []string{"How often was somebody paged?", "How long did pages take?"} {
		rows := w.over(t, title, "A", "m")
		for _, r := range rows {
			if r["value"] != nil {
				t.Errorf("%s: %v of no data", title, r)
			}
		}
		if len(rows) < 2 {
			t.Errorf("%s: %v", title, rows)
		}
	}
}

// addIncidents inserts incidents: name, model, SLO, severity, and how many seconds ago it
// opened, became a page (-1: with its opening, as of rows that do not tell it), was
// acknowledged and was over (0: not yet).
func addIncidents(t *testing.T, w world, rows string) {
	t.Helper()
	w.add(t.Context(), t, `INSERT INTO incidents (incident, key, model, slo, name, owner, severity, opened, escalated, acknowledged, resolved, version)
		SELECT incident, incident, model, slo, 'SLOBurn', 'ana', severity, toDateTime64({now:Int64} - began, 3),
			toDateTime64(if(paged <= 0, 0, {now:Int64} - paged), 3), toDateTime64(if(taken = 0, 0, {now:Int64} - taken), 3), toDateTime64(if(over = 0, 0, {now:Int64} - over), 3), 2
		FROM VALUES('incident String, model String, slo String, severity String, began Int64, paged Int64, taken Int64, over Int64', `+rows+`)`)
}

// A page counts in the range in which it became one, whichever model's it is not, and
// days on which nobody watched are told.
func TestPagesCountWhereTheyBegan(t *testing.T) {
	w := executiveWorld(t)
	addIncidents(t, w, `('a', 'm', 's', 'page', 86400, 86400, 0, 0), ('late', 'm', 's', 'page', 35 * 86400, 2 * 86400, 0, 0), ('old form', 'm', 's', 'page', 86400, -1, 0, 0),
		('before', 'm', 's', 'page', 45 * 86400, 45 * 86400, 0, 0), ('long before', 'm', 's', 'page', 61 * 86400, 61 * 86400, 0, 0),
		('ticket', 'm', 's', 'ticket', 86400, 0, 0, 0), ('other', 'n', 's', 'page', 86400, 86400, 0, 0), ('service', '', '', 'page', 86400, 86400, 0, 0)`)
	addIncidents(t, w, `('a', 'm', 's', 'page', 86400, 86400, 0, 80000)`) // the same again
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, slo, measure, value, verdict)
		SELECT toDateTime64({now:Int64} - 86400 * number - 60, 3), 'budget', 'm', 's', 'left', nan, 'missing' FROM numbers(0, 40)`)
	rows := w.over(t, "How often was somebody paged?", "A", "m")
	if len(rows) != 2 || rows[0]["metric"] != "in this time" || !near(rows[0]["value"], 3) || rows[1]["metric"] != "as long before, watched on 10 of 30 days" || !near(rows[1]["value"], 1) {
		t.Errorf("pages: %v, want 3, and 1 of 10 watched days before", rows)
	}
	// Nobody watches the other; its page is known all the same, that it had none before is not.
	rows = w.over(t, "How often was somebody paged?", "A", "n")
	if len(rows) != 2 || !near(rows[0]["value"], 1) || rows[1]["value"] != nil {
		t.Errorf("pages of a model without a look: %v", rows)
	}
}

// Medians are of what has happened; hours in which two pages were open count once, and
// only those in the range.
func TestTimesOfPages(t *testing.T) {
	w := executiveWorld(t)
	const h = "3600"
	addIncidents(t, w, `('a', 'm', 's', 'page', 10 * `+h+`, 10 * `+h+`, 10 * `+h+` - 60, 4 * `+h+`), ('within', 'm', 's', 'page', 8 * `+h+`, 8 * `+h+`, 8 * `+h+` - 300, 7 * `+h+`),
		('over its end', 'm', 's', 'page', 6 * `+h+`, 6 * `+h+`, 0, 3 * `+h+`), ('still', 'm', 's', 'page', 3 * `+h+`, 2 * `+h+`, 2 * `+h+` - 120, 0),
		('ticket', 'm', 's', 'ticket', 100 * `+h+`, 0, 100 * `+h+` - 1, 50 * `+h+`), ('other', 'n', 's', 'page', 100 * `+h+`, 100 * `+h+`, 100 * `+h+` - 1, 50 * `+h+`),
		('from before', 'm', 's', 'page', 40 * 86400, 40 * 86400, 39 * 86400, 30 * 86400 - 12 * `+h+`), ('over before', 'm', 's', 'page', 40 * 86400, 40 * 86400, 0, 35 * 86400)`)
	rows := w.over(t, "How long did pages take?", "A", "m")
	want := map[string]float64{
		"median to acknowledge (1 not taken)": 120,        // of 60, 120 and 300
		"median to resolve (1 still open)":    3 * 3600,   // of 1, 3 and 6 hours
		"a page was open, in all":             21 * 3600., // 7 hours of three, 2 of the last, 12 of the first
	}
	if got := numbers(rows); !maps.Equal(got, want) {
		t.Errorf("times %v, want %v", got, want)
	}
	// Of an even number the median lies between the two in the middle.
	addIncidents(t, w, `('x', 'even', 's', 'page', 1000, 1000, 900, 500), ('y', 'even', 's', 'page', 1000, 1000, 700, 0)`)
	if got := numbers(w.over(t, "How long did pages take?", "A", "even")); got["median to acknowledge"] != 200 || got["median to resolve (1 still open)"] != 500 || got["a page was open, in all"] != 1000 {
		t.Errorf("times of two: %v", got)
	}
	// Watched, and no page: it is known that none was open.
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, slo, measure, value, verdict) SELECT toDateTime64({now:Int64} - 60, 3), 'budget', 'calm', 's', 'left', 1, 'ok'`)
	rows = w.over(t, "How long did pages take?", "A", "calm")
	if len(rows) != 3 || rows[0]["value"] != nil || rows[1]["value"] != nil || !near(rows[2]["value"], 0) {
		t.Errorf("times of a calm model: %v", rows)
	}
}

// numbers are the values by name, NaN for none.
func numbers(rows []row) map[string]float64 {
	out := map[string]float64{}
	for _, r := range rows {
		v, ok := r["value"].(float64)
		if !ok {
			v = math.NaN()
		}
		out[r["metric"].(string)] = v
	}
	return out
}

// at is when a row of lines is, as the time before now.
func (w world) at(r row) time.Duration { return w.now.Sub(r["time"].(time.Time)) }

// The table has what was open in the range, and the bars the day on which it got worst.
func TestIncidentsOfTheRange(t *testing.T) {
	w := executiveWorld(t)
	addIncidents(t, w, "('worse', 'm', 's', 'ticket', 3 * 86400, 0, 0, 0)") // replaced
	addIncidents(t, w, `('new', 'm', 's', 'ticket', 7200, 0, 7000, 0), ('worse', 'm', 's', 'page', 3 * 86400, 2 * 86400, 0, 86400), ('same day', 'm', 's', 'page', 2 * 86400 + 60, 2 * 86400 + 60, 0, 86400),
		('long', 'm', 's', 'page', 60 * 86400, 60 * 86400, 60 * 86400 - 90, 0), ('into it', 'm', 's', 'ticket', 60 * 86400, 0, 0, 29 * 86400), ('over', 'm', 's', 'page', 60 * 86400, 60 * 86400, 0, 31 * 86400), ('other', 'n', 's', 'page', 60, 60, 0, 0),
		('first', 'm', 's', 'ticket', 30 * 86400 - 60, 0, 0, 100)`)
	var got []string
	for _, r := range w.over(t, "What happened? Incidents of this time", "A", "m") {
		got = append(got, fmt.Sprintln(r["incident"], r["severity"], r["status"], cell(r["to acknowledge"]), cell(r["to resolve"]), r["owner"]))
	}
	want := []string{"new ticket acknowledged 200 - ana\n", "same day page resolved - 86460 ana\n", "worse page resolved - 172800 ana\n", "first ticket resolved - 2591840 ana\n", "into it ticket resolved - 2678400 ana\n", "long page acknowledged 90 - ana\n"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", strings.Join(got, ""), strings.Join(want, ""))
	}
	bars := w.over(t, "When were people told? Incidents by day", "A", "m")
	day := w.now.Truncate(24 * time.Hour)
	wantBars := []row{
		{"time": w.now.Add(-30 * 24 * time.Hour), "metric": "m tickets", "value": 1.},
		{"time": day.Add(-2 * 24 * time.Hour), "metric": "m pages", "value": 2.},
		{"time": day, "metric": "m tickets", "value": 1.},
	}
	for i := range bars {
		bars[i]["time"] = bars[i]["time"].(time.Time).UTC()
	}
	if !reflect.DeepEqual(bars, wantBars) {
		t.Errorf("bars %v, want %v", bars, wantBars)
	}
}

// A figure has a difference where it can be told from how weeks differ, and a value
// where its readings are there.
func TestBusinessFigures(t *testing.T) {
	w := executiveWorld(t)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, segment, feature, window, window_end, measure, value, null_mean, low, high, effect, verdict, assumes)
		SELECT toDateTime64({now:Int64} - f.2, 3), 'kpi', f.9, if(f.2 < 600, 'new', 'old'), 'production', f.10, f.1, '1d', toStartOfDay(toDateTime64({now:Int64} - 86400 * f.8, 3, 'UTC')), 'mean_kpi', f.3, f.4, f.3 - f.5, f.3 + f.5, f.6, f.7, 'why'
		FROM (SELECT arrayJoin([
			('revenue', 60, 80., 100., 15., -20., 'breach', 0, 'm', ''), ('revenue', 900, 5., 100., 15., -95., 'breach', 0, 'm', ''), ('revenue', 86400, 110., 100., 15., 10., 'ok', 1, 'm', ''),
			('revenue', 60, 45., 50., 20., -5., 'ok', 0, 'm', 'region=eu'),
			('loss', 60, -60., -50., 30., -10., 'ok', 0, 'm', ''), ('young', 60, 10., 9., nan, 1., 'insufficient', 0, 'm', ''), ('half', 60, 3., 9., nan, nan, 'insufficient', 0, 'm', ''),
			('unsent', 60, nan, 7., nan, nan, 'missing', 0, 'm', ''), ('nothing', 60, 1., 0., 1., 1., 'ok', 0, 'm', ''), ('gone', 4000, 1., 1., 1., 0., 'ok', 0, 'm', ''), ('other', 60, 1., 1., 1., 0., 'ok', 0, 'n', '')
		]) AS f)`)
	var got []string
	for _, r := range w.over(t, "Do the business figures hold?", "A", "m") {
		got = append(got, fmt.Sprintln(r["reading"], r["figure"], r["part"], cell(r["reads"]), cell(r["usually"]), cell(r["difference"]), cell(r["usually from"]), cell(r["usually to"]), r["why"]))
	}
	want := []string{
		"unusual revenue all 80 100 -0.2 85 115 \n", "not sent unsent all - 7 - - - why\n", "not known half all - 9 - - - why\n", "not known young all 10 9 - - - why\n",
		"usual loss all -60 -50 -0.2 -80 -20 \n", "usual revenue region=eu 45 50 -0.1 30 70 \n", "usual nothing all 1 0 - -1 1 \n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", strings.Join(got, ""), strings.Join(want, ""))
	}
	lines := map[string]float64{}
	for _, r := range w.over(t, "Since when are business figures unusual? Difference from past weeks", "A", "m") {
		lines[fmt.Sprint(r["metric"], " ", w.at(r))] = r["value"].(float64)
	}
	wantLines := map[string]float64{"m revenue 13h30m0s": -0.2, "m revenue 37h30m0s": 0.1, "m revenue region=eu 13h30m0s": -0.1, "m loss 13h30m0s": -0.2, "m gone 13h30m0s": 0}
	if !maps.Equal(lines, wantLines) {
		t.Errorf("lines %v, want %v", lines, wantLines)
	}
}

// Right answers are counted of production's deploys together and of classes alone; of a
// model that decides itself what gets a label there are bounds.
func TestRightAnswersByDay(t *testing.T) {
	w := executiveWorld(t, dashboards.WithPartial("p"))
	// What the join saw first, which a later row replaces.
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, time, known, predicted, label, count, correct, rows, version)
		SELECT 'm', 'a', 'production', toStartOfHour(toDateTime({now:Int64} - 7200, 'UTC')) AS time, time, 'x', 'x', 99, 99, 99, 1`)
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, count, correct, rows, version)
		SELECT f.1, f.2, f.3, f.4, toStartOfHour(toDateTime({now:Int64} - 3600 * f.5, 'UTC')) AS time, time, f.6, f.7, f.8, f.9, f.8, f.10
		FROM (SELECT arrayJoin([
			('m', 'a', 'production', '', 2, 'x', 'x', 30, 30, 2), ('m', 'b', 'production', '', 3, 'x', 'y', 10, 0, 1),
			('m', 'b', 'production', '', 3, '', 'y', 10, 0, 1), ('m', 'b', 'production', 'region=eu', 3, 'x', 'y', 500, 0, 1), ('m', 'c', 'shadow', '', 3, 'x', 'y', 500, 0, 1),
			('m', 'a', 'production', '', 30, 'x', 'x', 20, 20, 1), ('m', 'a', 'production', '', 90, 'x', 'x', 19, 19, 1), ('p', 'a', 'production', '', 90, 'x', 'x', 10, 5, 1), ('m', 'a', 'production', '', 60, 'x', 'x', 5, 5, 1), ('m', 'a', 'production', '', 60, 'y', 'y', -5, -5, 1),
			('p', 'a', 'production', '', 2, 'x', 'x', 20, 20, 1), ('p', 'a', 'production', '', 2, 'x', 'y', 10, 0, 1), ('r', 'a', 'production', '', 2, '', '', 70, 0, 1)
		]) AS f)`)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
		SELECT f.1, 'd', f.3, '', 'requests', 'g', toStartOfHour(toDateTime({now:Int64} - 3600 * f.4, 'UTC')), f.2
		FROM (SELECT arrayJoin([('m', 200, 'production', 2), ('m', 900, 'shadow', 2), ('m', 40, 'production', 30), ('p', 20, 'production', 90), ('p', 60, 'production', 2), ('p', 40, 'production', 3), ('r', 140, 'production', 2), ('quiet', 10, 'production', 2)]) AS f)`)
	const title = "Are the answers right? Share of right answers by day"
	named := func(ref string) map[string]float64 {
		got := map[string]float64{}
		for _, r := range w.over(t, title, ref, "m", "p", "r", "quiet") {
			got[fmt.Sprint(r["metric"], " ", w.at(r))] = r["value"].(float64)
		}
		return got
	}
	today, yesterday := " 13h30m0s", " 37h30m0s"
	if got, want := named("A"), map[string]float64{"m" + today: 0.6, "m" + yesterday: 1, "p at least" + today: 0.2, "p at most" + today: 0.9, "p at least 109h30m0s": 0.25, "p at most 109h30m0s": 0.75}; !maps.Equal(got, want) {
		t.Errorf("right answers %v, want %v", got, want)
	}
	want := map[string]float64{"m": 0.25, "p": 0.3, "r": 0.5, "quiet": 0}
	for name, value := range map[string]float64{"m": 0.5} {
		if got := named("B")[name+" share with a label"+yesterday]; got != value {
			t.Errorf("labels of %s yesterday: %v, want %v", name, got, value)
		}
	}
	for name, value := range want {
		if got, ok := named("B")[name+" share with a label"+today]; !ok || got != value {
			t.Errorf("labels of %s: %v, want %v", name, got, value)
		}
	}
}

// A day that is not whole would look like a fall, at either end.
func TestPredictionsOfWholeDays(t *testing.T) {
	w := executiveWorld(t)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
		SELECT 'm', deploy, stage, segment, series, 'g', toStartOfHour(toDateTime({now:Int64}, 'UTC')) - 3600 * number, 1
		FROM numbers(0, 24 * 32) ARRAY JOIN [('a', 'production', '', 'requests'), ('b', 'production', '', 'requests'), ('c', 'shadow', '', 'requests'), ('a', 'production', 'region=eu', 'requests'), ('a', 'production', '', 'score')] AS s
		ARRAY JOIN [s.1] AS deploy, [s.2] AS stage, [s.3] AS segment, [s.4] AS series`)
	rows := w.over(t, "Are the models used? Predictions by day", "A", "m")
	if len(rows) != 29 || w.at(rows[0]) != 13*time.Hour+30*time.Minute+29*24*time.Hour || w.at(rows[28]) != 37*time.Hour+30*time.Minute {
		t.Fatalf("%d days: %v", len(rows), rows)
	}
	for _, r := range rows {
		if r["value"] != 48. {
			t.Errorf("%v, want 24 hours of two deploys", r)
		}
	}
}

// Lines are of promises, where something is known of them.
func TestBudgetsByHour(t *testing.T) {
	w := executiveWorld(t, promises())
	sayBudgets(t, w)
	got := map[string]float64{}
	for _, r := range w.over(t, "What gets worse? Error budget left of promises", "A", "m") {
		if w.at(r) == 30*time.Minute {
			got[r["metric"].(string)] = r["value"].(float64)
		}
	}
	want := map[string]float64{"kept 30d": 0.4, "risk 30d": 0.2, "broken 30d": -0.5, "stale 30d": 0.9, "short 30d": 0.9, "trial 30d": -3, "whole 30d": 0.5, "removed 30d": -1}
	if !maps.Equal(got, want) {
		t.Errorf("lines %v, want %v", got, want)
	}
}

// Of many promises the lines are those of which least is left by now, not once.
func TestBudgetsOfTheWorst(t *testing.T) {
	w := executiveWorld(t)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, slo, window, measure, value, verdict)
		SELECT toDateTime64({now:Int64} - 7200 * ago, 3), 'budget', 'm', concat('s', leftPad(toString(number), 2, '0')), '30d', 'left', if(ago = 0, number / 20 - 0.5, -number), 'ok'
		FROM numbers(20) ARRAY JOIN [0, 1] AS ago`)
	drawn := map[string]int{}
	for _, r := range w.over(t, "What gets worse? Error budget left of promises", "A", "m") {
		drawn[r["metric"].(string)]++
	}
	for i := range 20 {
		if name := fmt.Sprintf("s%02d 30d", i); (drawn[name] == 2) != (i < 15) {
			t.Errorf("%s has %d points, of %v", name, drawn[name], drawn)
		}
	}
}

// Without a model to choose from there is no number and no error.
func TestExecutiveWithoutAModel(t *testing.T) {
	w := executiveWorld(t, promises())
	for _, q := range everyQuery(w.b) {
		_, rows := queryOver(t.Context(), t, w.conn, strings.ReplaceAll(q.sql, "${model:singlequote}", ""), w.b.span(t), w.now)
		for _, r := range rows {
			if q.kind != "variable" && (q.kind != "stat" || r["value"] != nil) {
				t.Errorf("%s: %v", q.where, r)
			}
		}
	}
}

// What Grafana would read as a variable in an owner's name stays a name.
func TestOwnersAreQuoted(t *testing.T) {
	o := promised("s", "m", 0.9, func(s *plumbline.SLO) { s.Owner = `o'${__user.login}\` })
	w := executiveWorld(t, dashboards.WithObjectives(o))
	if rows := w.over(t, "Which promises are broken, and which are at risk?", "A", "m"); len(rows) != 1 || rows[0]["owner"] != string(o.SLO.Owner) {
		t.Errorf("owner: %v", rows)
	}
	for _, q := range everyQuery(w.b) {
		if strings.Contains(q.sql, "${__user") {
			t.Errorf("%s: Grafana would read a variable", q.where)
		}
	}
}
