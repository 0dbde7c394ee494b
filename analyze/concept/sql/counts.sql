-- Labelled predictions by period, deploy, stratum and label, as known one delay
-- after each prediction. Of many predictions only those of one hash class are
-- looked at.
SELECT recent, deploy_hash, stratum, cell, bucket, count()
FROM (
  SELECT deploy_hash, ts >= toDateTime64({split:Int64}, 3, 'UTC') AS recent, sum(labelled) AS net,
    argMax(tuple(toString(label), label_value), tuple(known, toString(label_topic), label_partition, label_offset)) AS truth,
    argMax(tuple(toString(predicted), predicted_value, score), known) AS answer,
    multiIf(
      answer.1 != '' OR answer.2 IS NULL, concat(answer.1, ifNull(if(answer.3 >= 0 AND answer.3 <= 1, concat(' score ', toString(least(floor(answer.3 * 10), 9) / 10)), ''), '')),
      answer.2 = 0, '0',
      concat(if(answer.2 < 0, '-', ''), '2^', toString(floor(log2(abs(answer.2)))))) AS stratum,
    multiIf(truth.1 != '', truth.1, truth.2 IS NULL OR answer.2 IS NULL, '', truth.2 > answer.2, 'above the prediction', 'not above the prediction') AS cell,
    if(truth.1 = '' AND truth.2 IS NOT NULL, /*bucket*/, NULL) AS bucket
  FROM (
    SELECT prediction_id, ts, known, deploy_hash, label, label_value, label_topic, label_partition, label_offset, predicted, predicted_value, score, labelled
    FROM outcomes FINAL
    WHERE model = {model:String} AND stage = 'production'
      AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
      AND known <= ts + toIntervalSecond({delay:Int64})
      AND cityHash64(prediction_id) % {classes:UInt64} = 0
    SETTINGS do_not_merge_across_partitions_select_final = 1
  )
  GROUP BY prediction_id, ts, deploy_hash
  HAVING net > 0
)
GROUP BY recent, deploy_hash, stratum, cell, bucket
ORDER BY recent, deploy_hash, stratum, cell, bucket
