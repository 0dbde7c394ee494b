-- What each production deploy that answered in the range did in it, the newest first: what
-- it was asked, what its labels say, what it was paged for. Fewer than 20 labels say
-- nothing. Of a model that decides itself which predictions ever get a label there is no
-- accuracy, and low and high are the bounds between which it is: all of the others wrong,
-- and all of them right. It was worse or better than the deploy before it where their 95 %
-- intervals lie apart, as the gate in Slack has it. Counted by hour, which is cheap over months. With weights
-- that differ, labels are worth as many as Kish's effective size says.
WITH
  asked AS (
    SELECT model, deploy_hash, min(time) AS first, max(time) AS last, sum(count) AS requests
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model)
      AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash
    HAVING requests > 0
  ),
  known AS (
    SELECT model, deploy_hash, sum(outcome_hours.count) AS labelled, sum(outcome_hours.correct) AS hits,
      least(toFloat64(sum(outcome_hours.rows)), pow(toFloat64(labelled), 2) / toFloat64(sum(outcome_hours.squares))) AS size
    FROM outcome_hours FINAL
    WHERE segment = '' AND stage = 'production' AND model IN ($model)
      AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash
    HAVING labelled > 0
  ),
  opened_by AS (
    SELECT model, deploy_hash, countIf(severity = 'page') AS pages, countIf(severity != 'page') AS tickets
    FROM incidents FINAL
    WHERE deploy_hash != '' AND model IN ($model) AND opened >= $__fromTime AND opened <= $__toTime
    GROUP BY model, deploy_hash
  ),
  told AS (
    SELECT model, deploy_hash, ts, version, note, lagInFrame(deploy_hash) OVER (PARTITION BY model ORDER BY ts, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
    FROM deployments
    WHERE stage = 'production' AND model IN ($model) AND ts <= $__toTime
  ),
  spells AS (
    SELECT model, deploy_hash, ts, leadInFrame(deploy_hash) OVER (PARTITION BY model ORDER BY ts, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS follower
    FROM told
    WHERE told.deploy_hash != former
  ),
  born AS (SELECT model, deploy_hash, min(ts) AS first_told, argMax(follower, ts) AS follower FROM spells GROUP BY model, deploy_hash),
  named AS (SELECT model, deploy_hash, argMax(told.version, ts) AS version, argMax(told.note, ts) AS note FROM told GROUP BY model, deploy_hash),
  deploys AS (
    SELECT a.model AS model, a.deploy_hash AS deploy_hash, v.version AS version, v.note AS note, b.first_told AS first_told, a.first AS first, a.last AS last,
      multiIf(b.follower = '', '', f.first_told < b.first_told, concat('rolled back to ', b.follower), b.follower) AS followed_by,
      a.requests AS requests, k.labelled AS labelled, k.hits AS hits, o.pages AS pages, o.tickets AS tickets,
      has($partial, a.model) AS bounded, greatest(a.requests, k.labelled) AS at_stake,
      if(NOT bounded AND k.size >= 20, k.hits / k.labelled, NULL) AS accuracy, k.size AS n
    FROM asked AS a
    LEFT JOIN known AS k ON k.model = a.model AND k.deploy_hash = a.deploy_hash
    LEFT JOIN opened_by AS o ON o.model = a.model AND o.deploy_hash = a.deploy_hash
    LEFT JOIN born AS b ON b.model = a.model AND b.deploy_hash = a.deploy_hash
    LEFT JOIN born AS f ON f.model = a.model AND f.deploy_hash = b.follower
    LEFT JOIN named AS v ON v.model = a.model AND v.deploy_hash = a.deploy_hash
  ),
  ends AS (
    SELECT *,
      (accuracy + 1.920729 / n - 1.959964 * sqrt(accuracy * (1 - accuracy) / n + 0.960365 / pow(n, 2))) / (1 + 3.841459 / n) AS wilson_low,
      (accuracy + 1.920729 / n + 1.959964 * sqrt(accuracy * (1 - accuracy) / n + 0.960365 / pow(n, 2))) / (1 + 3.841459 / n) AS wilson_high
    FROM deploys
  ),
  compared AS (
    SELECT *, lagInFrame(accuracy) OVER former AS former_accuracy, lagInFrame(wilson_low) OVER former AS former_low, lagInFrame(wilson_high) OVER former AS former_high
    FROM ends
    WINDOW former AS (PARTITION BY model ORDER BY first, last, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  )
SELECT model, deploy_hash, version, if(first_told > toDateTime64(0, 3), first_told, NULL) AS deployed, first AS first_hour, last AS last_hour, followed_by,
  requests, least(labelled / requests, 1) AS coverage, accuracy,
  if(bounded, if(labelled > 0, hits / at_stake, NULL), wilson_low) AS low, if(bounded, if(labelled > 0, (hits + at_stake - labelled) / at_stake, NULL), wilson_high) AS high,
  accuracy - former_accuracy AS than_former,
  multiIf(bounded, 'withheld: the model decides what gets a label', accuracy IS NULL, 'insufficient: fewer than 20 labels', former_accuracy IS NULL, 'nothing before it to compare with',
    wilson_high < former_low, 'worse than before', wilson_low > former_high, 'better than before', 'no difference shown') AS says,
  pages, tickets, note
FROM compared
ORDER BY first DESC, model, deploy_hash
LIMIT 200
