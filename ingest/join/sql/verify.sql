-- The batch oracle: every cell computed from the raw rows alone, by arrays and
-- without any of the join's state, against the cells as stored.
WITH
/*histories*/,
expected AS (
    SELECT
        model, p.3 AS deploy_hash, p.4 AS stage, segment, toDateTime(toStartOfMinute(p.2), 'UTC') AS time, toDateTime(hour, 'UTC') AS known,
        sum(gained * toInt64(p.7)) AS want_labelled, sum(gained_correct * toInt64(p.7)) AS want_correct, sum(gained) AS want_rows,
        sum(toInt128(gained) * p.7 * p.7) AS want_squares, sum(gained * isNotNull(propensity_of)) AS want_weighed,
        tuple(sum(gained * nano), sum(gained_correct * nano), sum(gained * square_nano), sum(gained_correct * square_nano)) AS want_inverse
    FROM (
        SELECT
            *, arrayJoin(segment_names) AS segment, assumeNotNull(least(p.7 / propensity_of, 1e9)) AS inverse,
            /*nano*/(if(isNull(propensity_of), 0., inverse), if(isNull(propensity_of), 0., inverse * inverse)) AS nano_floats,
            /*nano parts*/ AS nanos, /*nano whole*/ AS wholes, wholes[1] AS nano, wholes[2] AS square_nano
        FROM hours
    )
    ARRAY JOIN known_hours AS hour, arrayPopFront(arrayDifference(arrayPushFront(labelled_by, 0))) AS gained, arrayPopFront(arrayDifference(arrayPushFront(correct_by, 0))) AS gained_correct
    GROUP BY model, deploy_hash, stage, segment, time, known
),
both AS (
    SELECT model, toString(deploy_hash) AS deploy_hash, toString(stage) AS stage, segment, time, known, want_labelled, want_correct, want_rows, toInt64(0) AS labelled, toInt64(0) AS correct, toInt64(0) AS rows,
        want_squares AS squares, want_weighed AS weighed, want_inverse.1 AS i1, want_inverse.2 AS i2, want_inverse.3 AS i3, want_inverse.4 AS i4
    FROM expected
    UNION ALL
    SELECT model, toString(deploy_hash), toString(stage), toString(segment), time, known, toInt64(0), toInt64(0), toInt64(0), labelled, correct, rows,
        -squares, -weighed, -inverse_nano, -inverse_correct_nano, -inverse_squared_nano, -inverse_correct_squared_nano
    FROM outcome_cells FINAL
)
SELECT
    sumIf(want_labelled, segment = ''), sumIf(want_correct, segment = ''), sumIf(labelled, segment = ''), sumIf(correct, segment = ''),
    countIf(segment = '' AND differs), countIf(segment != '' AND differs)
FROM (
    SELECT segment, sum(both.want_labelled) AS want_labelled, sum(both.want_correct) AS want_correct, sum(both.want_rows) AS want_rows,
        sum(both.labelled) AS labelled, sum(both.correct) AS correct, sum(both.rows) AS rows,
        want_labelled != labelled OR want_correct != correct OR want_rows != rows
            OR sum(squares) != 0 OR sum(weighed) != 0 OR sum(i1) != 0 OR sum(i2) != 0 OR sum(i3) != 0 OR sum(i4) != 0 AS differs
    FROM both
    GROUP BY model, deploy_hash, stage, segment, time, known
)
