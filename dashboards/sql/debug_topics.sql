-- Every topic that was ever read: what is stored of the last 24 hours, how old the newest
-- event is, how long events took from Kafka to being stored lately, what was refused, and
-- which labels wait to be joined. The rows of a batch are one a table; what was refused
-- stands in each of them. Batches know no model: this is of all models.
WITH
  stored AS (
    SELECT topic, count() AS batches, sum(good + refused) AS events, sum(refused) AS dead, max(newest) AS newest,
      maxIf(waited, done > $__toTime - INTERVAL 1 HOUR) AS longest, argMax(waited, done) AS last_wait, countIf(done > $__toTime - INTERVAL 1 HOUR) AS lately
    FROM (
      SELECT topic, epoch, partition, first, last, sum(events - dead) AS good, max(batches.dead) AS refused,
        max(known_max) AS newest, max(stored) AS done, dateDiff('millisecond', max(known_max), max(stored)) / 1000 AS waited
      FROM batches FINAL
      WHERE table IN ('predictions', 'labels', 'deployments', 'kpis') AND batches.stored > $__toTime - INTERVAL 24 HOUR AND batches.stored <= $__toTime
      GROUP BY topic, epoch, partition, first, last
    )
    GROUP BY topic
  ),
  waiting AS (SELECT topic, sum(labels) AS labels, min(unjoined_labels.oldest) AS oldest FROM unjoined_labels GROUP BY topic)
SELECT multiIf(s.batches = 0, 'nothing stored in 24 h', s.dead > 0 AND s.dead >= 0.01 * s.events, 'refuses events', s.lately = 0, 'nothing stored in 1 h', 'stores') AS says,
  toString(t.topic) AS topic, if(s.batches > 0, dateDiff('second', s.newest, $__toTime), NULL) AS newest_age, if(s.batches > 0, s.last_wait, NULL) AS last_wait, if(s.lately > 0, s.longest, NULL) AS longest_wait,
  if(s.batches > 0, s.events, NULL) AS events, if(s.batches > 0, s.dead, NULL) AS refused, if(s.events > 0, s.dead / s.events, NULL) AS refused_share,
  w.labels AS labels_waiting, if(w.labels > 0, dateDiff('second', w.oldest, $__toTime), NULL) AS oldest_waits
FROM (SELECT DISTINCT topic FROM epochs WHERE seen <= $__toTime UNION DISTINCT SELECT topic FROM stored) AS t
LEFT JOIN stored AS s ON s.topic = t.topic
LEFT JOIN waiting AS w ON w.topic = t.topic
ORDER BY transform(says, ['refuses events', 'nothing stored in 24 h', 'nothing stored in 1 h'], [0, 1, 2], 3), refused_share DESC NULLS LAST, newest_age DESC, topic
LIMIT 100
