-- Of each categorical series: the same sums of its 20 most frequent values. All
-- others are one more cell, which is what is left.
, long AS (
  SELECT cluster, value.1 AS series, value.2 AS word
  FROM picked ARRAY JOIN arrayConcat(
    arrayMap((k, v) -> (concat('feature:', k), v), mapKeys(categories), mapValues(categories)),
    if(predicted = '', [], [('predicted', toString(predicted))])) AS value),
words AS (SELECT series, groupArray(word) AS top FROM (SELECT series, word FROM long GROUP BY series, word ORDER BY count() DESC, word LIMIT 20 BY series) GROUP BY series)
SELECT series, count(), sum(n), sum(n * n), sumForEach(x), sumForEach(arrayMap(v -> v * v, x)), sumForEach(arrayMap(v -> v * n, x))
FROM (
  SELECT series, cluster, count() AS n, sumForEach(arrayMap(w -> toUInt64(w = word), top)) AS x
  FROM long INNER JOIN words USING (series)
  GROUP BY series, cluster)
GROUP BY series
