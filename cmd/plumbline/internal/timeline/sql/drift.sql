SELECT feature, signal, reference, measure, min(at) AS first, max(at) AS last, argMax(value, at) AS value, count() AS times
FROM findings
WHERE model = {model:String} AND at >= {since:DateTime64(3, 'UTC')} AND at <= {until:DateTime64(3, 'UTC')}
  AND verdict = 'breach' AND segment = '' AND signal != 'burn_rate' AND (deploy_hash = {deploy:String} OR deploy_hash = '')
GROUP BY feature, signal, reference, measure
ORDER BY first, feature, signal, reference, measure
LIMIT 50
