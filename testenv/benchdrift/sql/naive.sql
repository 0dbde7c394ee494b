-- The same question without rollups: the PSI of every numeric feature on twenty
-- bins of equal mass in the reference, from raw rows. Categories are left out.
WITH
  cuts AS (
    SELECT feature, quantiles(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)(value) AS at
    FROM predictions ARRAY JOIN mapKeys(numbers) AS feature, mapValues(numbers) AS value
    WHERE model = {model:String} AND deploy_hash = 'v1' GROUP BY feature),
  bins AS (
    SELECT feature, arrayCount(c -> c < value, at) AS bin, toFloat64(countIf(deploy_hash = 'v1')) AS p, toFloat64(countIf(deploy_hash = 'v2')) AS q
    FROM (SELECT deploy_hash, feature, value FROM predictions ARRAY JOIN mapKeys(numbers) AS feature, mapValues(numbers) AS value WHERE model = {model:String}) AS raw
    INNER JOIN cuts USING (feature)
    GROUP BY feature, bin)
SELECT feature, sum((qs - ps) * log(qs / ps)) AS psi
FROM (SELECT feature, greatest(p, 0.5) / sum(p) OVER (PARTITION BY feature) AS ps, greatest(q, 0.5) / sum(q) OVER (PARTITION BY feature) AS qs FROM bins)
GROUP BY feature ORDER BY psi DESC
