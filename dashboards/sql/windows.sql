-- Windows over which quality is measured, the longest first: accuracy has one where
-- no other metric is declared. One of which nothing was told in the last hour of what
-- was told is configured no more.
SELECT toString(window) AS window
FROM findings
WHERE signal = 'quality' AND at > now() - INTERVAL 1 DAY
  AND at > (SELECT max(at) FROM findings WHERE signal = 'quality' AND at > now() - INTERVAL 1 DAY) - INTERVAL 1 HOUR
GROUP BY window
ORDER BY toUInt64OrZero(substring(window, 1, length(window) - 1)) * transform(right(window, 1), ['m', 'h', 'd'], [60, 3600, 86400], 1) DESC
