-- The batch oracle: every cell computed from the raw rows alone, by arrays and
-- without any of the join's state, against the cells as stored.
WITH
deliveries AS (
    SELECT
        model, prediction_id,
        argMinIf(tuple(known, ts, toString(deploy_hash), toString(stage), toString(predicted), predicted_value, /*requests*/),
            tuple(known, toString(_topic), _partition, _offset), half != 'request') AS p,
        arraySort(groupArray(tuple(half = 'request', known, toString(_topic), _partition, _offset, /*segments*/))) AS named,
        -- The first answer's segments, or else those of the first question that
        -- has any.
        if(empty(named[1].6), arrayFirst(n -> n.1 AND notEmpty(n.6), named).6, named[1].6) AS segments_of
    FROM predictions
    WHERE stage != 'training'
    GROUP BY model, prediction_id
    HAVING countIf(half != 'request') > 0
),
heard AS (
    -- Labels of an id in the order of precedence: the last one that is known
    -- by some hour is the winner of that hour.
    SELECT
        model, prediction_id,
        arraySort(groupArray(tuple(ts, toString(_topic), _partition, _offset, toString(_epoch), known, deleted, toString(label), label_value))) AS labels
    FROM labels
    GROUP BY model, prediction_id
),
hours AS (
    SELECT
        model, p, arrayConcat([''], segments_of) AS segment_names,
        arrayMap(l -> toStartOfHour(greatest(l.6, p.1)), labels) AS label_hours,
        arraySort(arrayDistinct(label_hours)) AS known_hours,
        arrayMap(l -> toInt64(l.7 = 0), labels) AS has,
        arrayMap(l -> toInt64(l.7 = 0 AND if(p.5 != '' OR l.8 != '', p.5 = l.8, ifNull(p.6 = l.9, 0))), labels) AS good,
        arrayMap(h -> arrayLastIndex(x -> x <= h, label_hours), known_hours) AS winners,
        arrayMap(w -> has[w], winners) AS labelled_by,
        arrayMap(w -> good[w], winners) AS correct_by
    FROM heard INNER JOIN deliveries USING (model, prediction_id)
),
expected AS (
    SELECT
        model, p.3 AS deploy_hash, p.4 AS stage, segment, toDateTime(toStartOfMinute(p.2), 'UTC') AS time, toDateTime(hour, 'UTC') AS known,
        sum(gained * toInt64(p.7)) AS want_labelled, sum(gained_correct * toInt64(p.7)) AS want_correct, sum(gained) AS want_rows
    FROM (SELECT *, arrayJoin(segment_names) AS segment FROM hours)
    ARRAY JOIN known_hours AS hour, arrayPopFront(arrayDifference(arrayPushFront(labelled_by, 0))) AS gained, arrayPopFront(arrayDifference(arrayPushFront(correct_by, 0))) AS gained_correct
    GROUP BY model, deploy_hash, stage, segment, time, known
),
both AS (
    SELECT model, toString(deploy_hash) AS deploy_hash, toString(stage) AS stage, segment, time, known, want_labelled, want_correct, want_rows, toInt64(0) AS labelled, toInt64(0) AS correct, toInt64(0) AS rows
    FROM expected
    UNION ALL
    SELECT model, toString(deploy_hash), toString(stage), toString(segment), time, known, toInt64(0), toInt64(0), toInt64(0), labelled, correct, rows
    FROM outcome_cells FINAL
)
SELECT
    sumIf(want_labelled, segment = ''), sumIf(want_correct, segment = ''), sumIf(labelled, segment = ''), sumIf(correct, segment = ''),
    countIf(segment = '' AND differs), countIf(segment != '' AND differs)
FROM (
    SELECT segment, sum(both.want_labelled) AS want_labelled, sum(both.want_correct) AS want_correct, sum(both.want_rows) AS want_rows,
        sum(both.labelled) AS labelled, sum(both.correct) AS correct, sum(both.rows) AS rows,
        want_labelled != labelled OR want_correct != correct OR want_rows != rows AS differs
    FROM both
    GROUP BY model, deploy_hash, stage, segment, time, known
)
