-- Does a canary or shadow answer otherwise than production did in the same hours, before any
-- label is in? Production's figures of each hour count as often as those of the trial. moved
-- is the share of answers that would have to change class to be distributed as
-- production's, noise what that share would be on average if nothing had changed.
WITH
  trials AS (
    SELECT model, deploy_hash, stage, max(time) AS last, sum(count) AS requests
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage IN ('canary', 'shadow') AND model IN ($model)
      AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage
    HAVING requests > 0
  ),
  hours AS (
    SELECT model, deploy_hash, stage, time, series, toFloat64(sum(series_hour.count)) AS events, toFloat64(sum(sum_nano)) / 1e9 AS total
    FROM series_hour
    WHERE series IN ('requests', 'latency_ms', 'score', 'predicted_value') AND segment = '' AND stage IN ('production', 'canary', 'shadow')
      AND model IN ($model) AND model GLOBAL IN (SELECT model FROM trials) AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage, time, series
    HAVING events > 0
  ),
  same AS (
    SELECT t.model AS model, t.deploy_hash AS deploy_hash, t.stage AS stage, t.series AS series, t.time AS time, any(t.events) AS events, any(t.total) AS total,
      sum(p.events) AS other_events, sum(p.total) AS other_total
    FROM hours AS t INNER JOIN hours AS p ON p.model = t.model AND p.time = t.time AND p.series = t.series
    WHERE t.stage != 'production' AND p.stage = 'production' AND p.deploy_hash != t.deploy_hash
    GROUP BY model, deploy_hash, stage, series, time
  ),
  means AS (
    SELECT model, deploy_hash, stage, sumIf(same.other_events, series = 'requests') AS requests_of_production,
      sumIf(same.total, series = 'latency_ms') / sumIf(same.events, series = 'latency_ms') AS latency,
      sumIf(same.events * other_total / other_events, series = 'latency_ms') / sumIf(same.events, series = 'latency_ms') AS other_latency,
      sumIf(same.total, series = 'score') / sumIf(same.events, series = 'score') AS score,
      sumIf(same.events * other_total / other_events, series = 'score') / sumIf(same.events, series = 'score') AS other_score,
      sumIf(same.total, series = 'predicted_value') / sumIf(same.events, series = 'predicted_value') AS number,
      sumIf(same.events * other_total / other_events, series = 'predicted_value') / sumIf(same.events, series = 'predicted_value') AS other_number
    FROM same
    GROUP BY model, deploy_hash, stage
  ),
  answers AS (
    SELECT model, deploy_hash, stage, time, sumMap(map(concat(toString(kind), value), toFloat64(categories_hour.count))) AS classes, toFloat64(sum(categories_hour.count)) AS events, toFloat64(sum(categories_hour.rows)) AS size
    FROM categories_hour
    WHERE series = 'predicted' AND kind != 1 AND segment = '' AND stage IN ('production', 'canary', 'shadow')
      AND model IN ($model) AND model GLOBAL IN (SELECT model FROM trials) AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage, time
    HAVING events > 0
  ),
  same_answers AS (
    SELECT t.model AS model, t.deploy_hash AS deploy_hash, t.stage AS stage, t.time AS time, any(t.classes) AS classes, any(t.events) AS events, any(t.size) AS size,
      sumMap(p.classes) AS other_classes, sum(p.events) AS other_events, sum(p.size) AS other_size
    FROM answers AS t INNER JOIN answers AS p ON p.model = t.model AND p.time = t.time
    WHERE t.stage != 'production' AND p.stage = 'production' AND p.deploy_hash != t.deploy_hash
    GROUP BY model, deploy_hash, stage, time
  ),
  shares AS (
    SELECT model, deploy_hash, stage, sum(same_answers.events) AS events, sum(same_answers.size) AS n, sum(other_size) AS m,
      sumMap(same_answers.classes) AS own, sumMap(mapApply((class, answers) -> (class, answers * same_answers.events / other_events), other_classes)) AS other
    FROM same_answers
    GROUP BY model, deploy_hash, stage
  ),
  moves AS (
    SELECT model, deploy_hash, stage, n, m, arrayMap(class -> (own[class] / events, other[class] / events), arrayDistinct(arrayConcat(mapKeys(own), mapKeys(other)))) AS classes,
      arraySum(share -> abs(share.1 - share.2), classes) / 2 AS moved,
      arraySum(share -> sqrt(2 / pi() * (share.1 * n + share.2 * m) / (n + m) * (1 - (share.1 * n + share.2 * m) / (n + m)) * (1 / n + 1 / m)), classes) / 2 AS noise
    FROM shares
  )
SELECT t.model AS model, t.stage AS stage, t.deploy_hash AS deploy_hash, t.requests AS requests, s.requests_of_production AS requests_of_production,
  if(a.n > 0, a.moved, NULL) AS moved, if(a.n > 0, a.noise, NULL) AS noise,
  if(s.requests_of_production > 0 AND isFinite(s.score), s.score, NULL) AS score, if(s.requests_of_production > 0 AND isFinite(s.other_score), s.other_score, NULL) AS score_of_production,
  if(s.requests_of_production > 0 AND isFinite(s.number), s.number, NULL) AS answer, if(s.requests_of_production > 0 AND isFinite(s.other_number), s.other_number, NULL) AS answer_of_production,
  if(s.requests_of_production > 0 AND isFinite(s.latency), s.latency, NULL) AS latency, if(s.requests_of_production > 0 AND isFinite(s.other_latency), s.other_latency, NULL) AS latency_of_production
FROM trials AS t
LEFT JOIN means AS s ON s.model = t.model AND s.deploy_hash = t.deploy_hash AND s.stage = t.stage
LEFT JOIN moves AS a ON a.model = t.model AND a.deploy_hash = t.deploy_hash AND a.stage = t.stage
ORDER BY moved - noise DESC NULLS LAST, t.last DESC, model, deploy_hash, stage
LIMIT 100
