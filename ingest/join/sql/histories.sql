-- The batch oracle's histories: every prediction with its labels, from the raw
-- rows alone, by arrays.
deliveries AS (
    SELECT
        model, prediction_id,
        argMinIf(tuple(known, ts, toString(deploy_hash), toString(stage), toString(predicted), predicted_value, /*requests*/, propensity, score),
            tuple(known, toString(_topic), _partition, _offset), half != 'request') AS p,
        arraySort(groupArray(tuple(half = 'request', known, toString(_topic), _partition, _offset, /*segments*/, propensity))) AS named,
        -- The first answer's segments, or else those of the first question that
        -- has any.
        if(empty(named[1].6), arrayFirst(n -> n.1 AND notEmpty(n.6), named).6, named[1].6) AS segments_of,
        ifNull(named[1].7, arrayFirst(n -> n.1 AND isNotNull(n.7), named).7) AS propensity_of
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
        model, p, propensity_of, arrayConcat([''], segments_of) AS segment_names,
        arrayMap(l -> toStartOfHour(greatest(l.6, p.1)), labels) AS label_hours,
        arraySort(arrayDistinct(label_hours)) AS known_hours,
        arrayMap(l -> toInt64(l.7 = 0), labels) AS has,
        arrayMap(l -> toInt64(l.7 = 0 AND if(p.5 != '' OR l.8 != '', p.5 = l.8, ifNull(p.6 = l.9, 0))), labels) AS good,
        arrayMap(h -> arrayLastIndex(x -> x <= h, label_hours), known_hours) AS winners,
        arrayMap(w -> has[w], winners) AS labelled_by,
        arrayMap(w -> good[w], winners) AS correct_by,
        arrayMap(w -> if(has[w] = 1, tuple(toInt64(1), labels[w].8, labels[w].9), tuple(toInt64(0), '', NULL)), winners) AS truths
    FROM heard INNER JOIN deliveries USING (model, prediction_id)
)
