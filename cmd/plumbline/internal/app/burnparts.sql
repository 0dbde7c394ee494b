-- What each part of a composite makes up of its newest bad share over a window, the
-- greatest first, and that share.
SELECT reference, value, sum(value) OVER () AS whole
FROM (
    SELECT toString(reference) AS reference, argMax(findings.value, at) AS value
    FROM findings
    WHERE signal = 'burn' AND measure = 'bad_share_of_part' AND segment = '' AND model = {model:String} AND slo = {slo:String} AND deploy_hash = {deploy:String}
      AND window = {window:String} AND at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND at <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
    GROUP BY reference
)
ORDER BY value DESC, reference
