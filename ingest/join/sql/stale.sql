-- How many groups of rows that are written together, under one version, hold some
-- of an older one: an hour of one kind, see mend.
WITH
touched AS (
/*touched*/
),
places AS (
/*places*/
)
SELECT
    (SELECT count() FROM (
        SELECT 1
        FROM (
            SELECT model, deploy_hash, stage, time, known, max(version) AS newest
            FROM outcome_cells
            WHERE (model, time, known) GLOBAL IN (SELECT model, minute, hour FROM places)
            GROUP BY model, deploy_hash, stage, time, known, segment
        )
        GROUP BY model, deploy_hash, stage, time, known
        HAVING min(newest) < max(newest))) AS cells,
    (SELECT count() FROM (
        SELECT 1
        FROM (
            SELECT model, deploy_hash, stage, time, known, max(version) AS newest
            FROM outcome_hours
            WHERE (model, time, known) GLOBAL IN (SELECT model, toStartOfHour(minute), hour FROM places)
            GROUP BY model, deploy_hash, stage, time, known, segment, predicted, label, other, grid
        )
        GROUP BY model, deploy_hash, stage, time, known
        HAVING min(newest) < max(newest))) AS hours
