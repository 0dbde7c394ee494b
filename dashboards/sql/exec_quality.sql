-- Share of right answers by day, over the labels that are in; of a model that decides
-- itself which predictions ever get a label, all of the others wrong and all of them
-- right. Predicted numbers are not right or wrong: they and their labels are of no class.
-- Fewer than 20 labels say nothing of a day, as everywhere, but for bounds.
SELECT time, tupleElement(line, 1) AS metric, tupleElement(line, 2) AS value
FROM (
  SELECT greatest(toStartOfDay(hour), $__fromTime) AS time, model, has($partial, model) AS bounded,
    sum(labelled) AS known, sum(correct) AS hits, sum(events) AS labels, greatest(sum(requests), known) AS asked
  FROM (
    SELECT o.time AS hour, o.model AS model, o.count AS labelled, o.correct AS correct, o.rows AS events, toInt64(0) AS requests
    FROM outcome_hours AS o FINAL
    WHERE o.stage = 'production' AND o.segment = '' AND o.model IN ($model) AND o.time >= $__fromTime AND o.time <= $__toTime
      AND (o.predicted != '' OR o.label != '' OR o.other > 0)
    UNION ALL
    SELECT s.time, s.model, 0, 0, 0, toInt64(s.count)
    FROM series_hour AS s
    WHERE s.series = 'requests' AND s.segment = '' AND s.stage = 'production' AND s.model IN ($model) AND has($partial, s.model)
      AND s.time >= $__fromTime AND s.time <= $__toTime
  )
  GROUP BY time, model
  HAVING known > 0 AND (bounded OR labels >= 20)
)
ARRAY JOIN if(bounded, [(concat(model, ' at least'), hits / asked), (concat(model, ' at most'), (hits + asked - known) / asked)], [(toString(model), hits / known)]) AS line
ORDER BY time, metric
