-- Values of every feature by type, in the window by deploy and before it by the
-- whole model: rollups keep numbers in series_hour, texts and booleans in
-- categories_hour (kind 0; 2 is a text over the cap). A null has no type.
SELECT deploy_hash, stage, substring(series, 9) AS feature,
  sumIf(numbers, recent) AS numbers_now, sumIf(texts, recent) AS texts_now,
  any(numbers_ever) AS numbers_before, any(texts_ever) AS texts_before
FROM (
  SELECT deploy_hash, stage, series, numbers, texts, time >= toDateTime({from:Int64}, 'UTC') AS recent,
    sumIf(numbers, NOT recent) OVER (PARTITION BY series) AS numbers_ever,
    sumIf(texts, NOT recent) OVER (PARTITION BY series) AS texts_ever
  FROM (
    SELECT deploy_hash, stage, series, time, sum(count) + sum(nans) + sum(infs) AS numbers, 0 AS texts
    FROM series_hour
    WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = ''
      AND (stage = 'training' OR time >= toDateTime({since:Int64}, 'UTC')) AND time < toDateTime({to:Int64}, 'UTC')
    GROUP BY deploy_hash, stage, series, time
    UNION ALL
    SELECT deploy_hash, stage, series, time, 0 AS numbers, sum(count) AS texts
    FROM categories_hour
    WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = '' AND kind != 1
      AND (stage = 'training' OR time >= toDateTime({since:Int64}, 'UTC')) AND time < toDateTime({to:Int64}, 'UTC')
    GROUP BY deploy_hash, stage, series, time
  )
)
WHERE stage != 'training'
GROUP BY deploy_hash, stage, series
HAVING numbers_now > 0 AND texts_before > numbers_before OR texts_now > 0 AND numbers_before >= texts_before AND numbers_before > 0
ORDER BY deploy_hash, stage, feature
