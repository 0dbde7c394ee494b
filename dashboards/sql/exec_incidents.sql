-- Incidents that were open at some time of the range, the newest first.
SELECT opened, severity, status, model, slo AS SLO, name AS alert, owner, acknowledged_by AS `taken by`,
  to_acknowledge_s AS `to acknowledge`, to_resolve_s AS `to resolve`, incident
FROM incident_times
WHERE model IN ($model) AND opened > $__fromTime - INTERVAL 90 DAY AND opened <= $__toTime
  AND (to_resolve_s IS NULL OR addSeconds(opened, assumeNotNull(to_resolve_s)) >= $__fromTime)
ORDER BY opened DESC, incident
LIMIT 200
