-- Power sums of the errors of labelled predictions whose answer and truth are
-- numbers. Truths are taken from their mean, so that the sums keep their digits.
SELECT part, sum(w), toInt64(count()), sum(w * w), any(shift),
    sum(w * abs(e)), sum(w * e), sum(w * e * e), sum(w * e * e * e * e),
    sum(w * y), sum(w * y * y), sum(w * y * y * y), sum(w * y * y * y * y), sum(w * y * e * e), sum(w * y * y * e * e),
    sumIf(w, truth != 0), sumIf(w * abs(e / truth), truth != 0), sumIf(w * e / truth * e / truth, truth != 0),
    sum(w * loss), sum(w * loss * loss)
FROM (
    SELECT arrayJoin(/*parts*/) AS part, toInt64(requests) AS w, assumeNotNull(label_value) AS truth, assumeNotNull(predicted_value) - truth AS e,
        avg(truth) OVER () AS shift, truth - shift AS y, greatest(-{quantile:Float64} * e, (1 - {quantile:Float64}) * e) AS loss
    FROM /*labelled*/
    -- Former versions stored NaN as a label: of one, every sum would be NaN.
    WHERE isFinite(label_value) AND isNotNull(label_value) AND isNotNull(predicted_value) AND label = '' AND predicted = ''
)
GROUP BY part
ORDER BY part
