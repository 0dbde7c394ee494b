package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
)

func byName(t *testing.T, slos []plumbline.SLO) map[plumbline.SLOName]plumbline.SLO {
	t.Helper()
	all := make(map[plumbline.SLOName]plumbline.SLO)
	for _, s := range slos {
		all[s.Name] = s
	}
	return all
}

func TestEveryKindLoads(t *testing.T) {
	slos, err := ParseFiles("testdata/openslo/kinds.yml")
	if err != nil {
		t.Fatal(err)
	}
	all := byName(t, slos)
	for name, kind := range map[plumbline.SLOName]plumbline.SLIKind{
		"latency": plumbline.SLILatency, "cost": plumbline.SLICost, "minutes": plumbline.SLIPromQL, "share": plumbline.SLIPromQL,
		"counted": plumbline.SLISQL, "whole": plumbline.SLIComposite, "whole-1": plumbline.SLILatency, "whole-2": plumbline.SLISuccess,
		"freshness": plumbline.SLIFreshness, "label-arrival": plumbline.SLILabelArrival, "labels-as-usual": plumbline.SLILabelArrival, "drift": plumbline.SLIDrift,
		"fairness": plumbline.SLIFairness, "kpi": plumbline.SLIKPI,
	} {
		s, ok := all[name]
		if !ok || !s.SLI.Is(kind) || s.Inert != "" || s.Owner != "ml-oncall" && s.PartOf == "" && name != "latency" {
			t.Errorf("%s: %+v", name, s)
		}
		if _, err := PairsFor(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := all["labels-as-usual"].SLI; s.Within != 0 || s.Signal != plumbline.SignalLabelArrival || s.Measure != plumbline.MeasureBlind || s.Op != "lt" || s.Value != 0.5 {
		t.Errorf("labels without a bound of their own are judged by %+v", s)
	}
	if s := all["label-arrival"].SLI; s.Within != 48*time.Hour || s.Signal != "" {
		t.Errorf("labels with a bound are counted by %+v", s)
	}
	l := all["latency"]
	if l.Model != "checkout-model" || l.SLI.Op != "lte" || l.SLI.Value != 300 || l.Owner != "ml-oncall" {
		t.Errorf("latency: %+v", l)
	}
	set, err := PairsFor(l)
	if err != nil {
		t.Fatal(err)
	}
	if last := set.Pairs[len(set.Pairs)-1]; last.Name != "very-fast" || last.Factor != 20 || last.Long != 30*time.Minute || last.For != 2*time.Minute {
		t.Errorf("the file's own condition became %+v", last)
	}
	// 3 parts of burn 1/(1-0.9) = 10 and 1 of 100: at most 32.5, so a budget of
	// 1/32.5.
	if got := all["whole"].Target; got != round12(1-4/(3*10.+100)) {
		t.Errorf("target of the composite is %v", got)
	}
	if c := all["cost"]; c.Segment != "country=DE" || !c.Shadow || c.Overdispersion != 2 || c.Calendar == nil || c.Calendar.Months != 3 || c.Target != 0.995 {
		t.Errorf("cost: %+v", c)
	}
	if m := all["minutes"]; m.SliceWindow != 5*time.Minute || m.SliceTarget != 0.95 || m.Budgeting != plumbline.Timeslices {
		t.Errorf("minutes: %+v", m)
	}
	if all["latency"].SLIID() == all["whole-1"].SLIID() == (l.Model == all["whole-1"].Model) {
		return
	}
	t.Error("two objectives on one SLI do not share its counts")
}

const sloHead = `apiVersion: openslo/v1
kind: SLO
metadata:
  name: a
  annotations:
    plumbline.dev/owner: o
`

const sloTail = `spec:
  service: m
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
`

// TestStandardFiles loads files as OpenSLO's own examples write them: what is
// correct and nothing of ours is inert, what is broken is an error that says why.
func TestStandardFiles(t *testing.T) {
	for _, file := range []string{"testdata/openslo/standard-occurrences.yml", "testdata/openslo/standard-timeslices.yml"} {
		slos, err := ParseFiles(file)
		if err != nil || len(slos) != 1 || slos[0].Inert == "" {
			t.Errorf("%s: %+v, %v", file, slos, err)
		}
	}
	_, err := ParseFiles("testdata/openslo/broken-timeslices.yml")
	if err == nil || !strings.Contains(err.Error(), "M months") || !strings.Contains(err.Error(), "broken-timeslices.yml:19") {
		t.Errorf("a month written as a minute: %v", err)
	}
}

func TestQueriesAreHeldToWhatMayRun(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT time, good, total FROM t WHERE time >= {from:DateTime} AND time < {to:DateTime}":                                                                          "",
		"WITH x AS (SELECT 1) SELECT time, good, total FROM x WHERE time BETWEEN {from:DateTime} AND {to:DateTime}":                                                       "",
		"SELECT 'url(' AS time, 1, 1 FROM t WHERE a > {from:DateTime} AND b < {to:DateTime}":                                                                              "",
		"SELECT * FROM url('http://x', CSV) WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                              "table function url",
		"SELECT * FROM /* */ file ('a') WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                                  "table function file",
		"SELECT * FROM a JOIN numbers(9) WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                                 "function numbers",
		"SELECT * FROM url /*x*/ ('http://x') WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                            "table function url",
		"SELECT * FROM url -- x\\n ('http://x') WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                          "table function url",
		"SELECT * FROM url # x\\n ('http://x') WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                           "table function url",
		"SELECT * FROM `url` ('http://x') WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                                "table function url",
		"SELECT * FROM /**/numbers/**/(3) WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                                "function numbers",
		"SELECT * FROM t, numbers(3) WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                                     "function numbers",
		"SELECT * FROM t AS a, u b, numbers(3) WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                           "function numbers",
		"SELECT * FROM (SELECT 1 FROM t), numbers(3) WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                     "function numbers",
		"SELECT * FROM t WHERE a IN (SELECT 1 FROM u, zeros(3)) AND t > {from:DateTime} AND t < {to:DateTime}":                                                            "function zeros",
		"SELECT toStartOfMinute(ts) AS time, sum(x), countIf(y) FROM t, u WHERE f(a, g(b)) AND t > {from:DateTime} AND t < {to:DateTime} GROUP BY time, toDate(ts), h(z)": "",
		"SELECT extract(hour FROM ts), sum(x) FROM t WHERE t > {from:DateTime} AND t < {to:DateTime} GROUP BY a, toDate(ts)":                                              "",
		"SELECT trim(BOTH 'x' FROM y) AS a, f(b), good FROM t WHERE t > {from:DateTime} AND t < {to:DateTime} ORDER BY a, f(b)":                                           "",
		"SELECT 1 FROM t JOIN u USING (a, b) WHERE t > {from:DateTime} AND t < {to:DateTime} GROUP BY f(a)":                                                               "",
		"SELECT 1 FROM t ARRAY JOIN arrayMap(x, y) AS z, f(y) AS w WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                       "",
		"SELECT '--' AS a, 'it''s' AS b FROM t WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                           "",
		"SELECT * FROM numbers(9) WHERE t > {from:DateTime} AND t < {to:DateTime}":                                                                                        "function numbers",
		"INSERT INTO t SELECT {from:DateTime}, {to:DateTime}":                                                                                                             "is no SELECT",
		"SELECT 1; DROP TABLE t -- {from:DateTime} {to:DateTime}":                                                                                                         "more than one",
		"SELECT time, good, total FROM t": "does not use {from:DateTime}",
		"SELECT time, x AS gut, total FROM t WHERE time >= {from:DateTime} AND time < {to:DateTime}":                "returns no column good;",
		"SELECT time, 'good' AS g, count(*) AS total FROM t WHERE time >= {from:DateTime} AND time < {to:DateTime}": "returns no column good;",
		"SELECT time, x AS `good`, count() FROM t WHERE time >= {from:DateTime} AND time < {to:DateTime}":           "returns no column total;",
		"SELECT ts, good, total FROM t WHERE ts >= {from:DateTime} AND ts < {to:DateTime}":                          "returns no column time;",
	} {
		if want == "" && !strings.Contains(query, "SELECT time, good, total") {
			query = strings.Replace(query, "SELECT ", "SELECT time, good, total, ", 1)
		}
		data := sloHead + "    plumbline.dev/sli: sql\n    plumbline.dev/query: " + `"` + query + `"` + "\n" + sloTail
		_, err := parse("x.yml", []byte(data))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", query, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, not %q", query, err, want)
		}
	}
}

func TestCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, berlin)
	tests := []struct {
		calendar  plumbline.Calendar
		period    time.Duration
		now, want time.Time
	}{
		{plumbline.Calendar{Start: start, Months: 1}, 0, time.Date(2026, 7, 1, 0, 0, 0, 0, berlin), time.Date(2026, 7, 1, 0, 0, 0, 0, berlin)},
		{plumbline.Calendar{Start: start, Months: 1}, 0, time.Date(2026, 6, 30, 23, 59, 0, 0, berlin), time.Date(2026, 6, 1, 0, 0, 0, 0, berlin)},
		{plumbline.Calendar{Start: start, Months: 3}, 0, time.Date(2025, 12, 31, 23, 0, 0, 0, berlin), time.Date(2025, 10, 1, 0, 0, 0, 0, berlin)},
		// The clocks change on 29 March: a week still begins at midnight.
		{plumbline.Calendar{Start: start}, 7 * day, time.Date(2026, 4, 2, 0, 0, 0, 0, berlin), time.Date(2026, 4, 2, 0, 0, 0, 0, berlin)},
		{plumbline.Calendar{Start: start}, 7 * day, time.Date(2026, 4, 1, 23, 59, 0, 0, berlin), time.Date(2026, 3, 26, 0, 0, 0, 0, berlin)},
	}
	for _, tt := range tests {
		if got := tt.calendar.Since(tt.now, tt.period); !got.Equal(tt.want) {
			t.Errorf("%v of %v: got %v, want %v", tt.now, tt.calendar, got, tt.want)
		}
	}
}

// TestRulesOfEveryKind generates the rules of every kind and holds them to what
// Prometheus loads: pages with evidence, shadows and parts without alerts.
func TestRulesOfEveryKind(t *testing.T) {
	slos, err := ParseFiles("testdata/openslo/kinds.yml")
	if err != nil {
		t.Fatal(err)
	}
	out, err := Generate(slos, DefaultGenerateConfig())
	if err != nil {
		t.Fatal(err)
	}
	mustLoad(t, out)
	golden(t, "testdata/openslo/kinds.rules.golden", out)
	text := string(out)
	if strings.Contains(text, "plumbline-whole-1") {
		t.Error("a part of a composite has rules of its own")
	}
	_, shadow, _ := strings.Cut(text, "name: plumbline-cost\n")
	shadow, _, _ = strings.Cut(shadow, "  - name:")
	if shadow == "" || strings.Contains(shadow, "alert:") {
		t.Errorf("a shadow alerts: %s", shadow)
	}
}
