-- Predictions of a range of event time by part of it, deploy, stratum, class and
-- bucket of the score, with the labels that were known before an hour.
SELECT
    toInt64(intDiv(toUnixTimestamp(time) - {from:Int64}, {part:Int64})) AS part, toString(deploy_hash), stratum, toString(predicted), bucket,
    sum(predictions), toFloat64(sum(requests)), toFloat64(sum(squares)), sum(score),
    sum(labelled), toFloat64(sum(labelled_requests)), toFloat64(sum(labelled_squares)),
    sum(correct), toFloat64(sum(correct_requests)), toFloat64(sum(correct_squares)), sum(loss), sum(loss_squares)
FROM score_cells FINAL
WHERE model = {model:String} AND strata = {strata:String} AND stratum >= 0 AND stage = 'production'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC') AND known < toDateTime({at:Int64}, 'UTC')
  AND toInt64(toUnixTimestamp(known)) - toInt64(toUnixTimestamp(time)) < {within:Int64}
GROUP BY part, deploy_hash, stratum, predicted, bucket
HAVING sum(predictions) > 0 OR sum(labelled) != 0
ORDER BY part, deploy_hash, stratum, predicted, bucket
