-- How far each topic partition has been followed.
SELECT topic, epoch, partition, max(done) AS done
FROM /*cursor*/
GROUP BY topic, epoch, partition
ORDER BY topic, epoch, partition
