-- What each model is compared with: the training rows that are stored, of all time, for the
-- reference counts whatever its age. It belongs to the model, so that a second training set
-- adds to the first. Whether it is what serves was trained on is told by the deploy that it
-- was imported for, or by the dataset of the deployment events.
WITH
  trained AS (
    SELECT model, groupUniqArray(toString(deploy_hash)) AS deploys, sum(count) AS examples, max(time) AS newest
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage = 'training' AND model IN ($model)
    GROUP BY model
    HAVING examples > 0
  ),
  answered AS (
    SELECT model, deploy_hash, max(time) AS last, sum(count) AS requests
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model)
      AND time >= toStartOfHour($__toTime) - INTERVAL 23 HOUR AND time <= $__toTime
    GROUP BY model, deploy_hash
    HAVING requests > 0
  ),
  serving AS (
    SELECT model, argMax(deploy_hash, (last, requests)) AS deploy_hash FROM answered GROUP BY model
  ),
  sets AS (
    SELECT model, deploy_hash, argMax(deployments.dataset_hash, ts) AS dataset
    FROM deployments
    WHERE dataset_hash != '' AND model IN ($model) AND ts <= $__toTime
    GROUP BY model, deploy_hash
  ),
  imported AS (
    SELECT t.model AS model, groupUniqArrayIf(d.dataset, d.dataset != '') AS datasets
    FROM (SELECT model, arrayJoin(deploys) AS deploy_hash FROM trained) AS t LEFT JOIN sets AS d ON d.model = t.model AND d.deploy_hash = t.deploy_hash
    GROUP BY model
  )
SELECT
  multiIf(t.examples = 0, 'missing: no training set is stored, nothing can drift from it',
    length(t.deploys) > 1, concat(toString(length(t.deploys)), ' training sets add up to one reference'),
    s.deploy_hash = '', 'nothing served in the last 24 hours',
    has(t.deploys, s.deploy_hash) OR d.dataset != '' AND has(i.datasets, d.dataset), 'it is what serves was trained on',
    d.dataset = '' OR empty(i.datasets), 'imported for another deploy; no event tells of which data either was made',
    'what serves was trained on other data') AS says,
  m.model AS model, s.deploy_hash AS serves, d.dataset AS dataset_hash, arrayStringConcat(t.deploys, ', ') AS imported_for, arrayStringConcat(i.datasets, ', ') AS dataset_of_those,
  t.examples AS examples, if(t.examples > 0, t.newest, NULL) AS newest_example
FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model) AS m
LEFT JOIN trained AS t ON t.model = m.model
LEFT JOIN serving AS s ON s.model = m.model
LEFT JOIN imported AS i ON i.model = m.model
LEFT JOIN sets AS d ON d.model = m.model AND d.deploy_hash = s.deploy_hash
ORDER BY says = 'it is what serves was trained on', says, model
LIMIT 200
