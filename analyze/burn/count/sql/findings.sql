-- Minutes in which a finding spoke, and those in which all that spoke were within
-- the bound. What is insufficient or missing does not speak.
SELECT deploy_hash, minute, toUInt64(min(good)), toUInt64(1), toUInt64(1)
FROM (
    SELECT deploy_hash, feature, reference, `window`, toUnixTimestamp(toStartOfMinute(at)) AS minute,
        argMax(multiIf({op:String} = 'lt', findings.value < {bound:Float64}, {op:String} = 'lte', findings.value <= {bound:Float64}, {op:String} = 'gt', findings.value > {bound:Float64}, findings.value >= {bound:Float64}), at) AS good
    FROM findings
    WHERE signal = {signal:String} AND model = {model:String} AND measure = {measure:String} AND stage = 'production' AND segment = {segment:String}
      AND ({feature:String} = '' OR feature = {feature:String}) AND ({reference:String} = '' OR reference = {reference:String})
      AND verdict IN ('ok', 'breach') AND isFinite(findings.value)
      AND at >= toDateTime64({from:Int64}, 3, 'UTC') AND at < toDateTime64({to:Int64}, 3, 'UTC')
    GROUP BY deploy_hash, feature, reference, `window`, minute
)
GROUP BY deploy_hash, minute
