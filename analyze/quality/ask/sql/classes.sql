-- Labelled predictions whose answer or truth is a class, counted by both and by
-- score. Scores outside 0 to 1 are no probabilities and have no loss.
SELECT part, predicted, label, bin, place, sum(requests), toInt64(count()), sum(requests * requests), sum(correct * requests), sum(if(bin < 0, 0, f) * requests),
    sum(requests * loss), sum(requests * loss * loss), sum(requests * miss), sum(requests * miss * miss), min(f), max(f)
FROM (
    SELECT arrayJoin(/*parts*/) AS part, predicted, label, toInt64(requests) AS requests, toInt64(correct) AS correct,
        if({scores:UInt8} = 1, ifNull(score, nan), nan) AS f, label = {positive:String} AS truth,
        multiIf(isNaN(f), toInt32(-2), f < 0 OR f > 1, toInt32(-1), toInt32(least(floor(f * 10), 9))) AS bin,
        if(bin < 0, 0., -log(if(truth, f, 1 - f))) AS loss, if(bin < 0, 0., pow(truth - f, 2)) AS miss,
        toFloat64(if(isNaN(f), 0, /*place*/)) AS place
    FROM /*labelled*/
    WHERE label != '' OR predicted != ''
)
GROUP BY part, predicted, label, bin, place
ORDER BY part
