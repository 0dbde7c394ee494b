-- Is a canary or shadow more often right than production was in the same hours? Production's
-- accuracy of each hour counts as often as the trial has labels of it, so that a canary
-- which got its traffic at night is compared with nights. The interval of the difference is
-- Newcombe's, from Wilson's of either side and effective sizes (Kish); it takes both for
-- independent, so that of a shadow, which answers the very same requests, it is too wide
-- rather than too narrow. A deploy is not compared with itself.
WITH
  trials AS (
    SELECT model, deploy_hash, stage, min(time) AS first, max(time) AS last, sum(count) AS requests
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage IN ('canary', 'shadow') AND model IN ($model)
      AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage
    HAVING requests > 0
  ),
  hours AS (
    SELECT model, deploy_hash, stage, time, toFloat64(sum(outcome_hours.count)) AS labelled, toFloat64(sum(outcome_hours.correct)) AS hits, toFloat64(sum(outcome_hours.squares)) AS squares
    FROM outcome_hours FINAL
    WHERE segment = '' AND stage IN ('production', 'canary', 'shadow') AND model IN ($model) AND model GLOBAL IN (SELECT model FROM trials)
      AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage, time
    HAVING labelled > 0 AND squares > 0
  ),
  same AS (
    SELECT t.model AS model, t.deploy_hash AS deploy_hash, t.stage AS stage, t.time AS time, any(t.labelled) AS labelled, any(t.hits) AS hits, any(t.squares) AS squares,
      sum(p.labelled) AS other_labelled, sum(p.hits) AS other_hits, sum(p.squares) AS other_squares
    FROM hours AS t INNER JOIN hours AS p ON p.model = t.model AND p.time = t.time
    WHERE t.stage != 'production' AND p.stage = 'production' AND p.deploy_hash != t.deploy_hash
    GROUP BY model, deploy_hash, stage, time
  ),
  sides AS (
    SELECT model, deploy_hash, stage, sum(same.labelled) AS labels, sum(other_labelled) AS labels_of_production,
      sum(same.hits) / labels AS own, sum(same.labelled * other_hits / other_labelled) / labels AS other,
      pow(labels, 2) / sum(same.squares) AS n, pow(labels, 2) / sum(pow(same.labelled, 2) * other_squares / pow(other_labelled, 2)) AS m
    FROM same
    GROUP BY model, deploy_hash, stage
  ),
  ends AS (
    SELECT *, own - other AS difference,
      (own + 1.920729 / n - 1.959964 * sqrt(own * (1 - own) / n + 0.960365 / pow(n, 2))) / (1 + 3.841459 / n) AS own_low,
      (own + 1.920729 / n + 1.959964 * sqrt(own * (1 - own) / n + 0.960365 / pow(n, 2))) / (1 + 3.841459 / n) AS own_high,
      (other + 1.920729 / m - 1.959964 * sqrt(other * (1 - other) / m + 0.960365 / pow(m, 2))) / (1 + 3.841459 / m) AS other_low,
      (other + 1.920729 / m + 1.959964 * sqrt(other * (1 - other) / m + 0.960365 / pow(m, 2))) / (1 + 3.841459 / m) AS other_high
    FROM sides
  ),
  judged AS (
    SELECT t.model AS model, t.stage AS stage, t.deploy_hash AS deploy_hash, t.first AS first, t.last AS last, t.requests AS requests,
      e.labels AS labels, e.labels_of_production AS labels_of_production,
      labels > 0 AND e.n >= 20 AND e.m >= 20 AND NOT has($partial, t.model) AS speaks,
      if(speaks, e.own, NULL) AS accuracy, if(speaks, e.other, NULL) AS production, if(speaks, e.difference, NULL) AS difference,
      if(speaks, e.difference - sqrt(pow(e.own - e.own_low, 2) + pow(e.other_high - e.other, 2)), NULL) AS low,
      if(speaks, e.difference + sqrt(pow(e.own_high - e.own, 2) + pow(e.other - e.other_low, 2)), NULL) AS high
    FROM trials AS t LEFT JOIN ends AS e ON e.model = t.model AND e.deploy_hash = t.deploy_hash AND e.stage = t.stage
  )
SELECT
  multiIf(has($partial, model), 'withheld: the model decides what gets a label', labels = 0, 'missing: no labels of the same hours', NOT speaks, 'insufficient: fewer than 20 labels on a side',
    high < 0, 'worse', low > 0, 'better', 'no difference shown') AS says,
  model, stage, deploy_hash, requests, labels, labels_of_production, accuracy, production, difference, low, high, first AS first_hour, last AS last_hour
FROM judged
ORDER BY speaks DESC, low > 0, high >= 0, last DESC, model, deploy_hash, stage
LIMIT 100
