-- What was in breach of the deploy or of all of them together, by what it was; of burns
-- those of the incident's own SLO and deploy, by window, and not what parts of a
-- composite make up of them.
SELECT feature, signal, reference, measure, if(signal = 'burn', slo, '') AS objective, if(signal = 'burn', `window`, '') AS length,
  min(at) AS first, max(at) AS last, argMax(findings.value, at) AS value, count() AS times
FROM findings
WHERE model = {model:String} AND at >= {since:DateTime64(3, 'UTC')} AND at <= {until:DateTime64(3, 'UTC')}
  AND verdict = 'breach' AND segment = ''
  AND if(signal = 'burn', slo = {slo:String} AND deploy_hash = {deploy:String} AND measure != 'bad_share_of_part', deploy_hash IN ({deploy:String}, ''))
GROUP BY feature, signal, reference, measure, objective, length
ORDER BY first, feature, signal, reference, measure, length
LIMIT 50
