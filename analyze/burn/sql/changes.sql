-- What each label of one deploy changed, in the order in which they became
-- known.
SELECT known, toDateTime(toStartOfMinute(ts), 'UTC'), toInt64(labelled), toInt64(correct), toInt64(requests)
FROM outcomes FINAL
WHERE model = {model:String} AND stage = 'production' AND deploy_hash = {deploy:String}
  AND ({segment:String} = '' OR has(segments, {segment:String}))
  AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC') + toIntervalMinute(1)
  AND known <= fromUnixTimestamp64Milli({known:Int64}, 'UTC')
  AND (labelled != 0 OR correct != 0)
ORDER BY known, label_topic, label_partition, label_offset
SETTINGS do_not_merge_across_partitions_select_final = 1
