-- Past alarms and what labels said of them later, newest first.
SELECT opened AS at, truth, toString(model) AS model, toString(deploy_hash) AS deploy_hash, toString(kind) AS kind, toString(severity) AS severity, claim,
  if(isFinite(ledger.quality), ledger.quality, NULL) AS quality, if(isFinite(ledger.target), ledger.target, NULL) AS target,
  if(isFinite(ledger.coverage), ledger.coverage, NULL) AS coverage, lead_s, toString(rollback_to) AS rollback_to, reason
FROM ledger FINAL
WHERE model IN ($model) AND opened > $__toTime - INTERVAL 90 DAY AND opened <= $__toTime
ORDER BY at DESC, claim
LIMIT 100
