-- Rows of one day of one stage by whole clusters, one cluster in so many. A row
-- without the key is a cluster of its own.
WITH picked AS (
  SELECT numbers, categories, score, predicted_value, predicted,
    multiIf(
      mapContains(segments, {key:String}), segments[{key:String}],
      mapContains(categories, {key:String}), categories[{key:String}],
      mapContains(numbers, {key:String}), toString(numbers[{key:String}]),
      concat('\0', prediction_id)) AS cluster
  FROM predictions
  WHERE model = {model:String} AND stage = {stage:String}
    AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND sipHash64(cluster) % {one_in:UInt64} = 0)
