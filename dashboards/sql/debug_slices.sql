-- Each declared segment, and all traffic: how often the model was right in the range and on
-- the day before it, by the labels that are in, the surest and greatest fall first. A fall
-- is one beyond three standard errors of both shares (or mean errors of a regression):
-- there are many slices, so two would come by chance. Where producers sample, labels are
-- worth labelled^2 / squares equal ones (Kish 1965). Labels of a model that decides itself
-- which predictions get one say nothing of the others.
WITH
  counted AS (
    SELECT model, segment, sum(asked) AS requests,
      sumIf(count, now) AS labels, sumIf(correct, now) AS hits, sumIf(rows, now) AS answers, sumIf(squares, now) AS worth,
      sumIf(count, NOT now) AS labels_before, sumIf(correct, NOT now) AS hits_before, sumIf(rows, NOT now) AS answers_before, sumIf(squares, NOT now) AS worth_before,
      sumIf(errors, now) AS numbers, sumIf(absolute, now) AS wide, sumIf(squared, now) AS wider,
      sumIf(errors, NOT now) AS numbers_before, sumIf(absolute, NOT now) AS wide_before, sumIf(squared, NOT now) AS wider_before
    FROM (
      SELECT model, segment, time >= toStartOfHour($__fromTime) AS now, toUInt64(0) AS asked, count, correct, rows, squares, errors,
        toFloat64(absolute_atto) / 1e18 AS absolute, toFloat64(squared_atto) / 1e18 AS squared
      FROM outcome_hours FINAL
      WHERE stage = 'production' AND model IN ($model) AND time >= toStartOfHour($__fromTime) - INTERVAL 1 DAY AND time <= $__toTime
      UNION ALL
      SELECT model, segment, true, count, 0, 0, 0, 0, 0, 0, 0
      FROM series_hour
      WHERE series = 'requests' AND stage = 'production' AND model IN ($model) AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    )
    GROUP BY model, segment
  ),
  measured AS (
    SELECT *, has($partial, model) AS chosen,
      numbers + numbers_before > 0 AS regression, least(answers, answers_before) AS fewest,
      if(NOT chosen AND NOT regression AND labels > 0, hits / labels, NULL) AS accuracy,
      if(NOT chosen AND NOT regression AND labels_before > 0, hits_before / labels_before, NULL) AS accuracy_before,
      if(NOT chosen AND numbers > 0, wide / numbers, NULL) AS error, if(NOT chosen AND numbers_before > 0, wide_before / numbers_before, NULL) AS error_before,
      (hits + hits_before) / (labels + labels_before) AS pooled,
      if(regression, error - error_before, accuracy_before - accuracy) AS fall,
      sqrt(if(regression,
        greatest(wider / numbers - error * error, 0) / numbers + greatest(wider_before / numbers_before - error_before * error_before, 0) / numbers_before,
        pooled * (1 - pooled) * (toFloat64(worth) / (toFloat64(labels) * labels) + toFloat64(worth_before) / (toFloat64(labels_before) * labels_before)))) AS noise
    FROM counted
  )
SELECT multiIf(requests = 0, 'no request', chosen, 'labels chosen by the model', labels <= 0, 'no label yet', labels_before <= 0, 'nothing to compare with',
    fewest < 20, 'too few labels', fall > 3 * noise, 'fell', fall < -3 * noise, 'rose', 'within noise') AS says,
  toString(model) AS model, if(segment = '', 'all traffic', toString(segment)) AS slice, requests,
  if(requests > 0, least(labels / requests, 1), NULL) AS coverage, accuracy, accuracy_before, error AS mean_error, error_before AS mean_error_before, greatest(labels, 0) AS labelled
FROM measured
WHERE requests > 0 OR labels > 0 OR labels_before > 0
ORDER BY transform(says, ['fell', 'no request', 'no label yet', 'within noise', 'rose'], [0, 1, 2, 3, 4], 5), fall / if(regression, error_before, 1) DESC NULLS LAST, model, slice
LIMIT 200
