LEFT ANY JOIN (
    SELECT prediction_id, argMin(/*stratum*/, tuple(known, toString(_topic), _partition, _offset)) AS stratum
    FROM predictions
    WHERE model = {model:String} AND stage != 'training' AND half != 'request'
      AND toDate(ts) GLOBAL IN (SELECT toDate(minute) FROM minutes) AND toStartOfMinute(ts) GLOBAL IN (SELECT minute FROM minutes)
      AND prediction_id GLOBAL IN (SELECT prediction_id FROM changes)
    GROUP BY prediction_id
) AS features USING (prediction_id)
