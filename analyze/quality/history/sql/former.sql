-- The definition of strata under which an hour was counted last.
SELECT argMax(strata, version)
FROM score_cells
WHERE model = {model:String} AND stratum = {mark:Int32}
HAVING count() > 0
