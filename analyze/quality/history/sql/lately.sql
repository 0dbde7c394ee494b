-- Labels of the last hours by the hour in which they became known.
SELECT toInt64(toUnixTimestamp(known)) AS heard, sum(cells.labelled)
FROM outcome_cells AS cells FINAL
WHERE model = {model:String} AND segment = '' AND stage = 'production'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND known >= toDateTime({since:Int64}, 'UTC') AND known < toDateTime({to:Int64}, 'UTC')
GROUP BY heard
