package dashboards_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/dashboards"
)

// hours inserts outcomes by hour of models, all production: model, segment, age of the
// hour in seconds, predicted, label, count and correct, with weights of 1, as they were
// counted first and as they are.
func (w world) hours(t *testing.T, rows string) {
	t.Helper()
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, grid, count, correct, rows, squares, version)
		SELECT f.1, 'd', 'production', f.2, toStartOfHour(toDateTime({now:Int64} - f.3)), toStartOfHour(toDateTime({now:Int64})), f.4, f.5, '', f.6 * version, f.7 * version, f.6 * version, f.6 * version, version
		FROM (SELECT arrayJoin([`+rows+`]) AS f) ARRAY JOIN [2, 1] AS version`)
}

// A slice fell if its accuracy did beyond noise; few labels, none, and no request are said
// so without a verdict, and of a model that chooses its labels there is no number at all.
func TestSlicesThatFellStandFirst(t *testing.T) {
	w := debugWorld(t, dashboards.WithPartial("chooses"))
	const day = "86400"
	// Of each slice what was labelled now and a day ago, in halves of the counts that
	// version 2 has.
	w.hours(t, `('m', '', 0, 'a', 'a', 500, 450), ('m', '', `+day+`, 'a', 'a', 500, 450),
		('m', 'r=fell', 0, 'a', 'a', 200, 120), ('m', 'r=fell', `+day+`, 'a', 'a', 200, 180),
		('m', 'r=worse', 0, 'a', 'a', 200, 60), ('m', 'r=worse', `+day+`, 'a', 'a', 200, 180),
		('m', 'r=noise', 0, 'a', 'a', 15, 12), ('m', 'r=noise', `+day+`, 'a', 'a', 15, 13),
		('m', 'r=few', 0, 'a', 'a', 5, 0), ('m', 'r=few', `+day+`, 'a', 'a', 500, 500),
		('m', 'r=rose', 0, 'a', 'a', 200, 200), ('m', 'r=rose', `+day+`, 'a', 'a', 200, 150),
		('m', 'r=late', `+day+`, 'a', 'a', 200, 150), ('m', 'r=gone', `+day+`, 'a', 'a', 200, 150), ('m', 'r=old', 200000, 'a', 'a', 200, 150),
		('m', 'r=new', 0, 'a', 'a', 100, 90), ('chooses', '', 0, 'a', 'a', 200, 20), ('chooses', '', `+day+`, 'a', 'a', 200, 200)`)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
		SELECT f.1, 'd', f.3, f.2, 'requests', '', toStartOfHour(toDateTime({now:Int64})), 1000
		FROM (SELECT arrayJoin([('m', '', 'production'), ('m', 'r=fell', 'production'), ('m', 'r=worse', 'production'), ('m', 'r=noise', 'production'), ('m', 'r=few', 'production'),
			('m', 'r=rose', 'production'), ('m', 'r=late', 'production'), ('m', 'r=new', 'production'), ('chooses', '', 'production'), ('m', 'r=fell', 'shadow')]) AS f)`)
	hold(t, "slices", spelled(w.answer(t, "Which slice fell?", "m", "chooses"), "says", "model", "slice", "requests", "coverage", "accuracy", "accuracy_before"), []string{
		"fell | m | r=worse | 1000 | 0.4 | 0.3 | 0.9", "fell | m | r=fell | 1000 | 0.4 | 0.6 | 0.9",
		"no request | m | r=gone | 0 | <nil> | <nil> | 0.75", "no label yet | m | r=late | 1000 | 0 | <nil> | 0.75",
		"within noise | m | r=noise | 1000 | 0.03 | 0.8 | 0.8666666666666667", "within noise | m | all traffic | 1000 | 1 | 0.9 | 0.9",
		"rose | m | r=rose | 1000 | 0.4 | 1 | 0.75",
		"too few labels | m | r=few | 1000 | 0.01 | 0 | 1",
		"labels chosen by the model | chooses | all traffic | 1000 | 0.4 | <nil> | <nil>", "nothing to compare with | m | r=new | 1000 | 0.2 | 0.9 | <nil>",
	})
}

// All traffic is drawn beside the eight slices that fell most, and none that has too few
// labels to say so.
func TestSlicesByHour(t *testing.T) {
	w := debugWorld(t, dashboards.WithPartial("chooses"))
	rows := `('m', '', 0, 'a', 'a', 500, 450), ('m', '', 3600, 'a', 'a', 100, 50), ('m', 'r=few', 0, 'a', 'a', 9, 0), ('m', 'r=few', 86400, 'a', 'a', 9, 9), ('chooses', '', 0, 'a', 'a', 500, 450), ('m', 'r=s9', 90000, 'a', 'a', 9, 9)`
	for i := range 12 {
		rows += fmt.Sprintf(", ('m', 'r=s%d', 0, 'a', 'a', 100, %d), ('m', 'r=s%[1]d', 86400, 'a', 'a', 100, 90)", i, 90-i)
	}
	w.hours(t, rows)
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, time, known, grid, count, rows, version)
		SELECT 'regression', 'd', 'production', toStartOfHour(toDateTime({now:Int64})), toStartOfHour(toDateTime({now:Int64})), '', 100, 100, 1`)
	hold(t, "slices by hour", spelled(w.answer(t, "Since when does a slice fall?", "m", "chooses", "regression"), "metric", "value"), []string{
		"m all traffic | 0.5", "m all traffic | 0.9", "m r=s10 | 0.8", "m r=s11 | 0.79", "m r=s4 | 0.86", "m r=s5 | 0.85", "m r=s6 | 0.84", "m r=s7 | 0.83", "m r=s8 | 0.82", "m r=s9 | 0.81",
	})
}

// Of a regression a slice fell if its mean absolute error rose beyond noise; where
// producers sample, ten labels of weight 100 are ten.
func TestSlicesOfRegressionsAndSamples(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, grid, count, correct, rows, squares, errors, absolute_atto, squared_atto, version)
		SELECT 'm', 'd', 'production', f.1, toStartOfHour(toDateTime({now:Int64} - f.2)), toStartOfHour(toDateTime({now:Int64})), '', 100, 0, 100, 100, 100, toInt256(100 * f.3 * 1e18), toInt256(100 * f.4 * 1e18), 1
		FROM (SELECT arrayJoin([('r=a', 0, 20, 500), ('r=a', 86400, 10, 200), ('r=b', 0, 10.5, 210), ('r=b', 86400, 10, 200)]) AS f)`)
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, grid, count, correct, rows, squares, version)
		SELECT 's', 'd', 'production', '', toStartOfHour(toDateTime({now:Int64} - f.1)), toStartOfHour(toDateTime({now:Int64})), 'a', 'a', '', 3000, f.2, 30, 300000, 1
		FROM (SELECT arrayJoin([(0, 2400), (86400, 2700)]) AS f)`)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
		SELECT f.1, 'd', 'production', f.2, 'requests', '', toStartOfHour(toDateTime({now:Int64})), 5000 FROM (SELECT arrayJoin([('m', 'r=a'), ('m', 'r=b'), ('s', '')]) AS f)`)
	hold(t, "slices", spelled(w.answer(t, "Which slice fell?", "m", "s"), "says", "model", "slice", "accuracy", "mean_error", "mean_error_before"), []string{
		"fell | m | r=a | <nil> | 20 | 10", "within noise | s | all traffic | 0.8 | <nil> | <nil>", "within noise | m | r=b | <nil> | 10.5 | 10",
	})
}

// Wrong classes are counted once, as they are known now, without other deploys' shadows.
func TestWhatIsTakenForWhat(t *testing.T) {
	w := debugWorld(t)
	w.hours(t, `('m', '', 0, 'cat', 'cat', 40, 40), ('m', '', 0, 'cat', 'dog', 6, 0), ('m', '', 7200, 'cat', 'dog', 3, 0), ('m', '', 0, 'dog', 'cat', 1, 0),
		('m', 'r=eu', 0, 'cat', 'dog', 6, 0), ('m', '', 90000, 'dog', 'cat', 50, 0)`)
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, time, known, predicted, label, grid, other, count, correct, rows, squares, version)
		SELECT 'm', 'd', f.1, toStartOfHour(toDateTime({now:Int64})), toStartOfHour(toDateTime({now:Int64})), f.2, f.3, '', f.4, f.5, f.6, 1, 1, 1
		FROM (SELECT arrayJoin([('shadow', 'cat', 'dog', 0, 80, 0), ('production', '', '', 3, 20, 15), ('production', '', '', 0, 99, 0)]) AS f)`)
	rows := w.answer(t, "What is taken for what?", "m")
	hold(t, "confusion", spelled(rows, "predicted", "truth", "wrong"), []string{"cat | dog | 18", "(others) | (others) | 5", "dog | cat | 2"})
	if len(rows) == 0 || !near(rows[0]["of_labelled"], 18.0/120) {
		t.Errorf("share of all that are labelled: %v, want 18 of 120", rows)
	}
}

// A shadow has no share of traffic and no part in it, a deploy without labels no accuracy,
// and the deploy of which the newest answer is stands first.
func TestDeploysBesideEachOther(t *testing.T) {
	w := debugWorld(t)
	for table, start := range map[string]string{"series_hour": "toStartOfHour", "series_minute": "toStartOfMinute"} {
		w.add(t.Context(), t, `INSERT INTO `+table+` (model, deploy_hash, stage, segment, series, grid, time, count, sum_nano, max, hist)
			SELECT 'm', f.1, f.2, f.3, f.4, f.5, `+start+`(toDateTime({now:Int64} - f.6)), f.7, toInt128(f.8 * f.7 * 1e9), f.8,
				if(f.4 = 'latency_ms', ([toInt32(bitShiftRight(reinterpretAsUInt64(toFloat64(f.8)), 44))], [f.7]), ([], []))
			FROM (SELECT arrayJoin([
				('old', 'production', '', 'requests', '', 7200, 60, 0.), ('old', 'production', '', 'requests', '', 3600, 30, 0.), ('new', 'production', '', 'requests', '', 600, 10, 0.),
				('new', 'production', 'r=eu', 'requests', '', 600, 10, 0.), ('try', 'shadow', '', 'requests', '', 60, 100, 0.), ('set', 'training', '', 'requests', '', 60, 100, 0.),
				('old', 'production', '', 'score', 'o8', 7200, 60, 0.5), ('old', 'production', '', 'latency_ms', 'f8', 7200, 60, 40.)]) AS f)`)
	}
	w.hours(t, `('m', '', 7200, 'a', 'a', 20, 18), ('m', 'r=eu', 7200, 'a', 'a', 20, 0)`)
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, time, known, predicted, label, grid, count, correct, rows, squares, version)
		SELECT 'm', 'old', 'production', toStartOfHour(toDateTime({now:Int64} - 7200)), toStartOfHour(toDateTime({now:Int64})), 'a', 'a', '', 45, 36, 45, 45, 1`)
	hold(t, "deploys", spelled(w.answer(t, "Which deploy answers otherwise?", "m"), "deploy", "stage", "requests", "share", "coverage", "accuracy", "mean_score", "mean_error", "p95_ms"), []string{
		"try | shadow | 100 | <nil> | 0 | <nil> | <nil> | <nil> | <nil>", "new | production | 10 | 0.1 | 0 | <nil> | <nil> | <nil> | <nil>",
		"old | production | 90 | 0.9 | 0.5 | 0.8 | 0.5 | <nil> | 40",
	})
	hold(t, "shares of traffic", spelled(w.answer(t, "Who answers?", "m"), "metric", "value"), []string{"m old | 1", "m old | 1", "m new | 1"})
}

// Errors are shares of what was answered, by minute: 0 where nothing failed, no point
// where nothing was answered, and no halves that ask.
func TestErrorsByMinute(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, status, weight, half)
		SELECT 'm', f.1, f.2, 'p', toDateTime64({now:Int64} - f.3, 3), f.4, f.5, f.6
		FROM (SELECT arrayJoin([('d', 'production', 60, 'ok', 7., ''), ('d', 'production', 60, 'timeout', 1., ''), ('d', 'production', 60, '503', 2., 'response'), ('d', 'production', 60, 'ok', 90., 'request'),
			('d', 'production', 300, 'ok', 1., ''), ('d', 'production', 4000, 'timeout', 1., ''), ('s', 'shadow', 60, 'ok', 1., '')]) AS f)`)
	var got []string
	for _, r := range w.answer(t, "Do answers fail?", "m") {
		got = append(got, fmt.Sprintf("%v %s %.1f", w.now.Sub(r["time"].(time.Time)).Seconds(), r["metric"], r["value"]))
	}
	hold(t, "errors", got, []string{
		"300 m d any error 0.0", "300 m d status 503 0.0", "300 m d status timeout 0.0",
		"60 m d any error 0.3", "60 m d status 503 0.2", "60 m d status timeout 0.1", "60 m s shadow any error 0.0",
	})
}

// A topic that fell silent has no number, one that refuses stands before one that stores,
// and what a batch refused counts once though each of its tables says so.
func TestTopics(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO epochs (topic, partition, epoch, seen) SELECT arrayJoin(['good', 'bad', 'silent']), 0, 'e', toDateTime64({now:Int64} - 900000, 3)`)
	w.add(t.Context(), t, `INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, dead, known_min, known_max, stored)
		SELECT b.1, 'e', 0, b.2, b.2 + 9, b.3, 1, b.4, b.5, toDateTime64({now:Int64} - b.6, 3), toDateTime64({now:Int64} - b.6, 3), toDateTime64({now:Int64} - b.7, 3)
		FROM (SELECT arrayJoin([
			('good', 0, 'predictions', 90, 0, 130, 100), ('good', 0, 'series_hour', 90, 0, 130, 100), ('good', 0, 'labels', 10, 0, 130, 100), ('good', 10, 'predictions', 100, 0, 20, 15),
			('bad', 0, 'predictions', 100, 20, 7300, 7200), ('bad', 0, 'series_hour', 100, 20, 7300, 7200), ('bad', 0, 'series_minute', 100, 20, 7300, 7200),
			('silent', 0, 'predictions', 5, 0, 200000, 200000)]) AS b)`)
	w.add(t.Context(), t, `INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, dead, known_min, known_max, stored)
		SELECT 'good', 'e', 0, 20, 29, 'labels', 4, 4, 0, toDateTime64({now:Int64} - 50, 3), toDateTime64({now:Int64} - 10, 3), toDateTime64({now:Int64} - 5, 3)`)
	w.add(t.Context(), t, `INSERT INTO join_cursor (topic, epoch, partition, done) SELECT 'good', 'e', 0, 19`)
	hold(t, "topics", spelled(w.answer(t, "Do events arrive", "m"), "says", "topic", "newest_age", "last_wait", "longest_wait", "events", "refused", "refused_share", "labels_waiting", "oldest_waits"), []string{
		"refuses events | bad | 7300 | 100 | <nil> | 100 | 20 | 0.2 | 0 | <nil>",
		"nothing stored in 24 h | silent | <nil> | <nil> | <nil> | <nil> | <nil> | <nil> | 0 | <nil>",
		"stores | good | 10 | 5 | 30 | 204 | 0 | 0 | 4 | 50",
	})
}

// Labels that came and predictions that they count for are two lines, by the hour in
// which they became known, however old the prediction.
func TestLabelsThatComeAndCount(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO labels (model, prediction_id, ts, known) SELECT 'm', toString(number), toDateTime64({now:Int64}, 3), toDateTime64({now:Int64} - 600, 3) FROM numbers(5)`)
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, grid, count, correct, rows, version)
		SELECT 'm', 'd', 'production', f.1, toStartOfHour(toDateTime({now:Int64} - f.2)), toStartOfHour(toDateTime({now:Int64} - f.3)), 'a', 'a', '', f.4 * 10, 0, f.4, f.5
		FROM (SELECT arrayJoin([('', 864000, 600, 1, 1), ('', 864000, 600, 2, 2), ('', 60, 600, 1, 1), ('r=eu', 60, 600, 1, 1), ('', 864000, 90000, 9, 1)]) AS f)`)
	hold(t, "labels", spelled(w.answer(t, "Do labels come", "m", "silent"), "metric", "value"), []string{"m came | 5", "m counted | 3"})
}

// hoursOfCells counts by hour what was counted by minute, as the join does.
const hoursOfCells = `INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, grid, count, correct, rows, version)
	SELECT model, deploy_hash, stage, segment, toStartOfHour(time) AS hour, known, 'cat', 'cat', '', sum(labelled), sum(correct), sum(rows), 1
	FROM outcome_cells GROUP BY model, deploy_hash, stage, segment, hour, known`

// The newest wrong answers are shown with what counts now: a label that was corrected, or
// withdrawn, is no mistake any more; their features are those of the same delivery.
func TestTheLastWrongAnswers(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO outcomes (model, deploy_hash, stage, prediction_id, ts, known, label_topic, label_offset, predicted, label, truth, score, labelled, correct, version)
		SELECT 'm', 'd', f.1, f.2, toDateTime64({now:Int64} - f.3, 3), toDateTime64({now:Int64} - f.4, 3), 'labels', f.5, 'cat', f.6, f.6, 0.9, f.7, f.8, f.9
		FROM (SELECT arrayJoin([('production', 'wrong', 600, 60, 1, 'dog', 1, 0, 1), ('production', 'right', 610, 60, 2, 'cat', 1, 1, 1),
			('production', 'mended', 620, 60, 3, 'dog', 1, 0, 1), ('production', 'mended', 620, 50, 4, 'cat', 0, 1, 1),
			('production', 'spoilt', 630, 60, 5, 'cat', 1, 1, 1), ('production', 'spoilt', 630, 50, 6, 'cow', 0, -1, 1),
			('production', 'withdrawn', 640, 60, 7, 'dog', 1, 0, 1), ('production', 'withdrawn', 640, 50, 8, '', -1, 0, 1),
			('production', 'joined-anew', 650, 60, 9, 'dog', 1, 0, 1), ('production', 'joined-anew', 650, 60, 9, 'cat', 1, 1, 2),
			('shadow', 'shadow', 600, 60, 10, 'dog', 1, 0, 1), ('production', 'old', 90000, 60, 11, 'dog', 1, 0, 1)]) AS f)`)
	w.add(t.Context(), t, `INSERT INTO outcome_cells (model, deploy_hash, stage, time, known, labelled, correct, rows, version)
		SELECT 'm', 'd', 'production', toStartOfMinute(toDateTime({now:Int64} - f.1)), toStartOfHour(toDateTime({now:Int64})), f.2, f.3, f.2, 1
		FROM (SELECT arrayJoin([(600, 1, 0), (620, 2, 2), (630, 2, 1)]) AS f)`)
	w.add(t.Context(), t, hoursOfCells)
	w.add(t.Context(), t, `INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, numbers, categories, nulls, status, weight)
		SELECT 'm', 'd', f.1, f.2, toDateTime64({now:Int64} - f.3, 3), map('size', 1.5), map('fur', f.4), ['age'], 'ok', 1
		FROM (SELECT arrayJoin([('production', 'wrong', 600, 'red'), ('shadow', 'wrong', 600, 'blue'), ('production', 'wrong', 700, 'green'), ('production', 'right', 610, 'black')]) AS f)`)
	hold(t, "wrong", spelled(w.answer(t, "Which answers were wrong last?", "m"), "prediction_id", "predicted", "label", "features"), []string{
		"wrong | cat | dog | age=null, fur=red, size=1.5", "spoilt | cat | cow | ",
	})
	if sql := w.b.Panels[len(w.b.Panels)-1].Targets[0].RawSQL; !strings.Contains(sql, "(model, ts, prediction_id) GLOBAL IN") {
		t.Errorf("features are not looked up by the key of the table:\n%s", sql)
	}
}

// Of many wrong answers outcomes are read of no more minutes than the newest 50 lie in.
func TestOnlyTheNewestWrongAnswersAreRead(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO outcomes (model, deploy_hash, stage, prediction_id, ts, known, label_topic, label_offset, predicted_value, label_value, truth_value, labelled, correct, version)
		SELECT 'm', 'd', 'production', toString(number), toDateTime64({now:Int64} - 1800 - 6 * number, 3), toDateTime64({now:Int64}, 3), 'labels', number, 3, 1, 1, 1, 0, 1 FROM numbers(1, 1000)`)
	w.add(t.Context(), t, `INSERT INTO outcome_cells (model, deploy_hash, stage, time, known, labelled, correct, rows, version)
		SELECT 'm', 'd', 'production', toStartOfMinute(ts) AS minute, toStartOfHour(toDateTime({now:Int64})), 100 * count(), 0, count(), 1 FROM outcomes GROUP BY minute`)
	w.add(t.Context(), t, hoursOfCells)
	// What is wrong after the range is not among the 50.
	w.add(t.Context(), t, `INSERT INTO outcome_hours (model, deploy_hash, stage, time, known, predicted, label, grid, count, correct, rows, version)
		SELECT 'm', 'd', 'production', toStartOfHour(toDateTime({now:Int64})), toStartOfHour(toDateTime({now:Int64})), 'x', 'y', '', 100000, 0, 1000, 1`)
	rows := w.answer(t, "Which answers were wrong last?", "m")
	if len(rows) != 50 || rows[0]["prediction_id"] != "1" || rows[49]["prediction_id"] != "50" || !near(rows[0]["error"], 2) || rows[0]["predicted"] != "3" || rows[0]["label"] != "1" {
		t.Errorf("%d rows, %v", len(rows), rows[:min(len(rows), 2)])
	}
}
