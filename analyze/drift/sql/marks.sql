-- What tells the numeric series of some hours from what they were: rows only ever
-- add to them, so a series that has grown has more of something. The sum of the
-- values, modulo 2^64, tells hours that were taken away and stored anew. None of
-- it changes when parts are merged.
SELECT CAST(series AS String), sum(count), sum(rows), sum(nulls), sum(nans), sum(infs), sum(CAST(sum_nano AS UInt64))
FROM series_hour
WHERE model = {model:String} AND segment = {segment:String} AND stage = {stage:String} AND grid IN ('', 'f8', 'o8')
  AND (series IN ('requests', 'score', 'predicted_value') OR startsWith(series, 'feature:'))
  AND (empty({only:Array(String)}) OR has({only:Array(String)}, series))
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
GROUP BY series
