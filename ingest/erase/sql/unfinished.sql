-- What remains of persons whose own rows are gone, and was written only once: see
-- outgrow. A prediction whose identifier merely looks like that has a label, or
-- what was predicted. The labels of one record share a position; the last part but
-- one of the identifier tells their persons apart.
WITH once AS (
    SELECT
        model, deploy_hash, stage, prediction_id, ts, known, label_topic, label_partition, label_offset, labelled, correct, requests, version, segments,
        (label_topic, label_partition, label_offset, toUInt8OrZero(splitByChar('/', prediction_id)[-2])) AS person
    FROM /*table*/ FINAL
    WHERE model = {model:String} AND match(prediction_id, '^erased/[^/]+/[0-9]+/[0-9]+/[0-9]+/[0-9]+/[0-9]+$') AND version % 2 = 1
      AND label = '' AND label_value IS NULL AND predicted = '' AND score IS NULL
)
SELECT * EXCEPT person
FROM once
WHERE person GLOBAL NOT IN (
    SELECT (label_topic, label_partition, label_offset, toUInt8(sipHash64(prediction_id) % 256)) AS whose
    FROM /*table*/
    WHERE model = {model:String} AND whose GLOBAL IN (SELECT person FROM once) AND NOT startsWith(prediction_id, 'erased/')
)
