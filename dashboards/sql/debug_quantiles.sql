-- Median, 5 % and 95 % quantile, or others, of counts on the grid: see storage/grid. A
-- bucket is a sign, an exponent and the first bits of the mantissa, 8 of a full grid and 5
-- of a coarse one; probabilities are counted by their odds. Its value is its middle, or
-- the integer where integers are exact, and never beyond what was seen.
SELECT time, concat(line, ' ', tupleElement(q, 1)) AS metric,
  least(greatest(if(odds, in_share, in_unit), least_seen), greatest_seen) AS value
FROM (
  SELECT time, line, least_seen, greatest_seen, startsWith(grid, 'o') AS odds, q,
    arrayCumSum(hist.2) AS below,
    toInt64(hist.1[arrayFirstIndex(n -> n >= tupleElement(q, 2) * below[-1], below)]) AS bucket,
    if(bucket >= 0, bucket, -1 - bucket) AS magnitude, if(endsWith(grid, '5'), 47, 44) AS bits,
    reinterpretAsFloat64(bitShiftLeft(toUInt64(magnitude), bits)) AS near, reinterpretAsFloat64(bitShiftLeft(toUInt64(magnitude + 1), bits)) AS far,
    if(bucket >= 0, 1, -1) * if(far - near <= 1 AND near = floor(near), near, (near + far) / 2) AS in_unit,
    if(isFinite(far), (near / (1 + near) + far / (1 + far)) / 2, 1) AS in_share
  FROM ($rows)
  ARRAY JOIN [$quantiles] AS q
  WHERE length(hist.2) > 0
)
ORDER BY time, metric
