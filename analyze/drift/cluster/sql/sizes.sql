-- How large the clusters are.
SELECT count(), sum(n), sum(n * n) FROM (SELECT count() AS n FROM picked GROUP BY cluster)
