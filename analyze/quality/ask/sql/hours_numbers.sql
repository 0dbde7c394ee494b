-- Power sums of the errors of labelled predictions whose answer and truth are
-- numbers, exact, in units of 1e-18.
SELECT part, sum(n), sum(rows_n), toFloat64(sum(squares_n)), sum(relative_n), arrayMap(x -> toString(x), [sum(s.1), sum(s.2), sum(s.3), sum(s.4), sum(s.5), sum(s.6), sum(s.7), sum(s.8), sum(s.9), sum(s.10), sum(s.11), sum(s.12), sum(s.13)])
FROM (
    SELECT /*part*/ AS part, errors AS n, hours.rows AS rows_n, squares AS squares_n, relative AS relative_n,
        tuple(absolute_atto, error_atto, squared_atto, fourth_atto, signed_squared_atto, relative_atto, relative_squared_atto,
            truth_atto, truth_squared_atto, truth_third_atto, truth_fourth_atto, truth_error_atto, truth_squared_error_atto) AS s
    FROM outcome_hours AS hours FINAL
    WHERE model = {model:String} AND stage = {stage:String} AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
      AND /*slice*/ AND time >= parseDateTimeBestEffort({since:String}, 'UTC') AND time < parseDateTimeBestEffort({until:String}, 'UTC')
      AND known < parseDateTimeBestEffort({as_of:String}, 'UTC') AND predicted = '' AND label = '' AND other = 0
)
GROUP BY part
HAVING sum(n) != 0
ORDER BY part
