-- Findings of a range as series. With a step the last finding of each step stands
-- for it: what an instant selector would take there.
SELECT signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`,
    groupArray(at_ms), groupArray(v), groupArray(l), groupArray(h), groupArray(noise), groupArray(c), groupArray(told)
FROM (
    SELECT signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`,
        if({step:Int64} > 0, intDiv(toUnixTimestamp64Milli(at) - {start:Int64} + {step:Int64} - 1, {step:Int64}), toUnixTimestamp64Milli(at)) AS slot,
        toUnixTimestamp64Milli(max(at)) AS at_ms, argMax(findings.value, at) AS v, argMax(low, at) AS l, argMax(high, at) AS h, argMax(p, at) AS noise, argMax(coverage, at) AS c,
        argMax(if(verdict IN ('ok', 'breach'), findings.value, nan), at) AS told
    FROM findings
    WHERE at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND at <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
      AND ({signal:String} = '' OR signal = {signal:String}) AND ({measure:String} = '' OR measure = {measure:String})
      AND ({model:String} = '' OR model = {model:String}) AND ({slo:String} = '' OR slo = {slo:String})
      AND ({deploy:String} = '' OR deploy_hash = {deploy:String}) AND ({window:String} = '' OR `window` = {window:String})
      AND (NOT {speaks:Bool} OR verdict IN ('ok', 'breach'))
    GROUP BY signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`, slot
    ORDER BY at_ms
    LIMIT {most:UInt64}
)
GROUP BY signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`
