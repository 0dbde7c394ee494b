-- The hours of the models of which raw rows were counted by other segments than
-- those that are declared now. Within a topic partition plans follow one another
-- by offset, so a row was counted by the last change of segments before it.
SELECT DISTINCT toString(model), toUInt32(toStartOfHour(ts))
FROM predictions AS p
ASOF INNER JOIN
(
    SELECT topic, epoch, partition, first, counted_by
    FROM
    (
        SELECT
            toString(topic) AS topic, toString(epoch) AS epoch, partition, first, splitByChar('+', toString(plan))[2] AS counted_by,
            lagInFrame(counted_by, 1, 'none') OVER (PARTITION BY topic, epoch, partition ORDER BY first ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
        FROM batches FINAL
        WHERE table = 'predictions'
    )
    WHERE counted_by != before
) AS b ON toString(p._topic) = b.topic AND toString(p._epoch) = b.epoch AND p._partition = b.partition AND p._offset >= b.first
WHERE p.ts >= {from:DateTime} AND p.ts < {to:DateTime} AND b.counted_by != {declared:String}
