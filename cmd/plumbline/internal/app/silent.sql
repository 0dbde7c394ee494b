SELECT slo, max(at) AS last
FROM findings
WHERE signal = 'burn' AND measure = 'bad_share' AND slo != '' AND at > now() - INTERVAL 1 DAY
GROUP BY slo
ORDER BY last, slo
