-- Hourly counts of categorical features of 50 values each, the k-th about 1/k as
-- frequent as the first.
INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count, rows)
SELECT {model:String}, {deploy:String}, {stage:String}, '', concat('feature:c', leftPad(toString(feature), 2, '0')), toDateTime({from:Int64} + hour * 3600, 'UTC'),
  concat('value ', toString(value)), 0,
  toUInt64(floor({events:Float64} / (value * 4.499205338329425) + (cityHash64(feature, hour, value, {deploy:String}) % 1000003) / 1000003)) AS c, c
FROM (SELECT number AS feature FROM numbers({categorical:UInt64})) AS features,
  (SELECT number AS hour FROM numbers({hours:UInt64})) AS hours,
  (SELECT number + 1 AS value FROM numbers(50)) AS values
WHERE c > 0
