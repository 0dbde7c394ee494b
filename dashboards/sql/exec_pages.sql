-- Incidents that became a page in the range of time, and in as long a time before it.
-- Where no budget was looked at nobody watched: that is no count of 0.
WITH
  toIntervalSecond(dateDiff('second', $__fromTime, $__toTime)) AS span,
  intDiv(dateDiff('second', $__fromTime, $__toTime), 86400) AS days,
  watched AS (
    SELECT at >= $__fromTime AS lately, uniqExact(toDate(at)) AS days
    FROM findings
    WHERE signal = 'budget' AND measure = 'left' AND model IN ($model) AND at >= $__fromTime - span AND at <= $__toTime
    GROUP BY lately
  ),
  paged AS (
    SELECT began >= $__fromTime AS lately, count() AS pages
    FROM (
      SELECT if(escalated > toDateTime64(0, 3, 'UTC'), escalated, opened) AS began
      FROM incidents FINAL
      WHERE severity = 'page' AND model IN ($model) AND opened > $__fromTime - span - INTERVAL 90 DAY AND opened <= $__toTime
    )
    WHERE began >= $__fromTime - span AND began <= $__toTime
    GROUP BY lately
  )
SELECT concat(if(side.lately, 'in this time', 'as long before'),
    if(watched.days < days, concat(', watched on ', toString(watched.days), ' of ', toString(days), ' days'), '')) AS metric,
  if(watched.days = 0 AND paged.pages = 0, NULL, toFloat64(paged.pages)) AS value
FROM (SELECT arrayJoin([true, false]) AS lately) AS side
LEFT JOIN watched ON watched.lately = side.lately
LEFT JOIN paged ON paged.lately = side.lately
ORDER BY side.lately DESC
