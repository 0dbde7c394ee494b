-- What ingest and the join keep of predictions and outcomes beside them.
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows)
SELECT model, deploy_hash, stage, '', 'requests', '', toStartOfHour(ts), toUInt64(sum(weight)), count()
FROM predictions
WHERE model = {model:String}
GROUP BY model, deploy_hash, stage, toStartOfHour(ts);

INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count)
SELECT model, deploy_hash, stage, '', 'predicted', toStartOfHour(ts), predicted, 0, count()
FROM predictions
WHERE model = {model:String}
GROUP BY model, deploy_hash, stage, toStartOfHour(ts), predicted;

INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, squares, version)
SELECT model, deploy_hash, stage, '', toStartOfMinute(ts), toStartOfHour(known), sum(labelled), sum(correct), sum(labelled), sum(labelled), sum(version)
FROM outcomes FINAL
WHERE model = {model:String}
GROUP BY model, deploy_hash, stage, toStartOfMinute(ts), toStartOfHour(known)
