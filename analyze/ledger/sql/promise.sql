-- What scores promised of the first window of a deploy that ended in a range, as it
-- was first told: nothing that came in later can have changed it.
SELECT measure = 'promised_mae', window_end, argMin(value, at), argMin(low, at), argMin(high, at)
FROM findings
WHERE signal = 'concept_drift' AND measure IN ('promised_accuracy', 'promised_mae') AND stage = 'production' AND segment = ''
  AND model = {model:String} AND deploy_hash = {deploy:String} AND window = {window:String} AND isFinite(value) AND isFinite(low) AND isFinite(high)
  AND window_end >= toDateTime64({from:Int64}, 3, 'UTC') AND window_end <= toDateTime64({to:Int64}, 3, 'UTC') AND at >= window_end
GROUP BY measure, window_end
ORDER BY window_end
LIMIT 1
