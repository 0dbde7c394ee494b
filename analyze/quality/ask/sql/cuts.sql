-- Where the numbers of each feature are cut into ten of about equal size.
SELECT name, arrayDistinct(quantilesDeterministic(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)(value, cityHash64(id))) AS cuts
FROM (
    SELECT id, numbers FROM (/*features*/)
) ARRAY JOIN mapKeys(numbers) AS name, mapValues(numbers) AS value
WHERE isFinite(value) AND (empty({features:Array(String)}) OR has({features:Array(String)}, name))
GROUP BY name
ORDER BY count() DESC, name
LIMIT 50
