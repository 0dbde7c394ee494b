-- Which class was taken for which, of the labelled predictions of the range that were
-- wrong, with the share that these are of all that were labelled. Classes over the cap of
-- an hour have no name of their own.
SELECT model, predicted, truth, wrong, wrong / labelled AS of_labelled
FROM (
  SELECT toString(model) AS model, if(bitAnd(other, 1) > 0, '(others)', if(h.predicted = '', '(none)', toString(h.predicted))) AS predicted,
    if(bitAnd(other, 2) > 0, '(others)', toString(label)) AS truth, sum(count) - sum(correct) AS wrong, sum(sum(count)) OVER (PARTITION BY model) AS labelled
  FROM outcome_hours AS h FINAL
  WHERE stage = 'production' AND segment = '' AND model IN ($model) AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    AND (label != '' OR bitAnd(other, 2) > 0) -- a regression has no class
  GROUP BY model, predicted, truth
)
WHERE wrong > 0
ORDER BY wrong DESC, model, predicted, truth
LIMIT 50
