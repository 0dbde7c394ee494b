-- Incidents of objectives and of suspected concept drift, which has none, since a
-- time, oldest first.
SELECT incident, toString(model), toString(deploy_hash), toString(slo), toString(severity), opened, resolved
FROM incidents FINAL
WHERE (slo != '' OR name = {concept:String} AND model != '') AND opened >= toDateTime64({since:Int64}, 3, 'UTC')
ORDER BY opened, incident
