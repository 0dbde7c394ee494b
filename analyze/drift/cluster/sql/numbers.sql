-- Of each numeric series: its cells, cut at six quantiles, then the cells up to
-- each cut, and for each of those sums over clusters of x, x^2 and x n: x is how
-- many rows of the cluster lie there, n how many have the series.
, long AS (
  SELECT cluster, value.1 AS series, value.2 AS number
  FROM picked ARRAY JOIN arrayConcat(
    arrayMap((k, v) -> (concat('feature:', k), v), mapKeys(numbers), mapValues(numbers)),
    if(isNull(score), [], [('score', assumeNotNull(score))]),
    if(isNull(predicted_value), [], [('predicted_value', assumeNotNull(predicted_value))])) AS value
  WHERE isFinite(number)),
cuts AS (SELECT series, quantilesExact(0.05, 0.2, 0.4, 0.6, 0.8, 0.95)(number) AS at FROM long GROUP BY series)
SELECT series, count(), sum(n), sum(n * n), sumForEach(x), sumForEach(arrayMap(v -> v * v, x)), sumForEach(arrayMap(v -> v * n, x))
FROM (
  SELECT series, cluster, count() AS n,
    sumForEach(arrayConcat(arrayMap(j -> toUInt64(bin = j), range(7)), arrayMap(j -> toUInt64(bin <= j), range(6)))) AS x
  FROM (SELECT series, cluster, arrayCount(c -> number > c, at) AS bin FROM long INNER JOIN cuts USING (series))
  GROUP BY series, cluster)
GROUP BY series
