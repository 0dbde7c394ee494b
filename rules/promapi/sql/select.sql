-- Findings of a range as series, one a part: a column of theirs that is a metric. A
-- part that says nothing is no point, nor is what an SLO shows where too little is
-- known to judge by. With a step the last point of each step stands for it: what an
-- instant selector would take there.
SELECT signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`, part, groupArray(at_ms), groupArray(v)
FROM (
    SELECT signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`, part,
        if({step:Int64} > 0, intDiv(toUnixTimestamp64Milli(at) - {start:Int64} + {step:Int64} - 1, {step:Int64}), toUnixTimestamp64Milli(at)) AS slot,
        toUnixTimestamp64Milli(max(at)) AS at_ms, argMax(number, at) AS v
    FROM (
        SELECT at, signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`, part,
            multiIf(part = 'value', point, part = 'low', low, part = 'high', high, part = 'coverage', coverage,
                verdict NOT IN ('ok', 'breach'), nan, part = 'said', point, part = 'said_low', low, p) AS number
        FROM (
            SELECT at, signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`, findings.value AS point, low, high, p, coverage, verdict
            FROM findings
            WHERE at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND at <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
              AND ({signal:String} = '' OR signal = {signal:String}) AND ({measure:String} = '' OR measure = {measure:String})
              AND ({model:String} = '' OR model = {model:String}) AND ({slo:String} = '' OR slo = {slo:String})
              AND ({deploy:String} = '' OR deploy_hash = {deploy:String}) AND ({window:String} = '' OR `window` = {window:String})
        )
        ARRAY JOIN {parts:Array(String)} AS part
        WHERE part IN ('value', 'low', 'high') OR signal = 'burn' AND measure = 'bad_share' AND stage = 'production' AND segment = ''
          OR part = 'said' AND signal = 'budget' AND measure = 'left'
    )
    WHERE isFinite(number)
    GROUP BY signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`, part, slot
    ORDER BY at_ms
    LIMIT {most:UInt64}
)
GROUP BY signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`, part
