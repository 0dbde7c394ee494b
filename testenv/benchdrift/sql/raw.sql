-- Raw rows of the same shapes, as many as fit: what a recomputation without
-- rollups has to read.
INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, numbers, categories, status, weight, known)
WITH
  arrayMap(f -> (rand64(f) % 1000003 + 1) / 1000005, range({numeric:UInt64})) AS u,
  arrayMap(f -> (rand64(f + 1000) % 1000003 + 1) / 1000005, range({numeric:UInt64})) AS v,
  arrayMap((x, y) -> sqrt(-2 * log(x)) * cos(2 * pi() * y), u, v) AS normal
SELECT {model:String}, {deploy:String}, {stage:String}, concat({deploy:String}, toString(number)),
  toDateTime64({from:Int64} + intDiv(number * {hours:UInt64} * 3600, {rows:UInt64}), 3, 'UTC') AS at,
  mapFromArrays(
    arrayMap(f -> concat('n', leftPad(toString(f), 2, '0')), range({numeric:UInt64})),
    arrayMap((f, z, w) -> multiIf(f % 5 = 0, z, f % 5 < 3, exp(3 + z), f % 5 = 3, 300 + 40 * z, ceil(w * 100)), range({numeric:UInt64}), normal, u)),
  mapFromArrays(
    arrayMap(f -> concat('c', leftPad(toString(f), 2, '0')), range({categorical:UInt64})),
    arrayMap(f -> concat('value ', toString(1 + rand64(f + 2000) % 50)), range({categorical:UInt64}))),
  'ok', 1, at
FROM numbers({rows:UInt64})
