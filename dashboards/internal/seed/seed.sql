INSERT INTO deployments (model, deploy_hash, stage, ts, version, by, commit, note)
SELECT {model:String}, deploy, stage, toDateTime64({now:Int64} - age, 3), version, 'ci', substring(deploy, 1, 4), note
FROM VALUES('deploy String, stage String, age Int64, version String, note String',
  ('never', 'training', 1000000, 'v0', ''), ('never', 'shadow', 60, 'v0', ''))
UNION ALL
SELECT {model:String}, {old:String}, 'production', toDateTime64({now:Int64} - 604800, 3), 'v1', 'ci', 'c0ffee', 'monthly retrain'
UNION ALL
SELECT {model:String}, {new:String}, 'production', toDateTime64({now:Int64} - {since:Int64}, 3), 'v2', 'ana <ana@example.org>', 'beef01', 'new distance pipeline'
;
INSERT INTO series_minute (model, deploy_hash, stage, segment, series, grid, time, count)
SELECT model, deploy, 'production', segment, 'requests', 'g', time, per_minute
FROM (
  SELECT {model:String} AS model, if(number <= {since:Int64} / 60, {new:String}, {old:String}) AS deploy,
    arrayJoin(['', 'region=eu']) AS segment, toDateTime({now:Int64} - 60 * number) AS time, {per_minute:UInt64} AS per_minute
  FROM numbers(1, 1500)
  UNION ALL
  SELECT {odd:String}, 'x', '', toDateTime({now:Int64} - 60 * number), {odd_per_minute:UInt64} FROM numbers(1, 120)
)
;
INSERT INTO series_minute (model, deploy_hash, stage, segment, series, grid, time, count)
SELECT '', '', '', '', 'batch', '', toDateTime({now:Int64} - 60), 1
;
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
SELECT model, deploy_hash, stage, segment, series, grid, toStartOfHour(time) AS hour, sum(count)
FROM series_minute GROUP BY model, deploy_hash, stage, segment, series, grid, hour
;
-- The join's first sight of each cell, which the second replaces.
INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, version)
SELECT {model:String}, if(number <= {since:Int64} / 60, {new:String}, {old:String}) AS deploy, 'production', segment,
  toDateTime({now:Int64} - 60 * number) AS time, toStartOfHour(time + {delay:Int64}), 10, 0, 1
FROM numbers(1, 1500)
ARRAY JOIN [''] AS segment
WHERE 60 * number >= {delay:Int64}
;
INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, version)
SELECT {model:String}, if(number <= {since:Int64} / 60, {new:String}, {old:String}) AS deploy, 'production', segment,
  toDateTime({now:Int64} - 60 * number) AS time, toStartOfHour(time + {delay:Int64}), 10, if(segment != '', 1, if(deploy = {new:String}, 6, 9)), 2
FROM numbers(1, 1500)
ARRAY JOIN ['', 'region=eu'] AS segment
WHERE 60 * number >= {delay:Int64}
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, window_end, measure, value, low, high, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 60 - 300 * number, 3) AS at, 'burn', {model:String},
  if(300 * number < {since:Int64}, {new:String}, {old:String}) AS deploy, 'production', {slo:String}, w AS window, at, 'bad_share',
  multiIf(w = '7d', nan, deploy = {old:String}, 0.09 + 0.01 * sin(number / 9),
    w = '1h', {bad_1h:Float64} * (1 - number / 72), w = '5m', {bad_5m:Float64} * (1 - number / 90), 0.2 - number * 0.002) AS value,
  value - 0.02, value + 0.02, 500, if(w = '7d', nan, 0.62),
  multiIf(w = '7d', 'insufficient', deploy = {new:String} AND value > 0.3, 'breach', 'ok'),
  'only labels that are in are counted'
FROM numbers(0, 289)
ARRAY JOIN ['5m', '1h', '2h', '1d', '7d'] AS w
;
INSERT INTO findings (at, signal, model, stage, slo, window, window_end, measure, value, low, high, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 60 - 300 * number, 3) AS at, 'budget', {model:String}, 'production', {slo:String}, '30d', at, 'left',
  {left:Float64} + if(300 * number < {since:Int64}, number / 72, 0.6), nan, nan, 432000, 1, 'ok', 'labels that are not in yet have spent nothing'
FROM numbers(0, 289)
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, reference, window, window_end, measure, value, low, high, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 60 - 300 * number, 3) AS at, 'drift', {model:String},
  if(300 * number < {since:Int64}, {new:String}, {old:String}) AS deploy, 'production', f.1, 'training', '1h', at, 'psi',
  multiIf(f.1 = 'distance' AND deploy = {new:String}, 2.4, f.2 * (1 + 0.2 * cos(number / 7))) AS value,
  nan, nan, 720, nan, if(value > 0.25, 'breach', 'ok'), 'bins of equal mass in the training set'
FROM numbers(0, 289)
ARRAY JOIN [('distance', 0.015), ('origin', 0.06), ('destination', 0.04), ('hour', 0.11), ('weekday', 0.02)] AS f
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, window, window_end, measure, value, low, high, count, coverage, verdict)
SELECT toDateTime64({now:Int64} - 60, 3) AS at, 'quality', {model:String}, {new:String}, 'production', '1h', at, 'accuracy', nan, nan, nan, 0, 0, 'missing'
;
-- Of the declared metrics the newest deploy has too few labelled positives for
-- recall; the one before it had enough.
INSERT INTO findings (at, signal, model, deploy_hash, stage, window, window_end, measure, value, low, high, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 60 - 300 * number, 3) AS at, 'quality', {model:String}, if(300 * number < {since:Int64}, {new:String}, {old:String}) AS deploy, 'production', w, at, f.1,
  if(f.1 = 'recall' AND deploy = {new:String}, nan, f.2) AS value, value - f.3, value + f.3, 7200, 0.62,
  if(isNaN(value), 'insufficient', 'ok'), if(isNaN(value), 'too few labelled positives', 'the labels that are in are a random share of all')
FROM numbers(0, 289)
ARRAY JOIN ['1h', '6h', '1d'] AS w
ARRAY JOIN [('recall', {recall:Float64}, 0.03), ('precision', 0.74, 0.02), ('mae', {error:Float64}, 0.5), ('mcc', 0.55, 0.04), ('missed_minutes', 210, 15)] AS f
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, window, window_end, measure, value, low, high, count, coverage, verdict)
SELECT toDateTime64({now:Int64} - 600 - 3600 * number, 3) AS at, 'data_quality', {model:String}, if(3600 * number < {since:Int64}, {new:String}, {old:String}), 'production', '1h', at, 'duplicate_share', 0.002 + 0.001 * cos(number), nan, nan, 3600, nan, 'ok'
FROM numbers(0, 24)
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, reference, window, window_end, measure, value, null_mean, low, high, p, effect, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 60 - 300 * number, 3) AS at, f.1, {model:String}, if(300 * number < {since:Int64}, {new:String}, {old:String}), 'production', f.2, f.3, '1d', at, f.4,
  f.5 * (1 + 0.1 * sin(number / 11)) AS value, f.6, 0.8 * value, 1.2 * value, 0.4, value - f.6, 17280, nan, 'ok', 'events are independent'
FROM numbers(0, 289)
ARRAY JOIN [('prediction_drift', 'score', 'training', 'wasserstein_normalised', 0.02, 0.015), ('prediction_drift', 'predicted', 'same-hours:4w', 'tvd', 0.004, 0.006),
  ('label_drift', 'label', 'history', 'tvd', 0.012, 0.01), ('concept_drift', '', 'history', 'conditional_tvd', 0.02, 0.018), ('concept_drift', '', 'estimate', 'estimate_gap', -0.01, 0),
  ('data_quality', 'distance', 'training', 'null_share', 0.003, 0.002), ('fairness', 'region', 'region=us', 'equal_opportunity_gap', 0.06, 0)] AS f
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, reference, window, window_end, measure, value, null_mean, low, high, p, effect, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 3600, 3) AS at, 'drift_alarm', {model:String}, {old:String}, 'production', 'distance', 'training', '1d', at, 'psi', 0.03, nan, nan, nan, 0.2, nan, 17280, nan, 'ok', 'blocks a week apart are independent'
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, segment, feature, reference, window, window_end, measure, value, null_mean, low, high, p, effect, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 60 - 300 * number, 3) AS at, f.1, {model:String}, if(300 * number < {since:Int64}, {new:String}, {old:String}), 'production', f.2, f.3, 'past-weeks', '1d', toStartOfDay(at), f.4,
  f.5, f.6, f.5 * 0.9, f.5 * 1.1, 0.4, f.5 - f.6, 17280, nan, 'ok', 'the same hours of 8 of the 8 weeks before are alike but for what is normally distributed: no trend, no holiday'
FROM numbers(0, 289)
ARRAY JOIN [('confidence', '', '', 'mean_confidence', 0.81, 0.83), ('confidence', '', '', 'mean_entropy', 0.61, 0.58), ('confidence', '', '', 'low_confidence_share', 0.14, 0.12),
  ('kpi', '', 'rebookings', 'mean_kpi', 118, 121), ('kpi', 'region=eu', 'rebookings', 'mean_kpi', 41, 40)] AS f
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, window, window_end, measure, value, low, high, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 60 - 300 * number, 3) AS at, f.1, {model:String}, if(f.1 = 'label_arrival', '', if(300 * number < {since:Int64}, {new:String}, {old:String})), 'production', f.2, at, f.3,
  f.4 * (1 + 0.02 * sin(number / 13)) AS value, 0.9 * value, 1.1 * value, 17280, 0.3, f.5, 'labels of a stratum come alike'
FROM numbers(0, 289)
ARRAY JOIN [('label_arrival', '1h', 'arrived_share', 0.97, 'ok'), ('label_arrival', '6h', 'arrived_share', 1.01, 'ok'),
  ('label_arrival', '', 'blind', 0, 'ok'), ('maturity', '1d', 'labels_in', 0.42, 'ok'), ('maturity', '7d', 'labels_in', 0.88, 'ok'),
  ('estimated_quality', '1d', 'accuracy', 0.83, 'ok'), ('estimated_quality', '1d', 'f1', 0.71, 'insufficient'), ('estimated_quality', '1d', 'specificity', 0.88, 'ok'),
  ('estimated_quality', '1d', 'mae', {error:Float64}, 'insufficient'), ('estimated_quality', '1d', 'interval_record', 0.9, 'ok')] AS f
;
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows, sum_nano)
SELECT model, deploy_hash, stage, segment, s.1, 'f8', time, count, count, toInt128(count * s.2 * 1e9)
FROM series_hour
ARRAY JOIN [('disagreement', 0.08), ('explained', 0.97)] AS s
WHERE model = {model:String} AND series = 'requests' AND segment = ''
;
INSERT INTO ledger (alarm, kind, model, deploy_hash, slo, signal, severity, claim, opened, closed, window_from, window_to, truth, reason, target, quality, low, high, coverage, labelled, requests, matured, lead_s, rollback_to, rollback_at, judged, version)
SELECT concat('a', toString(number)), f.1, {model:String}, {old:String}, {slo:String}, f.2, f.3, f.4, toDateTime64({now:Int64} - 864000 - 86400 * number, 3), toDateTime64({now:Int64} - 860000 - 86400 * number, 3),
  toDateTime64({now:Int64} - 870000 - 86400 * number, 3), toDateTime64({now:Int64} - 864600 - 86400 * number, 3), f.5, f.6, 0.85, f.7, f.7 - 0.01, f.7 + 0.01, f.8, 700, 720,
  toDateTime64({now:Int64} - 800000 - 86400 * number, 3), f.9, f.10, toDateTime64(if(f.10 = '', 0, {now:Int64} - 850000), 3), toDateTime64({now:Int64} - 60, 3), 1
FROM numbers(0, 4)
ARRAY JOIN [[('quality', 'burn', 'page', 'bad share over its threshold in the 1h before 2026-05-10T12:00:00Z', 'true', '', 0.7, 0.97, 21600::Nullable(Float64), 'c0ffee'),
  ('quality', 'burn', 'page', 'bad share over its threshold in the 1h before 2026-05-09T12:00:00Z', 'false', '', 0.9, 0.97, NULL::Nullable(Float64), ''),
  ('drift', 'drift_alarm', 'ticket', 'psi of distance against training', 'true', '', 0.7, 0.97, 86400::Nullable(Float64), 'c0ffee'),
  ('drift', 'drift_alarm', 'ticket', 'psi of origin against training', 'undecided', '31 % of the labels are in, 90 % are needed', 0.9, 0.31, NULL::Nullable(Float64), '')][number + 1]] AS f
;
INSERT INTO notices (at, kind, model, deploy_hash, slo, object, text)
SELECT toDateTime64({now:Int64} - 1500, 3), 'alert_opened', {model:String}, {new:String}, {slo:String}, 'pagerduty', 'Page: 39 % of the last hour wrong, 1.3 times the threshold; distance moved most (PSI 2.4).'
UNION ALL
SELECT toDateTime64({now:Int64} - 4000, 3), 'partition_parked', '', '', '', 'predictions/3', 'Partition predictions/3 is parked: <script>alert(1)</script>'
;
INSERT INTO incidents (incident, key, model, deploy_hash, slo, name, owner, severity, opened, escalated, acknowledged, acknowledged_by, resolved, version)
SELECT i.1, 'k', {model:String}, i.2, {slo:String}, 'SLOBurn', 'ml-oncall', 'page', toDateTime64({now:Int64} - i.3, 3) AS opened, opened, toDateTime64(i.4, 3), i.5, toDateTime64(i.6, 3), 1
FROM (SELECT arrayJoin([('k-1', {old:String}, 864000, {now:Int64} - 863000, 'bo', {now:Int64} - 860000), ('k-2', {new:String}, 1560, {now:Int64} - 1400, 'ana <ana@example.org>', 0)]) AS i)
;
-- Outcomes by hour, of which days are made; half of the wrong answers of each class.
INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, count, correct, rows, version)
SELECT {model:String}, {old:String}, 'production', '', toStartOfHour(toDateTime({now:Int64} - 3600 * number)) AS time, time, o.1, o.2, o.3, if(o.1 = o.2, o.3, 0), o.3, 1
FROM numbers(2, 600)
ARRAY JOIN [('late', 'late', 200), ('on_time', 'on_time', 340), ('late', 'on_time', 30), ('on_time', 'late', 30)] AS o
;
-- What the debug dashboard looks at. Of Number there are the values 100 to 102, of which
-- the newest deploy makes thousands.
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows, nans, sum_nano, min, max, hist)
SELECT model, deploy_hash, stage, '', concat('feature:', {number:String}), 'f8', time, count, count, 0, toInt128(count * unit * 101e9), 100 * unit, 102 * unit,
  ([bitShiftRight(reinterpretAsUInt64(toFloat64(100 * unit)), 44), bitShiftRight(reinterpretAsUInt64(toFloat64(101 * unit)), 44), bitShiftRight(reinterpretAsUInt64(toFloat64(102 * unit)), 44)],
    [intDiv(count, 3), count - 2 * intDiv(count, 3), intDiv(count, 3)])
FROM (SELECT *, if(deploy_hash = {new:String}, {multiplied:UInt64}, 1) AS unit FROM series_hour)
WHERE model = {model:String} AND series = 'requests' AND segment = ''
;
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows, sum_nano, min, max, hist)
SELECT model, deploy_hash, stage, '', s.1, s.2, time, count, count, toInt128(count * s.3 * 1e9), s.3, s.3, ([s.4], [count])
FROM series_hour
ARRAY JOIN [('score', 'o8', 0.75, toInt32(bitShiftRight(reinterpretAsUInt64(toFloat64(3)), 44))), ('latency_ms', 'f8', 40., toInt32(bitShiftRight(reinterpretAsUInt64(toFloat64(40)), 44))),
  ('predicted_value', 'f8', 12., toInt32(bitShiftRight(reinterpretAsUInt64(toFloat64(12)), 44)))] AS s
WHERE model = {model:String} AND series = 'requests' AND segment = ''
;
INSERT INTO series_minute (model, deploy_hash, stage, segment, series, grid, time, count, rows, sum_nano, min, max, hist)
SELECT model, deploy_hash, stage, '', s.1, s.2, time, count, count, toInt128(count * s.3 * 1e9), s.3, s.3, ([s.4], [count])
FROM series_minute
ARRAY JOIN [('score', 'o5', 0.75, toInt32(bitShiftRight(reinterpretAsUInt64(toFloat64(3)), 47))), ('latency_ms', 'f5', 40., toInt32(bitShiftRight(reinterpretAsUInt64(toFloat64(40)), 47)))] AS s
WHERE model = {model:String} AND series = 'requests' AND segment = ''
;
INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count, rows)
SELECT model, deploy_hash, stage, '', concat('feature:', {category:String}), time, c.1, c.2, intDiv(count, 4), intDiv(count, 4)
FROM series_hour
ARRAY JOIN [('ATL', 0), ('ORD', 0), ('', 1), ('', 2)] AS c
WHERE model = {model:String} AND series = 'requests' AND segment = ''
;
INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, other, grid, count, correct, rows, squares, version)
SELECT {model:String}, {old:String}, 'production', segment, toStartOfHour(toDateTime({now:Int64})) - 3600 * number, toStartOfHour(toDateTime({now:Int64})), c.1, c.2, 0, '', c.3, if(c.1 = c.2, c.3, 0), c.3, c.3, 1
FROM numbers(0, 48)
ARRAY JOIN ['', 'region=eu'] AS segment
ARRAY JOIN [('late', 'late', 300), ('late', 'on time', if(number > 6 OR segment = '', 30, 200)), ('on time', 'on time', 200), ('on time', 'late', 20)] AS c
;
INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, numbers, categories, nulls, score, predicted, latency_ms, status, weight, known, _topic, _offset)
SELECT {model:String}, if(60 * number <= {since:Int64}, {new:String}, {old:String}), 'production', concat('p', toString(number)), toDateTime64({now:Int64} - 60 * number, 3),
  map({number:String}, 1010.5), map({category:String}, 'ATL'), ['hour'], 0.75, 'late', 40, if(number % 10 = 0, 'timeout', 'ok'), 1, toDateTime64({now:Int64} - 60 * number, 3), 'predictions', number
FROM numbers(1, 360)
;
INSERT INTO labels (model, prediction_id, ts, label, known, _topic, _offset)
SELECT {model:String}, concat('p', toString(number)), toDateTime64({now:Int64} - 60 * number + {delay:Int64}, 3), if(number % 3 = 0, 'on time', 'late'), toDateTime64({now:Int64} - 60 * number + {delay:Int64}, 3), 'labels', number
FROM numbers(1, 360)
WHERE 60 * number >= {delay:Int64}
;
INSERT INTO outcomes (model, deploy_hash, stage, prediction_id, ts, known, label_topic, label_offset, predicted, label, score, labelled, correct, requests, held, holds, truth, version)
SELECT {model:String}, if(60 * number <= {since:Int64}, {new:String}, {old:String}), 'production', concat('p', toString(number)), toDateTime64({now:Int64} - 60 * number, 3),
  toDateTime64({now:Int64} - 60 * number + {delay:Int64}, 3), 'labels', number, 'late', if(number % 3 = 0, 'on time', 'late') AS label, 0.75, 1, if(label = 'late', 1, 0), 1, 0, 1, label, 1
FROM numbers(1, 360)
WHERE 60 * number >= {delay:Int64}
;
INSERT INTO epochs (topic, partition, epoch, seen)
SELECT topic, 0, 'e', toDateTime64({now:Int64} - 604800, 3)
FROM (SELECT arrayJoin(['predictions', 'labels', 'silent']) AS topic)
;
INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, dead, known_min, known_max, stored)
SELECT b.1, 'e', 0, 100 * number, 100 * number + 99, b.2, 99, 100, 1, toDateTime64({now:Int64} - 70 - 600 * number, 3), toDateTime64({now:Int64} - 62 - 600 * number, 3), toDateTime64({now:Int64} - 60 - 600 * number, 3)
FROM numbers(0, 12)
ARRAY JOIN [('predictions', 'predictions'), ('predictions', 'series_hour'), ('labels', 'labels')] AS b
;
-- What the lifecycle of the model leaves behind: a training set, a canary that is right as
-- often as production was and a shadow without labels, outcomes by hour, days of drift.
INSERT INTO deployments (model, deploy_hash, stage, ts, version, by, commit, dataset_hash, note)
SELECT {model:String}, 'ca9a21', 'canary', toDateTime64({now:Int64} - 36000, 3), 'v3', 'ci', 'd00d1e', 'flights-2026-11', 'a tenth of the traffic'
;
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows, sum_nano)
SELECT {model:String}, {old:String}, 'training', '', 'requests', 'g', toStartOfHour(toDateTime({now:Int64} - 1000000)), 5000, 5000, toInt128(0)
UNION ALL
SELECT {model:String}, s.1, s.2, '', s.3, 'g', toStartOfHour(toDateTime({now:Int64} - 3600 * number)), s.4, s.4, toInt128(s.4 * s.5 * 1e9)
FROM numbers(1, 9)
ARRAY JOIN [('ca9a21', 'canary', 'requests', 72, 0.), ('5ad0e4', 'shadow', 'requests', 720, 0.), ('ca9a21', 'canary', 'latency_ms', 72, 14.), ({old:String}, 'production', 'latency_ms', 720, 12.), ({new:String}, 'production', 'latency_ms', 720, 12.), ('5ad0e4', 'shadow', 'score', 720, 0.3), ({old:String}, 'production', 'score', 720, 0.25)] AS s
;
INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count, rows)
SELECT {model:String}, s.1, s.2, '', 'predicted', toStartOfHour(toDateTime({now:Int64} - 3600 * number)), s.3, 0, s.4, s.4
FROM numbers(1, 9)
ARRAY JOIN [('ca9a21', 'canary', 'late', 18), ('ca9a21', 'canary', 'on time', 54), ({old:String}, 'production', 'late', 144), ({old:String}, 'production', 'on time', 576)] AS s
;
-- Of every hour that is over, and again under a greater version, as the join writes them.
INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, count, correct, rows, squares, version)
SELECT {model:String}, if(3600 * number <= {since:Int64}, {new:String}, {old:String}) AS deploy, 'production', segment,
  toStartOfHour(toDateTime({now:Int64} - 3600 * number)), toStartOfHour(toDateTime({now:Int64} - 3600 * number + {delay:Int64})), 'late', o.1,
  o.2, if(o.1 = 'late', o.2, 0), o.2, o.2, version
FROM numbers(1, 24)
ARRAY JOIN ['', 'region=eu'] AS segment
ARRAY JOIN [1, 2] AS version
ARRAY JOIN if(3600 * number <= {since:Int64}, [('late', 360), ('on time', 240)], [('late', 540), ('on time', 60)]) AS o
UNION ALL
SELECT {model:String}, 'ca9a21', 'canary', '', toStartOfHour(toDateTime({now:Int64} - 3600 * number)), toStartOfHour(toDateTime({now:Int64} - 3600 * number + {delay:Int64})), 'late', o.1,
  o.2, if(o.1 = 'late', o.2, 0), o.2, o.2, 1
FROM numbers(4, 6)
ARRAY JOIN [('late', 54), ('on time', 6)] AS o
;
INSERT INTO drift_days (model, end, segment, series, reference, measure, version, settings, events, value, null_mean, p, evidence, threshold, status)
SELECT {model:String}, toStartOfDay(toDateTime({now:Int64})) - INTERVAL number DAY, '', f.1, f.2, f.3, 1700000000000, 's', 17280, f.4, f.5, 0.4, 0.1, 1000, f.6
FROM numbers(0, 10)
ARRAY JOIN [('requests', '', '', 0., 0., ''), ('requests', 'training', '', 0., 0., ''), ('feature:distance', 'training', 'psi', if(number < 2, 2.4, 0.015), 0.01, if(number < 2, 'open', 'quiet')),
  ('feature:origin', 'training', 'psi', 0.06, 0.01, 'quiet'), ('feature:hour', 'same-hours:4w', 'psi', 0.11, 0.01, 'quiet'), ('score', 'training', 'psi', 0.3, 0.01, 'quiet')] AS f
;
INSERT INTO findings (at, signal, model, deploy_hash, stage, window, window_end, measure, value, low, high, count, coverage, verdict, assumes)
SELECT toDateTime64({now:Int64} - 60 - 300 * number, 3) AS at, 'maturity', {model:String}, '', 'production', w.1, at, 'mature_in_seconds', w.2, nan, nan, 17280, 0.42, 'ok', 'labels of a stratum come alike'
FROM numbers(0, 13)
ARRAY JOIN [('1d', 5400.), ('7d', 4500.)] AS w
