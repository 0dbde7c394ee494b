-- What is wrong with the service itself: what no later notice has ended, and
-- the events of the last hour, which are over by themselves.
WITH
  ['partition_parked', 'partition_paused', 'decoding_waits', 'kafka_refused', 'disk_full', 'engine_crash_loop'] AS lasting,
  ['partition_unparked', 'partition_unpaused', 'decoding_goes_on', 'kafka_accepted', 'disk_ok', 'engine_recovered'] AS ending
SELECT transform(kind, ending, lasting, kind) AS trouble,
  object, argMax(kind, at) AS last_kind, argMax(text, at) AS last_text, max(at) AS last
FROM notices
WHERE model = '' AND at > toDateTime({to:Int64}) - INTERVAL 30 DAY AND at <= toDateTime({to:Int64})
  AND (has(lasting, kind) OR has(ending, kind) OR kind IN ('offsets_lost', 'new_epoch', 'offset_rewound', 'offset_ahead'))
GROUP BY trouble, object
HAVING last_kind = trouble AND (has(lasting, trouble) OR last > toDateTime({to:Int64}) - INTERVAL 1 HOUR)
ORDER BY last DESC
LIMIT 20
