-- How far the join has followed each topic partition.
SELECT topic, epoch, partition, max(done)
FROM join_cursor
GROUP BY topic, epoch, partition
ORDER BY topic, epoch, partition
