-- Requests and labelled predictions of some models in one window, by deploy.
SELECT model, deploy_hash, stage, sum(requests), sum(labelled), sum(correct), sum(rows)
FROM (
    SELECT model, deploy_hash, stage, toInt64(sum(count)) AS requests, toInt64(0) AS labelled, toInt64(0) AS correct, toInt64(0) AS rows
    FROM series_minute
    WHERE model IN {models:Array(String)} AND series = 'requests' AND segment = '' AND stage != 'training'
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
    GROUP BY model, deploy_hash, stage
    UNION ALL
    SELECT model, deploy_hash, stage, toInt64(0), sum(cells.labelled), sum(cells.correct), sum(cells.rows)
    FROM outcome_cells AS cells FINAL
    WHERE model IN {models:Array(String)} AND segment = ''
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
    GROUP BY model, deploy_hash, stage
)
GROUP BY model, deploy_hash, stage
ORDER BY model, deploy_hash, stage
