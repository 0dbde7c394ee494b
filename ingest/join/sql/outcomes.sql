-- The whole history of every touched id, from all of its rows up to the stored
-- frontier: rows of a batch that is not complete yet may still be taken back.
INSERT INTO outcomes (
    model, deploy_hash, stage, prediction_id, ts, known, label_topic, label_partition, label_offset,
    predicted, label, predicted_value, label_value, score, labelled, correct, requests, propensity,
    held, former, former_value, holds, truth, truth_value, segments, version)
WITH
touched AS (
/*touched*/
),
deliveries AS (
    -- The delivery that counts is the one known first; the others are kept as
    -- candidates, since one of them may have been the first before. Where an
    -- exchange comes in halves, the answer is what counts, and it lies in the
    -- segments of the question if it names none itself.
    SELECT
        model, prediction_id,
        count() AS deliveries,
        argMinIf(
            tuple(known, ts, toString(deploy_hash), toString(stage), toString(predicted), predicted_value, score, requests, propensity), place,
            half != 'request') AS chosen,
        ifNull(chosen.9, argMinIf(propensity, place, half = 'request')) AS propensity_of,
        argMinIf(names, place, half != 'request') AS answered,
        if(empty(answered), argMinIf(names, place, half = 'request' AND notEmpty(names)), answered) AS segments,
        groupUniqArrayArray(names) AS any_segments,
        groupUniqArrayIf(tuple(known, ts, toString(deploy_hash), toString(stage)), half != 'request') AS candidates
    FROM (
        SELECT *, /*requests*/ AS requests, tuple(known, toString(_topic), _partition, _offset) AS place, /*segments*/ AS names
        FROM (
            SELECT model, prediction_id, known, ts, deploy_hash, stage, predicted, predicted_value, score, weight, propensity, half, segments, _topic, _partition, _offset
            FROM predictions
            WHERE (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM touched)
              AND toDate(ts) IN {days:Array(Date)}
              AND stage != 'training'
              AND _offset < {ends:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
        )
    )
    GROUP BY model, prediction_id
    -- Of an hour from which rows have expired nothing can be summed again.
    HAVING notEmpty(candidates) AND toStartOfHour(min(ts)) >= fromUnixTimestamp64Milli({oldest:Int64}, 'UTC')
),
heard AS (
    SELECT
        model, prediction_id, known, _topic, _partition, _offset, _epoch, deleted, label, label_value,
        deliveries, chosen, propensity_of, candidates, segments, any_segments,
        greatest(known, chosen.1) AS since,
        tuple(ts, toString(_topic), _partition, _offset, toString(_epoch)) AS precedence,
        -- A class is compared with a class; numbers only where neither side has
        -- one. An answer that is missing is not correct.
        deleted = 0 AND if(chosen.5 != '' OR label != '', chosen.5 = label, ifNull(chosen.6 = label_value, 0)) AS hit
    FROM (
        SELECT model, prediction_id, ts, known, _topic, _partition, _offset, _epoch, deleted, label, label_value
        FROM (
/*labels*/
        )
        WHERE _offset < {ends:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
    ) AS l
    INNER JOIN deliveries AS d USING (model, prediction_id)
),
states AS (
    -- What is known of the prediction once each label has become known: the
    -- winning label is the greatest (label time, topic, partition, offset).
    SELECT
        *,
        count() OVER (PARTITION BY model, prediction_id) AS labels,
        -- A tuple, since argMax passes over nulls.
        argMax(
            tuple(toInt64(deleted = 0), toInt64(hit), if(deleted = 0, toString(label), ''), if(deleted = 0, label_value, NULL)),
            precedence) OVER history AS state
    FROM heard
    WINDOW history AS (
        PARTITION BY model, prediction_id
        ORDER BY since, _topic, _partition, _offset, _epoch
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
changes AS (
    SELECT
        *,
        lagInFrame(state) OVER history AS before
    FROM states
    WINDOW history AS (
        PARTITION BY model, prediction_id
        ORDER BY since, _topic, _partition, _offset, _epoch
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
-- Each change stands where the chosen delivery is; every other candidate gets
-- zeros, which cancel what stood there while it was the chosen one, in whichever
-- segments it was.
--
-- One key has several rows where a topic was made again and its labels have the
-- same offsets: the first state of them and the last one tell the change. It also
-- has several where a delivery is repeated and its label comes after all of them.
SELECT
    model, candidate.3, candidate.4, prediction_id, candidate.2, greatest(known, candidate.1), _topic, _partition, _offset,
    any(chosen.5), max(label), any(chosen.6), any(label_value), any(chosen.7),
    toInt8((argMaxIf(state, _epoch, counts) AS last).1 - (argMinIf(before, _epoch, counts) AS first).1), toInt8(last.2 - first.2),
    any(chosen.8), any(propensity_of), toInt8(first.1), first.3, first.4, toInt8(last.1), last.3, last.4,
    if(max(counts), anyIf(segments, counts), any(any_segments)),
    any(deliveries + labels)
FROM (
    SELECT
        *, arrayJoin(candidates) AS candidate,
        candidate = tuple(chosen.1, chosen.2, chosen.3, chosen.4) AS counts
    FROM changes
)
GROUP BY
    model, candidate.3, candidate.4, prediction_id, candidate.2, greatest(known, candidate.1), _topic, _partition, _offset
