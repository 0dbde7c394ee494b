CREATE TABLE IF NOT EXISTS `plumbline`.`predictions_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `prediction_id` String COMMENT 'Identifier of the prediction within its model.' CODEC(ZSTD(1)),
    `ts` DateTime64(3, 'UTC') COMMENT 'Event time: when the model answered.' CODEC(Delta, ZSTD(1)),
    `numbers` Map(LowCardinality(String), Float64) COMMENT 'Numeric features by name.' CODEC(ZSTD(1)),
    `categories` Map(LowCardinality(String), String) COMMENT 'Text and boolean features by name.' CODEC(ZSTD(1)),
    `nulls` Array(LowCardinality(String)) COMMENT 'Names of the features that were sent as null.' CODEC(ZSTD(1)),
    `segments` Map(LowCardinality(String), String) COMMENT 'Slices the prediction belongs to, as the event names them; docs/segments.md says which are counted.' CODEC(ZSTD(1)),
    `score` Nullable(Float64) COMMENT 'Score or probability in the model''s own unit.' CODEC(ZSTD(1)),
    `predicted` LowCardinality(String) COMMENT 'Predicted class; empty for a regression.',
    `predicted_value` Nullable(Float64) COMMENT 'Predicted number of a regression.' CODEC(ZSTD(1)),
    `latency_ms` Nullable(Float64) COMMENT 'Latency of the answer in milliseconds.' CODEC(ZSTD(1)),
    `status` LowCardinality(String) COMMENT 'ok, or the producer''s error class.',
    `weight` Float64 COMMENT 'Requests this row stands for, 1 to 1e9; 1 unless the producer samples. Counts take it as a whole number: rounded up by chance where xxHash64(prediction_id) says so, so that they are right on average.' CODEC(ZSTD(1)),
    `propensity` Nullable(Float64) COMMENT 'Probability with which the prediction is given a label, 1e-9 to 1, where the producer sends it; null where it does not. Labels are weighed by it where only some predictions ever get one.' CODEC(ZSTD(1)),
    `disagreement` Nullable(Float64) COMMENT 'How far the members of an ensemble are from one answer: of votes the share that differ from the most frequent class, of scores their variance, else as the producer sends it; null where it tells of no ensemble.' CODEC(ZSTD(1)),
    `explained` Nullable(Float64) COMMENT '1 if the prediction carries an explanation, 0 if it has none, null where its producer does not say. The explanation itself is not stored.' CODEC(ZSTD(1)),
    `half` LowCardinality(String) COMMENT 'request or response where the two come apart, under one prediction_id: see the view predictions_whole. Empty: the row is both.',
    `known` DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the record: when the event became known.' CODEC(Delta, ZSTD(1)),
    `_topic` LowCardinality(String) COMMENT 'Kafka topic of the record.',
    `_epoch` LowCardinality(String) COMMENT 'Epoch of the topic partition: a recreated topic has another.',
    `_partition` Int32 COMMENT 'Kafka partition of the record.',
    `_offset` Int64 COMMENT 'Kafka offset of the record.' CODEC(Delta, ZSTD(1)),
    INDEX known_range known TYPE minmax GRANULARITY 1,
    INDEX offset_range _offset TYPE minmax GRANULARITY 1,
    PROJECTION by_id (SELECT model, prediction_id, ts, deploy_hash, stage, predicted, predicted_value, score, weight, propensity, half, segments, known, _topic, _epoch, _partition, _offset ORDER BY model, prediction_id)
)
ENGINE = ReplicatedMergeTree()
PARTITION BY toDate(ts)
ORDER BY (model, ts, prediction_id)
TTL toDateTime(`ts`) + toIntervalDay(90)
SETTINGS replicated_deduplication_window = 10000, min_bytes_for_wide_part = 134217728
COMMENT 'Every delivered prediction, one row a delivery.';

CREATE TABLE IF NOT EXISTS `plumbline`.`predictions` ON CLUSTER `analytics` AS `plumbline`.`predictions_local`
ENGINE = Distributed(`analytics`, `plumbline`, `predictions_local`)
COMMENT 'Every delivered prediction, one row a delivery.';

CREATE TABLE IF NOT EXISTS `plumbline`.`labels_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the label is about.',
    `prediction_id` String COMMENT 'Prediction the label is about.' CODEC(ZSTD(1)),
    `ts` DateTime64(3, 'UTC') COMMENT 'Label time: when the truth was established.' CODEC(Delta, ZSTD(1)),
    `label` LowCardinality(String) COMMENT 'True class; empty for a regression.',
    `label_value` Nullable(Float64) COMMENT 'True number of a regression.' CODEC(ZSTD(1)),
    `deleted` UInt8 COMMENT '1 if the label withdraws the ones before it.',
    `known` DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the record: when the event became known.' CODEC(Delta, ZSTD(1)),
    `_topic` LowCardinality(String) COMMENT 'Kafka topic of the record.',
    `_epoch` LowCardinality(String) COMMENT 'Epoch of the topic partition: a recreated topic has another.',
    `_partition` Int32 COMMENT 'Kafka partition of the record.',
    `_offset` Int64 COMMENT 'Kafka offset of the record.' CODEC(Delta, ZSTD(1)),
    INDEX known_range known TYPE minmax GRANULARITY 1,
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree()
PARTITION BY toYYYYMM(known)
ORDER BY (model, prediction_id, known)
TTL toDateTime(`known`) + toIntervalDay(90)
SETTINGS replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Every delivered label, append-only.';

CREATE TABLE IF NOT EXISTS `plumbline`.`labels` ON CLUSTER `analytics` AS `plumbline`.`labels_local`
ENGINE = Distributed(`analytics`, `plumbline`, `labels_local`)
COMMENT 'Every delivered label, append-only.';

CREATE TABLE IF NOT EXISTS `plumbline`.`deployments_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `ts` DateTime64(3, 'UTC') COMMENT 'When the deploy began to serve.',
    `version` String COMMENT 'Version in the registry''s words.',
    `by` String COMMENT 'Who deployed.',
    `commit` String COMMENT 'Source commit.',
    `dataset_hash` String COMMENT 'Hash of the training data: a correlation key.',
    `feature_job` String COMMENT 'Feature pipeline job: a correlation key.',
    `note` String COMMENT 'Free text.',
    `known` DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the record: when the event became known.' CODEC(Delta, ZSTD(1)),
    `_topic` LowCardinality(String) COMMENT 'Kafka topic of the record.',
    `_epoch` LowCardinality(String) COMMENT 'Epoch of the topic partition: a recreated topic has another.',
    `_partition` Int32 COMMENT 'Kafka partition of the record.',
    `_offset` Int64 COMMENT 'Kafka offset of the record.' CODEC(Delta, ZSTD(1)),
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree()
PARTITION BY toYYYYMM(ts)
ORDER BY (model, ts, deploy_hash)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Every deploy that began to serve.';

CREATE TABLE IF NOT EXISTS `plumbline`.`deployments` ON CLUSTER `analytics` AS `plumbline`.`deployments_local`
ENGINE = Distributed(`analytics`, `plumbline`, `deployments_local`)
COMMENT 'Every deploy that began to serve.';

CREATE TABLE IF NOT EXISTS `plumbline`.`kpis_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model whose users the figure is about.',
    `name` LowCardinality(String) COMMENT 'Figure, for example revenue or complaints.',
    `segment` LowCardinality(String) COMMENT 'Slice the reading is about, as the producer names it, for example region=eu; empty for all traffic.',
    `ts` DateTime64(3, 'UTC') COMMENT 'When the reading was taken.' CODEC(Delta, ZSTD(1)),
    `value` Float64 COMMENT 'The reading, in the figure''s own unit; always finite.' CODEC(ZSTD(1)),
    `known` DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the record: when the event became known.' CODEC(Delta, ZSTD(1)),
    `_topic` LowCardinality(String) COMMENT 'Kafka topic of the record.',
    `_epoch` LowCardinality(String) COMMENT 'Epoch of the topic partition: a recreated topic has another.',
    `_partition` Int32 COMMENT 'Kafka partition of the record.',
    `_offset` Int64 COMMENT 'Kafka offset of the record.' CODEC(Delta, ZSTD(1)),
    INDEX known_range known TYPE minmax GRANULARITY 1,
    INDEX offset_range _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree()
PARTITION BY toYYYYMM(ts)
ORDER BY (model, name, segment, ts)
TTL toDateTime(`ts`) + toIntervalDay(800)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Every delivered reading of a business figure, append-only.';

CREATE TABLE IF NOT EXISTS `plumbline`.`kpis` ON CLUSTER `analytics` AS `plumbline`.`kpis_local`
ENGINE = Distributed(`analytics`, `plumbline`, `kpis_local`)
COMMENT 'Every delivered reading of a business figure, append-only.';

CREATE TABLE IF NOT EXISTS `plumbline`.`series_minute_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `segment` LowCardinality(String) COMMENT 'Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of.',
    `series` LowCardinality(String) COMMENT 'requests, score, predicted_value, latency_ms, disagreement, explained or feature:NAME. A row of model '''' marks what is stored of the source that series then names, see ingest.',
    `grid` LowCardinality(String) COMMENT 'Grid version of the buckets; different versions never merge.',
    `time` DateTime('UTC') COMMENT 'Start of the minute, event time.',
    `count` SimpleAggregateFunction(sum, UInt64) COMMENT 'Requests that carry a finite value (requests: all of them): each delivery as often as its weight says.',
    `rows` SimpleAggregateFunction(sum, UInt64) DEFAULT count COMMENT 'Deliveries that count was counted from; less than count where producers sample. nulls, nans, infs, sum_nano and hist count requests like count.',
    `nulls` SimpleAggregateFunction(sum, UInt64) COMMENT 'Values sent as null, where the source can tell; ingest counts the nulls of a feature in categories_hour with kind 1 and nothing here, since a null has no type.',
    `nans` SimpleAggregateFunction(sum, UInt64) COMMENT 'NaN values.',
    `infs` SimpleAggregateFunction(sum, UInt64) COMMENT 'Values with no place on the grid or in the sum: infinite, over 1e18 in magnitude, or a probability outside 0 to 1.',
    `sum_nano` SimpleAggregateFunction(sum, Int128) COMMENT 'Sum of the finite values, fixed point in units of 1e-9.',
    `min` SimpleAggregateFunction(min, Float64) COMMENT 'Least finite value; +inf where there is none.',
    `max` SimpleAggregateFunction(max, Float64) COMMENT 'Greatest finite value; -inf where there is none. In a row of model '''' the last Kafka offset stored.',
    `hist` SimpleAggregateFunction(sumMap, Tuple(Array(Int32), Array(UInt64))) COMMENT 'Sorted grid buckets and their counts; by minute only score and latency, on the coarse grid.' CODEC(T64, LZ4)
)
ENGINE = ReplicatedAggregatingMergeTree()
PARTITION BY toYYYYMM(time)
ORDER BY (model, series, time, deploy_hash, stage, segment, grid)
TTL toDateTime(`time`) + toIntervalDay(400)
SETTINGS replicated_deduplication_window = 10000, index_granularity_bytes = 262144
COMMENT 'Rollup of every numeric series by minute, on the one grid; rows of one key add up.';

CREATE TABLE IF NOT EXISTS `plumbline`.`series_minute` ON CLUSTER `analytics` AS `plumbline`.`series_minute_local`
ENGINE = Distributed(`analytics`, `plumbline`, `series_minute_local`)
COMMENT 'Rollup of every numeric series by minute, on the one grid; rows of one key add up.';

CREATE TABLE IF NOT EXISTS `plumbline`.`series_hour_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `segment` LowCardinality(String) COMMENT 'Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of.',
    `series` LowCardinality(String) COMMENT 'requests, score, predicted_value, latency_ms, disagreement, explained or feature:NAME. A row of model '''' marks what is stored of the source that series then names, see ingest.',
    `grid` LowCardinality(String) COMMENT 'Grid version of the buckets; different versions never merge.',
    `time` DateTime('UTC') COMMENT 'Start of the hour, event time.',
    `count` SimpleAggregateFunction(sum, UInt64) COMMENT 'Requests that carry a finite value (requests: all of them): each delivery as often as its weight says.',
    `rows` SimpleAggregateFunction(sum, UInt64) DEFAULT count COMMENT 'Deliveries that count was counted from; less than count where producers sample. nulls, nans, infs, sum_nano and hist count requests like count.',
    `nulls` SimpleAggregateFunction(sum, UInt64) COMMENT 'Values sent as null, where the source can tell; ingest counts the nulls of a feature in categories_hour with kind 1 and nothing here, since a null has no type.',
    `nans` SimpleAggregateFunction(sum, UInt64) COMMENT 'NaN values.',
    `infs` SimpleAggregateFunction(sum, UInt64) COMMENT 'Values with no place on the grid or in the sum: infinite, over 1e18 in magnitude, or a probability outside 0 to 1.',
    `sum_nano` SimpleAggregateFunction(sum, Int128) COMMENT 'Sum of the finite values, fixed point in units of 1e-9.',
    `min` SimpleAggregateFunction(min, Float64) COMMENT 'Least finite value; +inf where there is none.',
    `max` SimpleAggregateFunction(max, Float64) COMMENT 'Greatest finite value; -inf where there is none. In a row of model '''' the last Kafka offset stored.',
    `hist` SimpleAggregateFunction(sumMap, Tuple(Array(Int32), Array(UInt64))) COMMENT 'Sorted grid buckets and their counts; by minute only score and latency, on the coarse grid.' CODEC(T64, LZ4)
)
ENGINE = ReplicatedAggregatingMergeTree()
PARTITION BY toYYYYMM(time)
ORDER BY (model, series, time, deploy_hash, stage, segment, grid)
TTL toDateTime(`time`) + toIntervalDay(800)
SETTINGS replicated_deduplication_window = 10000, index_granularity_bytes = 262144
COMMENT 'Rollup of every numeric series by hour, on the one grid; rows of one key add up.';

CREATE TABLE IF NOT EXISTS `plumbline`.`series_hour` ON CLUSTER `analytics` AS `plumbline`.`series_hour_local`
ENGINE = Distributed(`analytics`, `plumbline`, `series_hour_local`)
COMMENT 'Rollup of every numeric series by hour, on the one grid; rows of one key add up.';

CREATE TABLE IF NOT EXISTS `plumbline`.`categories_hour_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `segment` LowCardinality(String) COMMENT 'Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of.',
    `series` LowCardinality(String) COMMENT 'predicted or feature:NAME. A row of model '''' marks what is stored of the source that series then names, see ingest.',
    `time` DateTime('UTC') COMMENT 'Start of the hour, event time.',
    `value` String COMMENT 'The category, cut at 256 bytes.' CODEC(ZSTD(1)),
    `kind` UInt8 COMMENT '0 a value, 1 null, 2 other: values over the cap of a batch.',
    `count` SimpleAggregateFunction(sum, UInt64) COMMENT 'Requests with this value: each delivery as often as its weight says.',
    `rows` SimpleAggregateFunction(sum, UInt64) DEFAULT count COMMENT 'Deliveries that count was counted from; less than count where producers sample.',
    `mark` SimpleAggregateFunction(max, Float64) COMMENT 'In a row of model '''' the last Kafka offset stored; 0 elsewhere.'
)
ENGINE = ReplicatedAggregatingMergeTree()
PARTITION BY toYYYYMM(time)
ORDER BY (model, series, time, deploy_hash, stage, segment, value, kind)
TTL toDateTime(`time`) + toIntervalDay(800)
SETTINGS replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Rollup of every categorical series by hour: a count a value; rows of one key add up.';

CREATE TABLE IF NOT EXISTS `plumbline`.`categories_hour` ON CLUSTER `analytics` AS `plumbline`.`categories_hour_local`
ENGINE = Distributed(`analytics`, `plumbline`, `categories_hour_local`)
COMMENT 'Rollup of every categorical series by hour: a count a value; rows of one key add up.';

CREATE TABLE IF NOT EXISTS `plumbline`.`batches_local` ON CLUSTER `analytics`
(
    `topic` LowCardinality(String) COMMENT 'Kafka topic.',
    `epoch` LowCardinality(String) COMMENT 'Epoch of the topic partition.',
    `partition` Int32 COMMENT 'Kafka partition.',
    `first` Int64 COMMENT 'First offset of the batch.',
    `last` Int64 COMMENT 'Last offset of the batch, inclusive.',
    `table` LowCardinality(String) COMMENT 'Table that is complete for the range.',
    `rows` UInt64 COMMENT 'Rows the batch put into the table. Fewer in predictions than events - dead: raw rows were left out, all of a batch because the disk was nearly full or some because the privacy policy samples. They are in the rollups and cannot be joined with labels.',
    `events` UInt64 COMMENT 'Events of the batch that the table''s rows are made of, and those that were refused; records that hold no event of ours are none.',
    `dead` UInt64 COMMENT 'Events that went to the dead letters.',
    `plan` LowCardinality(String) COMMENT 'Hash of decoder, schema, mapping and PII settings; behind a + that of the declared segments, if there are any.',
    `known_min` DateTime64(3, 'UTC') COMMENT 'Least Kafka timestamp of the batch.',
    `known_max` DateTime64(3, 'UTC') COMMENT 'Greatest Kafka timestamp of the batch.',
    `stored` DateTime64(3, 'UTC') COMMENT 'Wall clock at which the batch was complete.',
    `ts_min` DateTime64(3, 'UTC') COMMENT 'Least event time of the batch''s rows; 1970 without rows, and where they were finished from raw rows in SQL.',
    `ts_max` DateTime64(3, 'UTC') COMMENT 'Greatest event time of the batch''s rows; likewise.',
    INDEX stored_range stored TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree()
ORDER BY (topic, epoch, partition, first, last, table)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'One row a stored batch and table, written last: what is complete.';

CREATE TABLE IF NOT EXISTS `plumbline`.`batches` ON CLUSTER `analytics` AS `plumbline`.`batches_local`
ENGINE = Distributed(`analytics`, `plumbline`, `batches_local`)
COMMENT 'One row a stored batch and table, written last: what is complete.';

CREATE TABLE IF NOT EXISTS `plumbline`.`epochs_local` ON CLUSTER `analytics`
(
    `topic` LowCardinality(String) COMMENT 'Kafka topic.',
    `partition` Int32 COMMENT 'Kafka partition.',
    `epoch` LowCardinality(String) COMMENT 'Epoch: hex of the fingerprint''s hash.',
    `offset` Int64 COMMENT 'Offset of the fingerprinted record.',
    `record_time` DateTime64(3, 'UTC') COMMENT 'Timestamp of the fingerprinted record.',
    `crc` Int64 COMMENT 'CRC-32C of the fingerprinted record''s key and value.',
    `seen` DateTime64(3, 'UTC') COMMENT 'Wall clock at which it was first seen.'
)
ENGINE = ReplicatedMergeTree()
ORDER BY (topic, partition, seen)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Fingerprint of each topic partition at first sight: a recreated topic gets another epoch.';

CREATE TABLE IF NOT EXISTS `plumbline`.`epochs` ON CLUSTER `analytics` AS `plumbline`.`epochs_local`
ENGINE = Distributed(`analytics`, `plumbline`, `epochs_local`)
COMMENT 'Fingerprint of each topic partition at first sight: a recreated topic gets another epoch.';

CREATE TABLE IF NOT EXISTS `plumbline`.`outcomes_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `prediction_id` String COMMENT 'Prediction. Once its rows were erased, erased/ and the Kafka position of its first label.' CODEC(ZSTD(1)),
    `ts` DateTime64(3, 'UTC') COMMENT 'Event time of the prediction.' CODEC(Delta, ZSTD(1)),
    `known` DateTime64(3, 'UTC') COMMENT 'When the label became known (Kafka timestamp; never before the prediction''s).' CODEC(Delta, ZSTD(1)),
    `label_topic` LowCardinality(String) COMMENT 'Kafka topic of the label.',
    `label_partition` Int32 COMMENT 'Kafka partition of the label.',
    `label_offset` Int64 COMMENT 'Kafka offset of the label.',
    `predicted` LowCardinality(String) COMMENT 'Predicted class.',
    `label` LowCardinality(String) COMMENT 'True class by this label.',
    `predicted_value` Nullable(Float64) COMMENT 'Predicted number of a regression.',
    `label_value` Nullable(Float64) COMMENT 'True number of a regression.',
    `score` Nullable(Float64) COMMENT 'Score of the prediction.',
    `labelled` Int8 COMMENT 'Change in the number of labelled predictions: 1 for the first label, 0 for a correction, -1 for a deletion.',
    `correct` Int8 COMMENT 'Change in the number of correct predictions: 1, 0 or -1.',
    `requests` UInt64 DEFAULT 1 COMMENT 'Requests that the prediction stands for by its weight: what labelled and correct are multiplied with in outcome_cells.',
    `propensity` Nullable(Float64) COMMENT 'Probability with which the prediction is given a label, as it was sent; null where it was not.',
    `held` Int8 COMMENT '1 if the prediction had a label before this one became known. All rows of a delivery that does not count have 0 here and in holds.',
    `former` LowCardinality(String) COMMENT 'Class of the label that counted before; empty without one.',
    `former_value` Nullable(Float64) COMMENT 'Number of the label that counted before.',
    `holds` Int8 COMMENT '1 if the prediction has a label since this one became known: labelled is holds - held.',
    `truth` LowCardinality(String) COMMENT 'Class of the label that counts since, the greatest by label time, topic, partition and offset; empty without one. It is not label where this label is older than another.',
    `truth_value` Nullable(Float64) COMMENT 'Number of the label that counts since.',
    `segments` Array(LowCardinality(String)) COMMENT 'Declared segments that the row counts in, as key=value; of a delivery that does not count, those of all deliveries.',
    `version` UInt64 COMMENT 'Rows of labels and predictions this row was computed from; it only grows.'
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toDate(ts)
ORDER BY (model, ts, prediction_id, known, label_topic, label_partition, label_offset, deploy_hash, stage)
TTL toDateTime(`ts`) + toIntervalDay(90)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'One row a label that changed what is known of a prediction; the greatest version replaces the others.';

CREATE TABLE IF NOT EXISTS `plumbline`.`outcomes` ON CLUSTER `analytics` AS `plumbline`.`outcomes_local`
ENGINE = Distributed(`analytics`, `plumbline`, `outcomes_local`)
COMMENT 'One row a label that changed what is known of a prediction; the greatest version replaces the others.';

CREATE TABLE IF NOT EXISTS `plumbline`.`outcome_cells_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `segment` LowCardinality(String) COMMENT 'Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of.',
    `time` DateTime('UTC') COMMENT 'Minute of the prediction, event time.',
    `known` DateTime('UTC') COMMENT 'Hour in which the labels became known.',
    `labelled` Int64 COMMENT 'Labelled requests gained in that hour: each prediction as often as its weight says.',
    `correct` Int64 COMMENT 'Correct requests gained in that hour.',
    `rows` Int64 DEFAULT labelled COMMENT 'Predictions that labelled was counted from; less than labelled where producers sample.',
    `squares` Int128 DEFAULT labelled COMMENT 'Sum of the squares of the requests that each prediction stands for: labelled^2 / squares is how many equal ones they are worth (Kish 1965).',
    `weighed` Int64 COMMENT 'Predictions of rows that have a propensity; the columns behind are sums over them.',
    `inverse_nano` Int128 COMMENT 'Sum of w = requests / propensity, at most 1e9 each, in units of 1e-9: the predictions that these labels stand for (Horvitz & Thompson 1952).',
    `inverse_correct_nano` Int128 COMMENT 'Sum of w over the correct ones; over inverse_nano it is the weighted accuracy (Hajek 1971).',
    `inverse_squared_nano` Int128 COMMENT 'Sum of w^2 in units of 1e-9.',
    `inverse_correct_squared_nano` Int128 COMMENT 'Sum of w^2 over the correct ones, in units of 1e-9.',
    `version` UInt64 COMMENT 'Sum of the versions of all outcomes of the minute and the hour of knowing, in whichever segment; it only grows.'
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (model, time, known, deploy_hash, stage, segment)
TTL toDateTime(`time`) + toIntervalDay(800)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Outcomes counted by minute of the prediction and hour in which they became known; the greatest version replaces the others. State as known at T is the sum of the cells known by T.';

CREATE TABLE IF NOT EXISTS `plumbline`.`outcome_cells` ON CLUSTER `analytics` AS `plumbline`.`outcome_cells_local`
ENGINE = Distributed(`analytics`, `plumbline`, `outcome_cells_local`)
COMMENT 'Outcomes counted by minute of the prediction and hour in which they became known; the greatest version replaces the others. State as known at T is the sum of the cells known by T.';

CREATE TABLE IF NOT EXISTS `plumbline`.`outcome_hours_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `segment` LowCardinality(String) COMMENT 'Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of.',
    `time` DateTime('UTC') COMMENT 'Hour of the prediction, event time.',
    `known` DateTime('UTC') COMMENT 'Hour in which the labels became known.',
    `predicted` LowCardinality(String) COMMENT 'Predicted class; empty for a regression, where none was given, or over the cap.',
    `label` LowCardinality(String) COMMENT 'True class; empty for a regression or over the cap.',
    `other` UInt8 COMMENT 'Bit 1: the predicted class is over the cap, bit 2: the true class is. The 20 classes with most changes of the hour, deploy, stage and hour of knowing are counted apart, of equal ones the first by name. Of models with more classes, what is counted under a name is a lower bound where there is other.',
    `grid` LowCardinality(String) COMMENT 'Grid of scores: o8 for probabilities, f8 for scores of models whose score_kinds says number; empty where none of the row''s scores is on one.',
    `count` Int64 COMMENT 'Labelled requests gained in that hour.',
    `correct` Int64 COMMENT 'Correct requests gained in that hour: count where both classes have names and are equal, which of other nothing else tells.',
    `rows` Int64 COMMENT 'Predictions that count was counted from.',
    `squares` Int128 COMMENT 'Sum of the squares of the requests that each prediction stands for.',
    `weighed` Int64 COMMENT 'Predictions of rows that have a propensity.',
    `inverse_nano` Int128 COMMENT 'Sum of w = requests / propensity over them, as in outcome_cells.',
    `inverse_squared_nano` Int128 COMMENT 'Sum of w^2 over them, in units of 1e-9.',
    `scored` Int64 COMMENT 'Requests whose score f is on the grid; the next ten columns are about them, and those with log and gap only about probabilities.',
    `hist` Tuple(Array(Int32), Array(Int64)) COMMENT 'Sorted grid buckets of scores and the change of their counts.' CODEC(ZSTD(1)),
    `score_nano` Int128 COMMENT 'Sum of f, in units of 1e-9.',
    `log_nano` Int128 COMMENT 'Sum of -ln f, f not below 1e-15: the log loss if label is the positive class; in units of 1e-9.',
    `log_squared_nano` Int128 COMMENT 'Sum of (ln f)^2.',
    `log_not_nano` Int128 COMMENT 'Sum of -ln(1-f), 1-f not below 1e-15: the log loss if label is not the positive class.',
    `log_not_squared_nano` Int128 COMMENT 'Sum of (ln(1-f))^2.',
    `gap_squared_nano` Int128 COMMENT 'Sum of (1-f)^2: the Brier score if label is the positive class.',
    `gap_fourth_nano` Int128 COMMENT 'Sum of (1-f)^4, its square.',
    `gap_not_squared_nano` Int128 COMMENT 'Sum of f^2: the Brier score if label is not the positive class.',
    `gap_not_fourth_nano` Int128 COMMENT 'Sum of f^4, its square.',
    `errors` Int64 COMMENT 'Requests of a regression with an error e = predicted_value - y, y the true number, both at most 1e12 in magnitude; all columns behind are sums over them, in units of 1e-18.',
    `error_atto` Int256 COMMENT 'Sum of e.',
    `absolute_atto` Int256 COMMENT 'Sum of |e|. A pinball loss of any quantile q is q times the sum of negative errors and 1-q times that of positive ones, which these two tell.',
    `squared_atto` Int256 COMMENT 'Sum of e^2.',
    `signed_squared_atto` Int256 COMMENT 'Sum of e|e|: tells the squares of negative and of positive errors.',
    `fourth_atto` Int256 COMMENT 'Sum of e^4.',
    `relative` Int64 COMMENT 'Requests with a relative error |e/y| of at most 1e12; the others have a truth of 0, or next to it.',
    `relative_atto` Int256 COMMENT 'Sum of |e/y|.',
    `relative_squared_atto` Int256 COMMENT 'Sum of (e/y)^2.',
    `truth_atto` Int256 COMMENT 'Sum of y.',
    `truth_squared_atto` Int256 COMMENT 'Sum of y^2.',
    `truth_third_atto` Int256 COMMENT 'Sum of y^3.',
    `truth_fourth_atto` Int256 COMMENT 'Sum of y^4.',
    `truth_error_atto` Int256 COMMENT 'Sum of y e^2.',
    `truth_squared_error_atto` Int256 COMMENT 'Sum of y^2 e^2.',
    `version` UInt64 COMMENT 'Sum of the versions of all outcomes of the hour and the hour of knowing, in whichever segment; it only grows.'
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (model, time, known, deploy_hash, stage, segment, predicted, label, other, grid)
TTL toDateTime(`time`) + toIntervalDay(800)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Outcomes counted by hour of the prediction, hour in which they became known, predicted and true class: the confusion matrix, scores by true class, per-event losses and errors. The greatest version replaces the others. State as known at T is the sum of the rows known by T. Every sum is over requests: a prediction adds as often as its weight says.';

CREATE TABLE IF NOT EXISTS `plumbline`.`outcome_hours` ON CLUSTER `analytics` AS `plumbline`.`outcome_hours_local`
ENGINE = Distributed(`analytics`, `plumbline`, `outcome_hours_local`)
COMMENT 'Outcomes counted by hour of the prediction, hour in which they became known, predicted and true class: the confusion matrix, scores by true class, per-event losses and errors. The greatest version replaces the others. State as known at T is the sum of the rows known by T. Every sum is over requests: a prediction adds as often as its weight says.';

CREATE TABLE IF NOT EXISTS `plumbline`.`score_cells_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `strata` LowCardinality(String) COMMENT 'Definition of the strata and of the two classes of a binary model, such as number:lead_time:7,30|no,yes; rows of different ones never add up.',
    `time` DateTime('UTC') COMMENT 'Start of the hour of the prediction, event time.',
    `known` DateTime('UTC') COMMENT 'Start of the hour in which the labels became known; 1970 in rows that count predictions.',
    `stratum` Int32 COMMENT 'Number of the stratum, from 0; -1 and -2 mark what is complete and count nothing.',
    `predicted` LowCardinality(String) COMMENT 'Predicted class of a model of two classes; empty for others.',
    `bucket` Int32 COMMENT 'Of a probability its log odds in quarters, -28 to 28; of another number 1000 and more, or -1000 and less, in quarters of an octave; -100000 without one.',
    `delay` Int32 COMMENT 'Delay of the labels in quarters of an octave of a second up to 57, about six hours, 58 beyond; -1 in rows that count predictions.',
    `predictions` Int64 COMMENT 'Distinct predictions, whatever their weight.',
    `requests` Int64 DEFAULT predictions COMMENT 'Requests that those stand for: each as often as its weight says. More than predictions where producers sample; rows of versions without this column and the five like it weigh each prediction 1.',
    `squares` Int128 DEFAULT predictions COMMENT 'Sum of the squares of the requests that each prediction stands for.',
    `score` Float64 COMMENT 'Sum over requests of the scores, or of the predicted numbers of a regression.',
    `labelled` Int64 COMMENT 'Labelled predictions gained in that hour.',
    `labelled_requests` Int64 DEFAULT labelled COMMENT 'Requests that those stand for.',
    `labelled_squares` Int128 DEFAULT labelled COMMENT 'Sum of the squares of the requests that each of them stands for.',
    `correct` Int64 COMMENT 'Correct predictions gained in that hour.',
    `correct_requests` Int64 DEFAULT correct COMMENT 'Requests that those stand for.',
    `correct_squares` Int128 DEFAULT correct COMMENT 'Sum of the squares of the requests that each of them stands for.',
    `loss` Float64 COMMENT 'Sum over requests of the absolute errors of a regression, by the label that counts: a change when one is corrected or withdrawn.',
    `loss_squares` Float64 COMMENT 'Sum over requests of their squares.',
    `source` UInt64 COMMENT 'In a mark: what was counted or summed of the sources when the hour was computed; another value there has it computed again. Its highest bit says that the predictions stand for more requests than they are, and that each was weighed.',
    `version` UInt64 COMMENT 'Wall clock of the computation in nanoseconds.'
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (model, strata, time, known, deploy_hash, stage, stratum, predicted, bucket, delay)
TTL toDateTime(`time`) + toIntervalDay(800)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Predictions and their outcomes by hour of the prediction, stratum of what drives the delay of labels, class and bucket of the score, and hour in which labels became known; the greatest version replaces the others. Sums of the rows known by T are the state as known at T.';

CREATE TABLE IF NOT EXISTS `plumbline`.`score_cells` ON CLUSTER `analytics` AS `plumbline`.`score_cells_local`
ENGINE = Distributed(`analytics`, `plumbline`, `score_cells_local`)
COMMENT 'Predictions and their outcomes by hour of the prediction, stratum of what drives the delay of labels, class and bucket of the score, and hour in which labels became known; the greatest version replaces the others. Sums of the rows known by T are the state as known at T.';

CREATE TABLE IF NOT EXISTS `plumbline`.`days_by_id_local` ON CLUSTER `analytics`
(
    `id_day` UInt64 COMMENT 'The upper 48 bits of cityHash64(model, prediction_id), and below them the day, since 1970, in which a prediction of that identifier has its event time.' CODEC(NONE)
)
ENGINE = ReplicatedReplacingMergeTree()
PRIMARY KEY (bitShiftRight(id_day, 16))
ORDER BY (bitShiftRight(id_day, 16), id_day)
TTL toDateTime(toDateTime(toDate(toUInt16(bitAnd(id_day, 65535))) + 1, 'UTC')) + toIntervalDay(90)
SETTINGS replicated_deduplication_window = 10000, index_granularity = 256, min_compress_block_size = 2048, max_compress_block_size = 2048, min_age_to_force_merge_seconds = 86400
COMMENT 'The days in which an identifier has predictions: where the join looks for those that a label is about. It may name a day too many, never one too few of what by_id_cursor covers.';

CREATE TABLE IF NOT EXISTS `plumbline`.`days_by_id` ON CLUSTER `analytics` AS `plumbline`.`days_by_id_local`
ENGINE = Distributed(`analytics`, `plumbline`, `days_by_id_local`)
COMMENT 'The days in which an identifier has predictions: where the join looks for those that a label is about. It may name a day too many, never one too few of what by_id_cursor covers.';

CREATE TABLE IF NOT EXISTS `plumbline`.`labels_by_id_local` ON CLUSTER `analytics`
(
    `id_day` UInt64 COMMENT 'The upper 48 bits of cityHash64(model, prediction_id), and below them the day, since 1970, in which a label of that identifier became known. Two labels have two rows.' CODEC(NONE)
)
ENGINE = ReplicatedMergeTree()
PRIMARY KEY (bitShiftRight(id_day, 16))
ORDER BY (bitShiftRight(id_day, 16), id_day)
TTL toDateTime(toDateTime(toDate(toUInt16(bitAnd(id_day, 65535))) + 1, 'UTC')) + toIntervalDay(90)
SETTINGS replicated_deduplication_window = 10000, index_granularity = 256, min_compress_block_size = 2048, max_compress_block_size = 2048, min_age_to_force_merge_seconds = 86400
COMMENT 'Of which identifiers there are labels: tells the join for which of them it has to look, beside those that are new. It may name one too many, never one too few of what by_id_cursor covers.';

CREATE TABLE IF NOT EXISTS `plumbline`.`labels_by_id` ON CLUSTER `analytics` AS `plumbline`.`labels_by_id_local`
ENGINE = Distributed(`analytics`, `plumbline`, `labels_by_id_local`)
COMMENT 'Of which identifiers there are labels: tells the join for which of them it has to look, beside those that are new. It may name one too many, never one too few of what by_id_cursor covers.';

CREATE TABLE IF NOT EXISTS `plumbline`.`join_cursor_local` ON CLUSTER `analytics`
(
    `topic` LowCardinality(String) COMMENT 'Kafka topic.',
    `epoch` LowCardinality(String) COMMENT 'Epoch of the topic partition.',
    `partition` Int32 COMMENT 'Kafka partition.',
    `done` Int64 COMMENT 'Every offset up to and including this one is joined.'
)
ENGINE = ReplicatedReplacingMergeTree(done)
ORDER BY (topic, epoch, partition)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'How far the join has followed each topic partition.';

CREATE TABLE IF NOT EXISTS `plumbline`.`join_cursor` ON CLUSTER `analytics` AS `plumbline`.`join_cursor_local`
ENGINE = Distributed(`analytics`, `plumbline`, `join_cursor_local`)
COMMENT 'How far the join has followed each topic partition.';

CREATE TABLE IF NOT EXISTS `plumbline`.`by_id_cursor_local` ON CLUSTER `analytics`
(
    `topic` LowCardinality(String) COMMENT 'Kafka topic.',
    `epoch` LowCardinality(String) COMMENT 'Epoch of the topic partition.',
    `partition` Int32 COMMENT 'Kafka partition.',
    `done` Int64 COMMENT 'Every prediction up to and including this offset is in days_by_id, and every label in labels_by_id.'
)
ENGINE = ReplicatedReplacingMergeTree(done)
ORDER BY (topic, epoch, partition)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'How far days_by_id and labels_by_id have followed each topic partition.';

CREATE TABLE IF NOT EXISTS `plumbline`.`by_id_cursor` ON CLUSTER `analytics` AS `plumbline`.`by_id_cursor_local`
ENGINE = Distributed(`analytics`, `plumbline`, `by_id_cursor_local`)
COMMENT 'How far days_by_id and labels_by_id have followed each topic partition.';

CREATE TABLE IF NOT EXISTS `plumbline`.`join_members_local` ON CLUSTER `analytics`
(
    `member` LowCardinality(String) COMMENT 'Process, by a name it drew when it started.',
    `seen` DateTime64(3, 'UTC') COMMENT 'ClickHouse''s clock when it was last there.',
    `gone` UInt8 COMMENT '1 if it ended then.'
)
ENGINE = ReplicatedReplacingMergeTree(seen)
ORDER BY (member)
TTL toDateTime(`seen`) + toIntervalDay(90)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Processes that join, and when each was last there: they share the topic partitions by it. It decides who works, never what is right.';

CREATE TABLE IF NOT EXISTS `plumbline`.`join_members` ON CLUSTER `analytics` AS `plumbline`.`join_members_local`
ENGINE = Distributed(`analytics`, `plumbline`, `join_members_local`)
COMMENT 'Processes that join, and when each was last there: they share the topic partitions by it. It decides who works, never what is right.';

CREATE TABLE IF NOT EXISTS `plumbline`.`findings_local` ON CLUSTER `analytics`
(
    `at` DateTime64(3, 'UTC') COMMENT 'Wall clock at which it was computed.' CODEC(Delta, ZSTD(1)),
    `signal` LowCardinality(String) COMMENT 'Signal of the catalogue.',
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `stage` LowCardinality(String) COMMENT 'production, canary, shadow or training.',
    `segment` LowCardinality(String) COMMENT 'Marginal slice; empty for all traffic.',
    `feature` LowCardinality(String) COMMENT 'Feature, for drift and data quality; score, predicted, predicted_value, label or label_value for drift of what is not a feature.',
    `slo` LowCardinality(String) COMMENT 'Service level objective, for burn rates.',
    `reference` LowCardinality(String) COMMENT 'What it is compared with, for drift and data quality: training, previous-deploy, week-before and so on; of a share of a composite''s burn its part.',
    `window` LowCardinality(String) COMMENT 'Length of the window, for example 1h.',
    `window_end` DateTime64(3, 'UTC') COMMENT 'End of the window, event time.',
    `measure` LowCardinality(String) COMMENT 'Measure, for example psi, null_share or accuracy.',
    `value` Float64 COMMENT 'The number; NaN where nothing can be said.',
    `null_mean` Float64 DEFAULT nan COMMENT 'What value would be on average if nothing had changed, for samples of these sizes; NaN where there is no such thing.',
    `low` Float64 COMMENT 'Lower end of its 95 % interval; NaN where there is none.',
    `high` Float64 COMMENT 'Upper end of its 95 % interval; NaN where there is none.',
    `p` Float64 DEFAULT nan COMMENT 'Probability that noise alone puts value at least as far from null_mean, 0 to 1; NaN where nothing was tested.',
    `effect` Float64 DEFAULT nan COMMENT 'value without null_mean, in the unit of value; it may be negative. NaN where there is none.',
    `count` UInt64 COMMENT 'Events it was computed from.',
    `total` UInt64 COMMENT 'Of how many requests, or minutes or slices of time, a bad share of burn is the share: each delivery as often as its weight says. 0 where that is not known, or the window has none and value is that of the last minute that had any.',
    `coverage` Float64 COMMENT 'Share of the window''s predictions with a label, 0 to 1; of budget the share of the period that lies after the first that was counted. NaN where it does not apply.',
    `verdict` LowCardinality(String) COMMENT 'ok, breach, insufficient or missing. A breach is beyond noise (p) and beyond what matters (effect).',
    `assumes` String COMMENT 'What the number rests on.' CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (signal, model, deploy_hash, slo, segment, feature, window, at)
TTL toDateTime(`at`) + toIntervalDay(800)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'What the analyzers found: one table for SQL, dashboards and PromQL alike.';

CREATE TABLE IF NOT EXISTS `plumbline`.`findings` ON CLUSTER `analytics` AS `plumbline`.`findings_local`
ENGINE = Distributed(`analytics`, `plumbline`, `findings_local`)
COMMENT 'What the analyzers found: one table for SQL, dashboards and PromQL alike.';

CREATE TABLE IF NOT EXISTS `plumbline`.`drift_days_local` ON CLUSTER `analytics`
(
    `model` LowCardinality(String) COMMENT 'Model.',
    `end` DateTime64(3, 'UTC') COMMENT 'End of the day, event time.' CODEC(Delta, ZSTD(1)),
    `segment` LowCardinality(String) COMMENT 'Declared segment as key=value; empty for all traffic.',
    `series` LowCardinality(String) COMMENT 'score, predicted_value, predicted or feature:NAME; requests in the rows that say that the day was looked at: events is then its requests, or those of the training set where reference is training.',
    `reference` LowCardinality(String) COMMENT 'What the day is compared with: training, same-hours:4w and so on.',
    `measure` LowCardinality(String) COMMENT 'Measure, for example psi.',
    `version` UInt64 COMMENT 'Unix time in ms at which the day was looked at; it only grows.',
    `settings` LowCardinality(String) COMMENT 'Hash of what the rows rest on: references, measures, least effects, budget, clusters. Rows of another one are not gone on from.',
    `events` UInt64 COMMENT 'Independent events of the day.',
    `value` Float64 DEFAULT nan COMMENT 'Distance of the day, in the measure''s unit; NaN where nothing can be said.',
    `null_mean` Float64 DEFAULT nan COMMENT 'What the distance would be on average if nothing had changed.',
    `p` Float64 DEFAULT nan COMMENT 'Probability that a quiet day lies as far away; NaN where nothing was tested.',
    `evidence` Float64 DEFAULT nan COMMENT 'What has accumulated.',
    `threshold` Float64 DEFAULT nan COMMENT 'Evidence that opens a ticket.',
    `status` LowCardinality(String) COMMENT 'quiet, suspect, opened, open or insufficient.',
    `assumes` String COMMENT 'What p rests on.' CODEC(ZSTD(1)),
    `state` String COMMENT 'What the detector knows after the day, as JSON.' CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toYYYYMM(end)
ORDER BY (model, end, segment, series, reference, measure)
TTL toDateTime(`end`) + toIntervalDay(800)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'What the detectors of drift tickets saw and decided on each closed day, one row a day and stream: a service that starts goes on from the newest ones. Of a day the rows of the greatest version count, as long as no day before it has a greater one: days are looked at again, in order, when events come in late or the training set is another one.';

CREATE TABLE IF NOT EXISTS `plumbline`.`drift_days` ON CLUSTER `analytics` AS `plumbline`.`drift_days_local`
ENGINE = Distributed(`analytics`, `plumbline`, `drift_days_local`)
COMMENT 'What the detectors of drift tickets saw and decided on each closed day, one row a day and stream: a service that starts goes on from the newest ones. Of a day the rows of the greatest version count, as long as no day before it has a greater one: days are looked at again, in order, when events come in late or the training set is another one.';

CREATE TABLE IF NOT EXISTS `plumbline`.`notices_local` ON CLUSTER `analytics`
(
    `at` DateTime64(3, 'UTC') COMMENT 'Wall clock.',
    `kind` LowCardinality(String) COMMENT 'Kind, for example page_sent or partition_parked.',
    `model` LowCardinality(String) COMMENT 'Model, where one is concerned.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy, where one is concerned.',
    `slo` LowCardinality(String) COMMENT 'Service level objective, where one is concerned.',
    `object` String COMMENT 'What it is about: a topic partition, a receiver.',
    `text` String COMMENT 'One sentence for people.' CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (kind, at)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'What the service noticed about itself and did: parked partitions, new epochs, pages sent.';

CREATE TABLE IF NOT EXISTS `plumbline`.`notices` ON CLUSTER `analytics` AS `plumbline`.`notices_local`
ENGINE = Distributed(`analytics`, `plumbline`, `notices_local`)
COMMENT 'What the service noticed about itself and did: parked partitions, new epochs, pages sent.';

CREATE TABLE IF NOT EXISTS `plumbline`.`erasures_local` ON CLUSTER `analytics`
(
    `at` DateTime64(3, 'UTC') COMMENT 'Wall clock.',
    `model` LowCardinality(String) COMMENT 'Model the rows were about.',
    `table` LowCardinality(String) COMMENT 'Table they were in.',
    `rows` UInt64 COMMENT 'How many they were.',
    `ts_min` DateTime64(3, 'UTC') COMMENT 'Start of the hour of their event times; of labels, of the label times.',
    `ts_max` DateTime64(3, 'UTC') COMMENT 'End of that hour, inclusive.'
)
ENGINE = ReplicatedMergeTree()
ORDER BY (at, model, table)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'What plumbline erase has taken out of a table, by hour; never whose it was. A row is written before the rows it counts go.';

CREATE TABLE IF NOT EXISTS `plumbline`.`erasures` ON CLUSTER `analytics` AS `plumbline`.`erasures_local`
ENGINE = Distributed(`analytics`, `plumbline`, `erasures_local`)
COMMENT 'What plumbline erase has taken out of a table, by hour; never whose it was. A row is written before the rows it counts go.';

CREATE TABLE IF NOT EXISTS `plumbline`.`sli_local` ON CLUSTER `analytics`
(
    `sli` LowCardinality(String) COMMENT 'What is counted: its kind and a hash of model, segment, threshold and query. Objectives that count the same share it.',
    `model` LowCardinality(String) COMMENT 'Model the row is about.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model; empty for what is no deploy''s, such as an endpoint''s freshness.',
    `time` DateTime('UTC') COMMENT 'Start of the minute, event time.',
    `good` UInt64 COMMENT 'Good events: requests, each delivery as often as its weight says, or a minute.',
    `total` UInt64 COMMENT 'All events that could be judged.',
    `rows` UInt64 COMMENT 'Deliveries that total was counted from; less than total where producers sample.',
    `version` UInt64 COMMENT 'How far the sources were read: unix milliseconds of the newest complete batch.'
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toDate(time)
ORDER BY (sli, deploy_hash, time, model)
TTL toDateTime(`time`) + toIntervalDay(400)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Good and all events of each service level indicator by minute, counted from the exact values; the greatest version replaces the others.';

CREATE TABLE IF NOT EXISTS `plumbline`.`sli` ON CLUSTER `analytics` AS `plumbline`.`sli_local`
ENGINE = Distributed(`analytics`, `plumbline`, `sli_local`)
COMMENT 'Good and all events of each service level indicator by minute, counted from the exact values; the greatest version replaces the others.';

CREATE TABLE IF NOT EXISTS `plumbline`.`incidents_local` ON CLUSTER `analytics`
(
    `incident` String COMMENT 'Incident: the first 16 digits of its key, a dash, and when it opened in base 36.',
    `key` String COMMENT 'PagerDuty''s dedup_key, the same for every incident of a model, deploy and SLO.',
    `model` LowCardinality(String) COMMENT 'Model; empty for an incident of the service itself.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy of the model.',
    `slo` LowCardinality(String) COMMENT 'Service level objective.',
    `name` LowCardinality(String) COMMENT 'Alerting rule of the first notice.',
    `object` String COMMENT 'What an incident of the service itself is about.',
    `owner` LowCardinality(String) COMMENT 'Owner who was told.',
    `severity` LowCardinality(String) COMMENT 'Highest level that it reached: page or ticket.',
    `dataset_hash` LowCardinality(String) COMMENT 'Training set that correlates it with others; empty if none is known.',
    `feature_job` LowCardinality(String) COMMENT 'Feature pipeline job that correlates it with others; empty if none is known.',
    `opened` DateTime64(3, 'UTC') COMMENT 'When its first alert began to fire.',
    `escalated` DateTime64(3, 'UTC') COMMENT 'When its first page began to fire; 1970 for a ticket.',
    `acknowledged` DateTime64(3, 'UTC') COMMENT 'First acknowledgement at its highest level, none while the page fires again that nobody has taken; 1970 if nobody has.',
    `acknowledged_by` String COMMENT 'Who acknowledged.',
    `resolved` DateTime64(3, 'UTC') COMMENT 'When its last alert ended; 1970 while it lasts.',
    `history` String COMMENT 'What happened, oldest first: JSON objects with at, kind, channel, by, text.' CODEC(ZSTD(1)),
    `version` UInt64 COMMENT 'Wall clock of the writing in milliseconds.'
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened)
ORDER BY (model, opened, incident)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'One row an incident that people were told of; the greatest version replaces the others.';

CREATE TABLE IF NOT EXISTS `plumbline`.`incidents` ON CLUSTER `analytics` AS `plumbline`.`incidents_local`
ENGINE = Distributed(`analytics`, `plumbline`, `incidents_local`)
COMMENT 'One row an incident that people were told of; the greatest version replaces the others.';

CREATE TABLE IF NOT EXISTS `plumbline`.`ledger_local` ON CLUSTER `analytics`
(
    `alarm` String COMMENT 'Incident, or drift- and a hash of stream and day.',
    `kind` LowCardinality(String) COMMENT 'quality, drift or concept_drift.',
    `model` LowCardinality(String) COMMENT 'Model.',
    `deploy_hash` LowCardinality(String) COMMENT 'Deploy that the alarm was about; of a drift ticket the newest one.',
    `slo` LowCardinality(String) COMMENT 'Service level objective; of a drift the one that it was judged by, empty if there is none, and of suspected concept drift.',
    `segment` LowCardinality(String) COMMENT 'Declared segment; empty for all traffic.',
    `signal` LowCardinality(String) COMMENT 'Signal that fired.',
    `severity` LowCardinality(String) COMMENT 'Highest level that it reached: page or ticket.',
    `claim` String COMMENT 'What fired, in words; of an incident of drift with the name of its objective.' CODEC(ZSTD(1)),
    `opened` DateTime64(3, 'UTC') COMMENT 'When it opened.',
    `closed` DateTime64(3, 'UTC') COMMENT 'When it was over; 1970 while it lasts.',
    `window_from` DateTime64(3, 'UTC') COMMENT 'Start of the event times that it claims something about; of suspected concept drift the end of the window whose labels raised it.',
    `window_to` DateTime64(3, 'UTC') COMMENT 'Their end.',
    `truth` LowCardinality(String) COMMENT 'true if the quality of that window was outside of promised_low to promised_high, which of an objective is under its target, false if it was not, undecided as long as labels cannot tell.',
    `reason` String COMMENT 'Why it is undecided or, of a decision though labels are missing, that they cannot change it; else empty.' CODEC(ZSTD(1)),
    `target` Float64 COMMENT 'Target of the objective, or what scores promised of the window; NaN where there is none to judge by.',
    `promised_low` Float64 DEFAULT nan COMMENT 'Least quality that makes the alarm wrong: that target, or the lower end of the 95 % interval of what scores promised. NaN without one, and in rows of versions before there was the column.',
    `promised_high` Float64 DEFAULT nan COMMENT 'Greatest quality that makes it wrong: 1 of an objective, or the upper end of that interval.',
    `quality` Float64 COMMENT 'Share of correct predictions among those labelled, or their mean absolute error where scores promised that; NaN without labels.',
    `low` Float64 COMMENT 'Lower end of where the quality of the whole window lies: the 95 % interval where labels that are in stand for those that are missing, else whatever these say.',
    `high` Float64 COMMENT 'Upper end of it; infinite for errors of which labels are missing.',
    `coverage` Float64 COMMENT 'Share of the window''s predictions with a label, 0 to 1; NaN without predictions.',
    `labelled` Int64 COMMENT 'Labelled predictions of the window.',
    `requests` Int64 COMMENT 'Predictions of the window.',
    `matured` DateTime64(3, 'UTC') COMMENT 'End of the hour in which labels first said so; 1970 while undecided.',
    `lead_s` Nullable(Float64) COMMENT 'Seconds from opened to matured of an alarm that was right: how much earlier than labels it was, negative if later.',
    `rollback_to` LowCardinality(String) COMMENT 'Earlier deploy that was brought back after the alarm; empty if none was within analyze.ledger.rollback_within.',
    `rollback_at` DateTime64(3, 'UTC') COMMENT 'When it began to serve again; 1970 if it did not.',
    `judged` DateTime64(3, 'UTC') COMMENT 'Wall clock of the judgement.',
    `version` UInt64 COMMENT 'The same in milliseconds: a later judgement replaces an earlier one.'
)
ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened)
ORDER BY (model, opened, alarm)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'One row a quality or drift alarm, suspected concept drift among them, with what labels said of it later; the greatest version replaces the others.';

CREATE TABLE IF NOT EXISTS `plumbline`.`ledger` ON CLUSTER `analytics` AS `plumbline`.`ledger_local`
ENGINE = Distributed(`analytics`, `plumbline`, `ledger_local`)
COMMENT 'One row a quality or drift alarm, suspected concept drift among them, with what labels said of it later; the greatest version replaces the others.';

