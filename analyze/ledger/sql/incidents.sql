-- Incidents of objectives since a time, oldest first.
SELECT incident, toString(model), toString(deploy_hash), toString(slo), toString(severity), opened, resolved
FROM incidents FINAL
WHERE slo != '' AND opened >= toDateTime64({since:Int64}, 3, 'UTC')
ORDER BY opened, incident
