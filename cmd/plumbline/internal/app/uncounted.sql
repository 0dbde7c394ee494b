-- How an SLO's statement failed, if its newest findings say so; else empty.
SELECT argMax(if(verdict = 'missing' AND startsWith(assumes, {begins:String}), assumes, ''), tuple(at, startsWith(assumes, {begins:String})))
FROM findings
WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND model = {model:String} AND slo = {slo:String}
  AND at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND at <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
