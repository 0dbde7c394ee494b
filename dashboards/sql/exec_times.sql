-- How long the pages of the range took people, half of them longer and half of them
-- less, and how long any was open in it: hours in which several were count once.
WITH
  pages AS (
    SELECT incident, if(escalated > toDateTime64(0, 3, 'UTC'), escalated, opened) AS began,
      if(resolved > toDateTime64(0, 3, 'UTC'), resolved, now64(3)) AS over
    FROM incidents FINAL
    WHERE severity = 'page' AND model IN ($model) AND opened > $__fromTime - INTERVAL 90 DAY AND opened <= $__toTime
  ),
  took AS (
    SELECT quantileExactInclusive(0.5)(to_acknowledge_s) AS to_acknowledge, countIf(to_acknowledge_s IS NULL) AS not_acknowledged,
      quantileExactInclusive(0.5)(to_resolve_s) AS to_resolve, countIf(to_resolve_s IS NULL) AS not_resolved
    FROM incident_times
    WHERE opened > $__fromTime - INTERVAL 90 DAY AND opened <= $__toTime
      AND incident GLOBAL IN (SELECT incident FROM pages WHERE began >= $__fromTime AND began <= $__toTime)
  ),
  -- Each adds what it is open longer than all that began before it.
  open AS (
    SELECT sum(greatest(dateDiff('millisecond', greatest(start, covered), stop), 0)) / 1000 AS seconds, count() AS some
    FROM (
      SELECT start, stop, max(stop) OVER (ORDER BY start, stop ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
      FROM (SELECT greatest(began, $__fromTime) AS start, least(over, $__toTime) AS stop FROM pages)
      WHERE stop > start
    )
  ),
  watched AS (
    SELECT count() AS looks
    FROM (SELECT at FROM findings WHERE signal = 'budget' AND measure = 'left' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime LIMIT 1)
  )
SELECT tupleElement(line, 2) AS metric, tupleElement(line, 3) AS value
FROM (SELECT * FROM took CROSS JOIN open CROSS JOIN watched)
ARRAY JOIN [
  (1, concat('median to acknowledge', if(not_acknowledged > 0, concat(' (', toString(not_acknowledged), ' not taken)'), '')), to_acknowledge),
  (2, concat('median to resolve', if(not_resolved > 0, concat(' (', toString(not_resolved), ' still open)'), '')), to_resolve),
  (3, 'a page was open, in all', if(some = 0 AND looks = 0, NULL, seconds))
] AS line
ORDER BY tupleElement(line, 1)
