-- Hourly histograms of the numeric features, as the rollups of real traffic would
-- be: each bucket has its share of the hour's events under the shape of the
-- feature, rounded up or down by chance, and is left out if nothing fell into it.
-- Buckets are those of storage/grid: a float64 without its last 44 bits. The
-- shapes are 0 normal(0, 1), 1 lognormal(3, 1), 2 normal(300, 40), 3 the whole
-- numbers from 1 to 100.
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows, sum_nano, min, max, hist)
WITH
  (x -> 0.5 + erf(x / sqrt(2.)) / 2) AS phi,
  ((s, x) -> multiIf(s = 0, phi(x), s = 1, if(x <= 0, 0., phi(log(greatest(x, 1e-300)) - 3)), s = 2, phi((x - 300) / 40), least(1., greatest(0., (ceil(x) - 1) / 100)))) AS below,
  (b -> if(b >= 0, reinterpretAsFloat64(bitShiftLeft(toUInt64(b), 44)), -reinterpretAsFloat64(bitShiftLeft(toUInt64(-b), 44)))) AS edge
SELECT {model:String}, {deploy:String}, {stage:String}, '', concat('feature:n', leftPad(toString(feature), 2, '0')), 'f8', toDateTime(hour, 'UTC'),
  sum(c) AS total, total, 0, -100, 1000, (groupArray(bucket), groupArray(c))
FROM (
  SELECT feature, hour, bucket,
    toUInt64(floor({events:Float64} * mass + (cityHash64(feature, hour, bucket, {deploy:String}) % 1000003) / 1000003)) AS c
  FROM (
    SELECT feature, bucket, below(shape, edge(bucket + 1)) - below(shape, edge(bucket)) AS mass
    FROM (SELECT number AS feature, [0, 1, 1, 2, 3][number % 5 + 1] AS shape FROM numbers({numeric:UInt64})) AS features,
      (SELECT toInt32(number) - 265216 AS bucket FROM numbers(530432) WHERE bucket >= 257000 OR bucket < -257000) AS buckets
    WHERE mass > 1e-9
    ORDER BY feature, bucket
  ) AS masses, (SELECT {from:Int64} + number * 3600 AS hour FROM numbers({hours:UInt64})) AS hours
  WHERE c > 0
)
GROUP BY feature, hour
