-- What is wrong with the service itself: what no later notice has ended, and
-- the events of the last hour, which are over by themselves.
SELECT transform(kind, ['partition_unparked', 'disk_ok', 'engine_recovered'], ['partition_parked', 'disk_full', 'engine_crash_loop'], kind) AS trouble,
  object, argMax(kind, at) AS last_kind, argMax(text, at) AS last_text, max(at) AS last
FROM notices
WHERE model = '' AND at > toDateTime({to:Int64}) - INTERVAL 30 DAY AND at <= toDateTime({to:Int64})
  AND kind IN ('partition_parked', 'partition_unparked', 'disk_full', 'disk_ok', 'engine_crash_loop', 'engine_recovered', 'offsets_lost', 'new_epoch', 'offset_rewound', 'offset_ahead')
GROUP BY trouble, object
HAVING last_kind = trouble
  AND (trouble IN ('partition_parked', 'disk_full', 'engine_crash_loop') OR last > toDateTime({to:Int64}) - INTERVAL 1 HOUR)
ORDER BY last DESC
LIMIT 20
