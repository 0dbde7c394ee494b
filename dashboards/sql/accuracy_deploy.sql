-- Accuracy of the newest production deploy since it began to serve, and of what served
-- in the 24 hours before it, the greatest fall first: a panel shows few. Without a label there is
-- no number. Of a model that decides itself which predictions ever get a label
-- there are the bounds alone: all of the others wrong, and all of them right.
WITH
  told AS (
    SELECT model, deploy_hash, ts, lagInFrame(deploy_hash) OVER (PARTITION BY model ORDER BY ts, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
    FROM deployments
    WHERE stage = 'production' AND model IN ($model) AND ts <= $__toTime
  ),
  newest AS ( -- one that is told of again while it serves serves since it was first
    SELECT model, argMax(told.deploy_hash, ts) AS deploy_hash, max(ts) AS since
    FROM told
    WHERE told.deploy_hash != former
    GROUP BY model
  ),
  cells AS (
    SELECT model, deploy_hash, time, sum(labelled) AS labelled, sum(correct) AS correct, sum(requests) AS requests
    FROM (
      SELECT model, deploy_hash, time, labelled, correct, toInt64(0) AS requests
      FROM outcome_cells FINAL
      WHERE stage = 'production' AND segment = '' AND model IN ($model) AND time <= $__toTime
        AND time >= (SELECT min(since) FROM newest) - INTERVAL 24 HOUR
      UNION ALL
      SELECT model, deploy_hash, time, 0, 0, toInt64(count)
      FROM series_minute
      WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model) AND has($partial, model) AND time <= $__toTime
        AND time >= (SELECT min(since) FROM newest) - INTERVAL 24 HOUR
    )
    GROUP BY model, deploy_hash, time
  ),
  sides AS (
    SELECT n.model AS model, n.deploy_hash AS deploy_hash,
      sumIf(c.labelled, c.deploy_hash != n.deploy_hash AND c.time < n.since AND c.time >= n.since - INTERVAL 24 HOUR) AS labelled_before,
      sumIf(c.correct, c.deploy_hash != n.deploy_hash AND c.time < n.since AND c.time >= n.since - INTERVAL 24 HOUR) AS correct_before,
      greatest(sumIf(c.requests, c.deploy_hash != n.deploy_hash AND c.time < n.since AND c.time >= n.since - INTERVAL 24 HOUR), labelled_before) AS asked_before,
      sumIf(c.labelled, c.deploy_hash = n.deploy_hash AND c.time >= n.since) AS labelled_now,
      sumIf(c.correct, c.deploy_hash = n.deploy_hash AND c.time >= n.since) AS correct_now,
      greatest(sumIf(c.requests, c.deploy_hash = n.deploy_hash AND c.time >= n.since), labelled_now) AS asked_now
    FROM newest AS n LEFT JOIN cells AS c ON c.model = n.model
    GROUP BY model, deploy_hash
  )
SELECT tupleElement(side, 1) AS metric, tupleElement(side, 2) AS value
FROM (
  SELECT model, has($partial, model) AS bounded,
    if(NOT bounded AND labelled_before > 0 AND labelled_now > 0, correct_now / labelled_now - correct_before / labelled_before, NULL) AS change,
    arrayJoin(if(bounded, [
      (concat(model, ' before, at least'), if(labelled_before > 0, correct_before / asked_before, NULL)),
      (concat(model, ' before, at most'), if(labelled_before > 0, (correct_before + asked_before - labelled_before) / asked_before, NULL)),
      (concat(model, ' ', deploy_hash, ' now, at least'), if(labelled_now > 0, correct_now / asked_now, NULL)),
      (concat(model, ' ', deploy_hash, ' now, at most'), if(labelled_now > 0, (correct_now + asked_now - labelled_now) / asked_now, NULL))
    ], [
      (concat(model, ' before'), if(labelled_before > 0, correct_before / labelled_before, NULL)),
      (concat(model, ' ', deploy_hash, ' now'), if(labelled_now > 0, correct_now / labelled_now, NULL))
    ])) AS side
  FROM sides
)
ORDER BY change ASC NULLS LAST, model, metric LIKE '% now%', metric
