-- When each SLO was last computed, of those that were since a moment.
SELECT slo, max(at) AS last
FROM findings
WHERE signal = 'burn' AND measure = 'bad_share' AND slo != '' AND at > fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY slo
