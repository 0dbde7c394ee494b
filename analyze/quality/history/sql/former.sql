-- The definition of strata under which an hour was counted last, and the end of
-- the newest hour that is counted under it.
SELECT strata, toInt64(toUnixTimestamp(max(time))) + 3600
FROM score_cells
WHERE model = {model:String} AND stratum = {mark:Int32}
GROUP BY strata
ORDER BY max(version) DESC
LIMIT 1
