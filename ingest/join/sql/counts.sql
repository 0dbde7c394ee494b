-- What the step's new labels met: how many there are, how many wait for their
-- prediction, how many came after its retention, and how many predictions are
-- computed.
WITH
touched AS (
/*touched*/
)
SELECT
    sum(labels),
    sumIf(labels, NOT met),
    sumIf(labels, met AND expired),
    countIf(met AND NOT expired)
FROM (
/*met*/
) AS ids
