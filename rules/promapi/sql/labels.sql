-- Which series there are in a range: of each finding the parts that say something at any
-- time of it, as select.sql has them.
SELECT signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`,
    arrayFilter(part -> has({parts:Array(String)}, part), [
        if(max(isFinite(value)), 'value', ''), if(max(isFinite(low)), 'low', ''), if(max(isFinite(high)), 'high', ''),
        if(burns AND max(isFinite(coverage)), 'coverage', ''),
        if((burns OR signal = 'budget' AND measure = 'left') AND max(says AND isFinite(value)), 'said', ''),
        if(burns AND max(says AND isFinite(low)), 'said_low', ''), if(burns AND max(says AND isFinite(p)), 'noise', '')]) AS parts
FROM (
    SELECT *, verdict IN ('ok', 'breach') AS says, signal = 'burn' AND measure = 'bad_share' AND stage = 'production' AND segment = '' AS burns
    FROM findings
    WHERE at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND at <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
      AND ({signal:String} = '' OR signal = {signal:String}) AND ({measure:String} = '' OR measure = {measure:String})
      AND ({model:String} = '' OR model = {model:String}) AND ({slo:String} = '' OR slo = {slo:String})
      AND ({deploy:String} = '' OR deploy_hash = {deploy:String}) AND ({window:String} = '' OR `window` = {window:String})
)
GROUP BY signal, measure, model, deploy_hash, stage, segment, feature, slo, reference, `window`, burns
