package ask

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/grid"

	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Areas from buckets lie within their bound of those of the scores.
func buckets(t *testing.T, asker *Asker) {
	q, err := Question{Model: "loan", From: begin, To: end}.settled()
	if err != nil {
		t.Fatal(err)
	}
	d := fraud().with(Declaration{})
	areas := map[bool][]Value{}
	for _, exact := range []bool{true, false} {
		all, err := asker.classes(t.Context(), q, d, exact)
		if err != nil {
			t.Fatal(err)
		}
		areas[exact] = all[""].ranked(all[""].thinning())
	}
	for i, v := range areas[false] {
		want := areas[true][i]
		if want.Bound != 0 || v.Bound <= 0 || v.Bound > 0.01 || math.Abs(v.Value.Value-want.Value.Value) > v.Bound {
			t.Errorf("%s from buckets %g within %g, from scores %g within %g", v.Metric, v.Value.Value, v.Bound, want.Value.Value, want.Bound)
		}
	}
}

// views says what the brute force says.
func views(t *testing.T, db *storage.DB, world []prediction) {
	asOf := end.Add(9 * time.Hour)
	all, truths, _ := chosen(world, asOf, func(p prediction) bool { return p.region == "eu" && p.deploy == "b" })
	want := oracle(all, truths)
	slice := []any{clickhouse.Named("since", instant(begin)), clickhouse.Named("until", instant(end)), clickhouse.Named("as_of", instant(asOf))}
	const args = "model = 'loan', stage = 'production', deploy = 'b', segment = 'region=eu', since = {since:String}, until = {until:String}, as_of = {as_of:String}"
	seen := 0
	rows, err := db.Conn().Query(t.Context(), "SELECT metric, value, labels, needs_labels FROM quality(positive = 'fraud', "+args+")", slice...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id     string
			value  float64
			labels uint64
			few    bool
		)
		if err := rows.Scan(&id, &value, &labels, &few); err != nil {
			t.Fatal(err)
		}
		w, ok := want[metric.ID(id)]
		if !ok {
			if !math.IsNaN(value) || !few {
				t.Errorf("%s of classes is %g", id, value)
			}
			continue
		}
		seen++
		if !near(value, w.Value) || int64(labels) != w.Labelled || few != (w.State != metric.OK) {
			t.Errorf("%s is %g of %d labels, too few %t, want %+v", id, value, labels, few, w)
		}
	}
	if err := rows.Err(); err != nil || seen != 10 {
		t.Errorf("%d metrics of a binary model, %v", seen, err)
	}
	// Of a misspelt positive class only accuracy is one of the model.
	var count, called uint64
	if err := db.Conn().QueryRow(t.Context(), "SELECT countIf(NOT needs_labels AND metric = 'accuracy'), countIf(NOT needs_labels) FROM quality(positive = 'froud', "+args+")", slice...).Scan(&count, &called); err != nil || count != 1 || called != 1 {
		t.Errorf("of a misspelt class %d metrics have labels enough, accuracy %d times, %v", called, count, err)
	}
	if err := db.Conn().QueryRow(t.Context(), "SELECT sumIf(count, label = 'fraud' AND predicted = 'fraud'), sum(rows) FROM confusion("+args+")", slice...).Scan(&count, &called); err != nil {
		t.Fatal(err)
	}
	if _, _, c, _ := columns(all, truths); int64(count) != c.TP || int(called) != len(all) {
		t.Errorf("confusion has %d true positives of %d rows, want %d of %d", count, called, c.TP, len(all))
	}
	fairShares(t, db, all, truths, args, slice)
	if err := db.Conn().QueryRow(t.Context(), "SELECT count() FROM labelled(model = 'loan', since = {since:String}, until = {until:String}, as_of = {as_of:String}) WHERE stage = 'production' AND has(segments, 'region=eu') AND deploy_hash = 'b'", slice...).Scan(&count); err != nil || int(count) != len(all) {
		t.Errorf("labelled has %d rows, want %d, %v", count, len(all), err)
	}
}

// fairShares holds the one row of the view of fairness, of a slice within one
// segment, against shares that were counted here.
func fairShares(t *testing.T, db *storage.DB, all []prediction, truths []string, args string, slice []any) {
	t.Helper()
	_, _, c, _ := columns(all, truths)
	tp, fp, fn, tn := float64(c.TP), float64(c.FP), float64(c.FN), float64(c.TN)
	var rows, positives, negatives, called uint64
	for i, p := range all {
		rows++
		if truths[i] == "fraud" {
			positives++
		} else {
			negatives++
		}
		if p.predicted == "fraud" {
			called++
		}
	}
	type group struct {
		segment                                    string
		selected, truePos, falsePos, predictive    float64
		labelled, positives, negatives, calledRows uint64
	}
	want := group{
		"region=eu", (tp + fp) / (tp + fp + fn + tn), tp / (tp + fn), fp / (fp + tn), tp / (tp + fp),
		rows, positives, negatives, called,
	}
	var got group
	err := db.Conn().QueryRow(t.Context(), "SELECT segment, selected, true_positive, false_positive, predictive, labelled_n, positives_n, negatives_n, called_n FROM fairness(positive = 'fraud', key = 'region', "+args+")", slice...).
		Scan(&got.segment, &got.selected, &got.truePos, &got.falsePos, &got.predictive, &got.labelled, &got.positives, &got.negatives, &got.calledRows)
	shares := near(got.selected, want.selected) && near(got.truePos, want.truePos) && near(got.falsePos, want.falsePos) && near(got.predictive, want.predictive)
	got.selected, got.truePos, got.falsePos, got.predictive = want.selected, want.truePos, want.falsePos, want.predictive
	if err != nil || !shares || got != want {
		t.Errorf("fairness has %+v (shares right: %t), want %+v, %v", got, shares, want, err)
	}
}

func customMetrics(t *testing.T, asker *Asker, world []prediction) {
	all, truths, _ := chosen(world, far, func(prediction) bool { return true })
	var missed, weights, wrong float64
	for i, p := range all {
		w := float64(p.weight)
		weights += w
		if truths[i] == "fraud" && p.predicted == "ok" {
			missed += w * p.numbers["amount"]
		}
		if truths[i] != p.predicted {
			wrong += w
		}
	}
	answer, err := asker.Ask(t.Context(), Question{Model: "loan", From: begin, To: end, Metrics: []metric.ID{"missed_amount"}, Expression: "label != predicted"})
	if err != nil {
		t.Fatal(err)
	}
	values := answer.Parts[0].Values
	if len(values) != 2 || !near(values[0].Value.Value, missed/weights) || !near(values[1].Value.Value, wrong/weights) {
		t.Fatalf("%+v, want %g and %g", values, missed/weights, wrong/weights)
	}
	// The jackknife of a share is about as wide as Wilson's of the effective size.
	_, _, c, thin := columns(all, truths)
	wilson := c.ValuesAt(thin)[0].Width()
	if got := values[1].Width(); values[1].State != metric.OK || got < 0.5*wilson || got > 2*wilson {
		t.Errorf("jackknife interval %+v, Wilson's is %g wide", values[1], wilson)
	}
	few, err := asker.Ask(t.Context(), Question{Model: "loan", From: begin, To: begin.Add(10 * time.Minute), Expression: "avg(score)"})
	if err != nil || few.Parts[0].Values[0].State != metric.Insufficient {
		t.Errorf("few labels: %+v, %v", few.Parts, err)
	}
	// Without a user that may only read nothing of an owner's is run.
	unread, err := (&Asker{conn: asker.conn, declared: asker.declared, now: asker.now}).Ask(t.Context(), Question{Model: "loan", From: begin, To: end, Metrics: []metric.ID{metric.Accuracy}, Expression: "avg(score)"})
	if err != nil || unread.Parts[0].Values[0].State != metric.OK || unread.Parts[0].Values[1].State != metric.Missing || !strings.Contains(unread.Parts[0].Values[1].Why, "rules.query_dsn_file") {
		t.Errorf("without a user that may only read: %+v, %v", unread.Parts, err)
	}
	// A window that nothing is known of, and one that has nobody.
	none, err := asker.Ask(t.Context(), Question{Model: "loan", From: begin.Add(-2 * day), To: begin.Add(-day), Expression: "avg(score)"})
	if err != nil || none.Parts[0].Values[0].State != metric.Missing || !math.IsNaN(none.Parts[0].LabelledShare()) {
		t.Errorf("no requests: %+v, %v", none.Parts, err)
	}
}

// ownersOnlyRead: what is no expression is refused by name, and had it not been, by
// the user that expressions run as.
func ownersOnlyRead(t *testing.T, asker *Asker) {
	for _, expression := range []string{
		"INSERT INTO labels VALUES (1)", "DROP TABLE labels", "(SELECT count() FROM url('http://127.0.0.1:1/', 'CSV', 'a String'))", "file('/etc/passwd')",
		"(SELECT any(auth_params) FROM system.users)", "avg(score) SETTINGS readonly = 0", "getSetting('readonly')", "dictGet('a', 'b', 1)",
	} {
		_, err := asker.Ask(t.Context(), Question{Model: "loan", From: begin, To: end, Expression: expression})
		if wrong := (ParameterError{}); !errors.As(err, &wrong) || wrong.Name != "expr" || !strings.Contains(err.Error(), "there is no ") && !strings.Contains(err.Error(), "may not stand in it") {
			t.Errorf("%s: %v, want it refused as no expression", expression, err)
		}
	}
	if asker.reads == asker.conn {
		t.Skip("a real ClickHouse has the users that its operator made")
	}
	// By their codes, for an address where nobody listens refuses everybody, and so
	// does a file that is not there.
	const readOnly, denied, unknownTable = 164, 497, 60
	for statement, code := range map[string]int32{
		"INSERT INTO labels (model) VALUES ('m')": readOnly, "DROP TABLE labels": readOnly, "CREATE TABLE evil (x Int8) ENGINE = Memory": readOnly,
		"ALTER TABLE labels DELETE WHERE 1": readOnly, "TRUNCATE TABLE labels": readOnly, "SYSTEM SHUTDOWN": readOnly,
		"SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')": denied, "SELECT * FROM file('/etc/passwd', 'LineAsString')": denied, "SELECT * FROM remote('127.0.0.1:1', 'system.one')": denied,
		"SELECT * FROM s3('http://127.0.0.1:1/a.csv')": denied, "SELECT * FROM executable('a', 'CSV', 'x String', (SELECT 1))": denied, "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')": denied,
		"SELECT auth_params FROM system.users": denied, "SELECT query FROM system.query_log": unknownTable, "SELECT * FROM system.text_log": unknownTable,
		"SELECT 1 SETTINGS readonly = 0": readOnly, "SET max_memory_usage = 0": readOnly, "SELECT 1 SETTINGS max_memory_usage = 0": readOnly, "SELECT 1 SETTINGS allow_introspection_functions = 1": readOnly,
	} {
		if err := refused(t, asker.reads, statement, code); err != nil {
			t.Errorf("%s: %v, want it refused with code %d", statement, err, code)
		}
	}
	// The same statements tell a user that may more from one that may only read.
	for _, statement := range []string{"CREATE TABLE mine (x Int8) ENGINE = Memory", "SELECT 1 SETTINGS max_memory_usage = 0"} {
		if err := refused(t, asker.conn, statement, readOnly); err == nil {
			t.Errorf("%s is refused to the service: the test tests nothing", statement)
		}
	}
}

// refused runs a statement and returns an error unless ClickHouse refused it with a
// code.
func refused(t *testing.T, as Querier, statement string, code int32) error {
	t.Helper()
	err := eachOf(t.Context(), as, "nothing", statement, nil, func(driver.Rows) error { return nil })
	var exception *clickhouse.Exception
	switch {
	case err == nil:
		return errors.New("it ran")
	case !errors.As(err, &exception) || exception.Code != code:
		return err
	}
	return nil
}

func fairGaps(t *testing.T, asker *Asker, world []prediction) {
	answer, err := asker.Ask(t.Context(), Question{Model: "loan", From: begin, To: end, Fairness: true})
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]fairness.Group{}
	for _, p := range world {
		if p.stage != "production" {
			continue
		}
		g := groups[p.listed()]
		g.Name = "region=" + p.listed()
		g.Predictions += int64(p.weight)
		if p.predicted == "fraud" {
			g.Called += int64(p.weight)
		}
		groups[p.listed()] = g
	}
	for name, g := range groups {
		all, truths, _ := chosen(world, far, func(p prediction) bool { return p.listed() == name })
		_, _, g.Labelled, g.Thinning = columns(all, truths)
		groups[name] = g
	}
	var want []fairness.Gap
	for _, name := range []string{"eu", "other"} {
		gaps, err := fairness.Compare(groups[name], groups["us"], len(groups)-1)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, gaps...)
	}
	got := answer.Fairness[0]
	if got.Reference != "region=us" || len(got.Gaps) != len(want) {
		t.Fatalf("%+v, want %d gaps", got, len(want))
	}
	for i, g := range got.Gaps {
		w := want[i]
		if g.Group != w.Group || g.Criterion != w.Criterion || !near(g.Difference.Value, w.Difference.Value) || !near(g.Difference.Low, w.Difference.Low) || !near(g.AtOnce.High, w.AtOnce.High) || !near(g.Ratio.Value, w.Ratio.Value) || g.Difference.State != w.Difference.State {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
	if _, err := asker.Ask(t.Context(), Question{Model: "price", From: begin, To: end, Fairness: true}); err == nil {
		t.Error("a regression has fairness")
	}
}

// takenApart: pieces of every way sum to the change, and name what was broken.
func takenApart(t *testing.T, asker *Asker, world []prediction) {
	q, err := Params{Model: "loan", From: "2026-03-31T20:00Z", To: "2026-04-01T04:00Z", Deploys: []string{"b"}, Why: true, Against: "deploy:a"}.Question(end)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []metric.ID{metric.Accuracy, metric.Specificity, metric.Brier, metric.BusinessValue} {
		q.Metrics = []metric.ID{id}
		answer, err := asker.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		before, truths, _ := chosen(world, far, func(p prediction) bool { return p.deploy == "a" })
		was := oracle(before, truths)[id].Value
		after, truths, _ := chosen(world, far, func(p prediction) bool { return p.deploy == "b" })
		is := oracle(after, truths)[id].Value
		if answer.Why.Metric != id || len(answer.Why.Ways) != 6 {
			t.Errorf("%s: %d ways of %s", id, len(answer.Why.Ways), answer.Why.Metric)
		}
		for _, way := range answer.Why.Ways {
			sum := 0.0
			for _, p := range way.Parts {
				sum += p.Total
			}
			if !near(way.Before, was) || !near(way.After, is) || math.Abs(sum-(is-was)) > 1e-9 {
				t.Errorf("%s by %s: %g to %g, pieces sum to %g; want %g to %g", id, way.By, way.Before, way.After, sum, was, is)
			}
		}
	}
	q.Metrics = []metric.ID{metric.Accuracy}
	answer, err := asker.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range answer.Why.Ways {
		if way.By == "segment region" && way.Parts[0].Name != "eu" {
			t.Errorf("the broken region is not first: %+v", way.Parts)
		}
	}
	if first := answer.Why.Ways[0].By; first != "segment region" && first != "deploy" {
		t.Errorf("first is %s", first)
	}
	q.Metrics = []metric.ID{metric.ROCAUC}
	if _, err := asker.Ask(t.Context(), q); err == nil || !strings.Contains(err.Error(), "no means") {
		t.Errorf("an area was taken apart: %v", err)
	}
}

func get(h http.Handler, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path+"?"+query, nil))
	return w
}

func overHTTP(t *testing.T, asker *Asker) {
	w := get(Handler(asker, slog.New(slog.DiscardHandler)), "model=loan&from=2026-03-31T20:00Z&to=2026-04-01T04:00Z&metric=accuracy,log_loss&fairness=1&why=1&by=deploy&expr="+url.QueryEscape("sum(score) / count()"))
	var answer struct {
		Task  string
		Parts []struct {
			Name     string
			Requests int
			Metrics  []struct {
				Metric, Verdict string
				Value, Low      *float64
			}
		}
		Fairness []struct{ Gaps []struct{ Criterion string } }
		Why      struct{ Missing string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v: %s", w.Code, err, w.Body)
	}
	if answer.Task != "binary" || len(answer.Parts) != 2 || len(answer.Parts[0].Metrics) != 3 || answer.Parts[0].Metrics[0].Low == nil || len(answer.Fairness[0].Gaps) != 10 || answer.Why.Missing == "" {
		t.Errorf("%s", w.Body)
	}
	w = get(Handler(asker, slog.New(slog.DiscardHandler)), "model=price&fairness=1")
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "no protected segments") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	late := newHandler(asker, slog.New(slog.DiscardHandler), time.Nanosecond)
	if w := get(late, "model=loan"); w.Code != http.StatusGatewayTimeout {
		t.Errorf("a question without an answer in time: %d %s", w.Code, w.Body)
	}
}

func TestWrongParametersAreNamed(t *testing.T) {
	h := newHandler(&Asker{now: func() time.Time { return end }}, slog.New(slog.DiscardHandler), time.Minute)
	for range serve.MostAtOnce {
		h.Turns <- struct{}{} // a question that is accepted is asked of nobody
	}
	for query, want := range map[string]string{
		"":                                             "model: say which model",
		"model=m&window=1y":                            "window: \"1y\"",
		"model=m&to=yesterday":                         "to: \"yesterday\"",
		"model=m&as_of=x":                              "as-of: \"x\"",
		"model=m&from=2026-01-01&window=24h":           "window: stands beside from",
		"model=m&from=2026-04-02T00:00Z":               "from: 2026-04-02T00:00:00Z is not before the end",
		"model=m&segment=eu":                           "segment: \"eu\"",
		"model=m&stage=training":                       "stage: \"training\"",
		"model=m&by=day":                               "by: \"day\"",
		"model=m&by=segment&segment=a%3Db":             "by: segments are marginal",
		"model=m&by=hour&window=40d":                   "window: ",
		"model=m&task=x":                               "task: \"x\"",
		"model=m&expr=sleep(1)":                        "expr: ",
		"model=m&against=x":                            "against: ",
		"model=m&why=1&against=x":                      "against: \"x\"",
		"model=m&why=2":                                "why: \"2\"",
		"model=m&modle=m":                              "modle: there is no such parameter",
		"model=m&model=n":                              "model: give it once",
		"model=m&window=%zz":                           "query string",
		"model=m&window=93d":                           "window: ",
		"model=m&why=1&against=2025-01-01..2026-01-01": "against: ",
	} {
		w := get(h, query)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %q", query, w.Code, w.Body, want)
		}
	}
	if w := get(h, "model=m&window=92d&metric=accuracy&deploy=a&deploy=b&by=segment:region"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s, want that it is accepted and waits", w.Code, w.Body)
	}
	if w := get(h, "model=m"+strings.Repeat("&feature=abcdefgh", 4000)); w.Code != http.StatusRequestURITooLong {
		t.Errorf("4000 features: %d %s", w.Code, w.Body)
	}
}

func TestDeciles(t *testing.T) {
	b := func(v float64) int32 { return grid.Bucket(v) }
	for name, test := range map[string]struct {
		buckets []int32
		counts  []uint64
		want    []float64
	}{
		"none":        {nil, nil, nil},
		"one value":   {[]int32{b(5)}, []uint64{9}, nil},
		"ten":         {[]int32{b(1), b(2), b(3), b(4), b(5), b(6), b(7), b(8), b(9), b(10)}, []uint64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, []float64{2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"a heavy one": {[]int32{b(0), b(1), b(2)}, []uint64{80, 10, 10}, []float64{1, 2}},
		"signs":       {[]int32{b(-2), b(-1), b(0), b(1)}, []uint64{5, 5, 5, 5}, []float64{-1, 0, 1}},
	} {
		if got := deciles(test.buckets, test.counts); !slices.EqualFunc(got, test.want, func(a, b float64) bool { return math.Abs(a-b) <= 0.004*math.Abs(b) }) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
