-- The series of proxies over one window and the same hours of the weeks before
-- it: week 0 is the window. Scores only where they are probabilities.
SELECT
    toUInt16(week), toString(series), sum(n) AS count, sum(r) AS rows, toFloat64(sum(s)) / 1e9 AS total,
    toUInt32(uniqExact(time)) AS hours, sumMap(h).1, sumMap(h).2
FROM
(
    SELECT
        intDiv({end:Int64} - 1 - toUnixTimestamp(time), 604800) AS week, series, time,
        s.count AS n, s.rows AS r, s.sum_nano AS s, s.hist AS h
    FROM series_hour AS s
    WHERE model = {model:String} AND stage = 'production' AND segment = ''
      AND (series IN ('requests', 'disagreement', 'explained') OR series = 'score' AND grid = 'o8')
      AND time >= toDateTime({end:Int64} - {weeks:Int64} * 604800 - {window:Int64}, 'UTC') AND time < toDateTime({end:Int64}, 'UTC')
      AND ({end:Int64} - 1 - toUnixTimestamp(time)) % 604800 < {window:Int64}
)
GROUP BY week, series
HAVING count > 0
ORDER BY series, week
