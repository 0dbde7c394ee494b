-- Labelled predictions whose answer or truth is a class and whose rows are left, in
-- requests, by part.
SELECT part, sum(weight)
FROM (
    SELECT arrayJoin(/*parts*/) AS part, toInt64(requests) AS weight
    FROM /*labelled*/
    WHERE label != '' OR predicted != ''
)
GROUP BY part
ORDER BY part
