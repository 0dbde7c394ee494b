-- What a person's labels changed, by minute, under the Kafka position of the
-- first of them. Rows of one minute that only differ in what is personal add up:
-- those of persons in other segments bear another last part, for one row cannot
-- say which of its persons a segment is of.
WITH changes AS (
    SELECT
        model, deploy_hash, stage, prediction_id, ts, known, label_topic, label_partition, label_offset, labelled, correct, requests, version, segments,
        first_value(concat('erased/', label_topic, '/', toString(label_partition), '/', toString(label_offset), '/', toString(requests), '/', toString(sipHash64(prediction_id) % 256), '/', toString(sipHash64(arraySort(segments)) % 65536)))
            OVER (PARTITION BY prediction_id ORDER BY known, label_topic, label_partition, label_offset) AS remains
    FROM /*table*/ FINAL
    WHERE model = {model:String} AND prediction_id IN {ids:Array(String)}
)
SELECT
    model, deploy_hash, stage, remains, toDateTime64(toStartOfMinute(ts), 3, 'UTC'), known, label_topic, label_partition, label_offset,
    toInt8(sum(labelled)), toInt8(sum(correct)), requests, sum(version),
    -- The row that counts says where; the others say where it once did.
    if(notEmpty(groupArrayIf(segments, labelled != 0 OR correct != 0) AS counting), counting[1], groupUniqArrayArray(segments))
FROM changes
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, requests
