-- Labels of stored batches beyond the cursors of the join: what the view unjoined_labels
-- says, which reads every batch of labels there ever was. The condition is one range of
-- the primary key per followed partition, and everything of the others.
SELECT topic, epoch, partition, sum(found) AS labels, min(since) AS oldest
FROM (
    SELECT topic, epoch, partition, max(rows) AS found, min(known_min) AS since
    FROM batches
    WHERE table = 'labels' AND rows > 0 AND (/*beyond*/)
    GROUP BY topic, epoch, partition, first, last
)
GROUP BY topic, epoch, partition
ORDER BY topic, epoch, partition
