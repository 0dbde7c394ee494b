-- Every deploy that answered in the range, what it answered, how often it was right by the
-- labels that are in, and how fast it was. A shadow answers what others answered already,
-- so it has no share of traffic. First and last are missing where counts by minute expired.
WITH
  asked AS (
    SELECT model, deploy_hash, stage, sum(count) AS requests
    FROM series_hour
    WHERE series = 'requests' AND model IN ($model) AND segment = '' AND stage != 'training' AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage
    HAVING requests > 0
  ),
  served AS (
    SELECT model, deploy_hash, stage, min(time) AS since, max(time) AS until
    FROM series_minute
    WHERE series = 'requests' AND model IN ($model) AND segment = '' AND stage != 'training' AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage
  ),
  known AS (
    SELECT model, deploy_hash, stage, sum(count) AS labels, sum(correct) AS hits, sum(errors) AS numbers, toFloat64(sum(absolute_atto)) / 1e18 AS wide
    FROM outcome_hours FINAL
    WHERE model IN ($model) AND segment = '' AND stage != 'training' AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage
  ),
  figures AS (
    SELECT model, deploy_hash, stage,
      if(sumIf(count, series = 'score') > 0, toFloat64(sumIf(sum_nano, series = 'score')) / 1e9 / sumIf(count, series = 'score'), NULL) AS score,
      if(sumIf(count, series = 'predicted_value') > 0, toFloat64(sumIf(sum_nano, series = 'predicted_value')) / 1e9 / sumIf(count, series = 'predicted_value'), NULL) AS predicted,
      maxIf(series_hour.max, series = 'latency_ms') AS slowest, sumMapIf(hist, series = 'latency_ms') AS latencies,
      arrayCumSum(latencies.2) AS below, latencies.1[arrayFirstIndex(n -> n >= 0.95 * below[-1], below)] AS bucket,
      least((reinterpretAsFloat64(bitShiftLeft(toUInt64(greatest(bucket, 0)), 44)) + reinterpretAsFloat64(bitShiftLeft(toUInt64(greatest(bucket, 0) + 1), 44))) / 2, slowest) AS p95
    FROM series_hour
    WHERE series IN ('score', 'predicted_value', 'latency_ms') AND model IN ($model) AND segment = '' AND stage != 'training'
      AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage
  ),
  told AS (
    SELECT model, deploy_hash, stage, argMax(version, ts) AS version, argMax(by, ts) AS by, argMax(note, ts) AS note
    FROM deployments
    WHERE model IN ($model) AND ts <= $__toTime
    GROUP BY model, deploy_hash, stage
  )
SELECT toString(a.model) AS model, toString(a.deploy_hash) AS deploy, toString(a.stage) AS stage, t.version AS version, a.requests AS requests,
  if(a.stage = 'shadow', NULL, a.requests / sum(if(a.stage = 'shadow', 0, a.requests)) OVER (PARTITION BY a.model)) AS share,
  least(greatest(k.labels, 0) / a.requests, 1) AS coverage,
  if(has($partial, a.model) OR k.numbers > 0 OR k.labels <= 0, NULL, k.hits / k.labels) AS accuracy,
  if(has($partial, a.model) OR k.numbers <= 0, NULL, k.wide / k.numbers) AS mean_error,
  f.score AS mean_score, f.predicted AS mean_value, if(length(f.latencies.2) > 0, f.p95, NULL) AS p95_ms,
  if(s.until > 0, s.since, NULL) AS first_answer, if(s.until > 0, s.until, NULL) AS last_answer, t.by AS by, t.note AS note
FROM asked AS a
LEFT JOIN served AS s ON s.model = a.model AND s.deploy_hash = a.deploy_hash AND s.stage = a.stage
LEFT JOIN known AS k ON k.model = a.model AND k.deploy_hash = a.deploy_hash AND k.stage = a.stage
LEFT JOIN figures AS f ON f.model = a.model AND f.deploy_hash = a.deploy_hash AND f.stage = a.stage
LEFT JOIN told AS t ON t.model = a.model AND t.deploy_hash = a.deploy_hash AND t.stage = a.stage
ORDER BY last_answer DESC NULLS LAST, requests DESC, model, deploy, stage
LIMIT 200
