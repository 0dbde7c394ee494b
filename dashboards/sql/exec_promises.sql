-- Every promise of the selected models, and a row for each model that makes none, the
-- worst first. A budget that was not looked at within 10 minutes, or of which too little
-- of the period was seen, is not known, and nothing of it is a number. What was left a
-- week before is what was said in the hour until then. Of equals, one with an open page
-- stands before one with an open ticket.
WITH
  promised AS (
    SELECT p.slo AS slo, p.model AS model, p.owner AS owner, p.target AS target, p.period AS period, p.trial AS trial, p.shares AS shares
    FROM (SELECT arrayJoin($promises) AS p)
    WHERE p.model IN ($model) AND NOT p.part
  ),
  said AS (
    SELECT model, slo, max(findings.at) AS last,
      argMax(findings.verdict, findings.at) AS verdict, argMax(findings.value, findings.at) AS left,
      argMax(findings.coverage, findings.at) AS seen, argMax(findings.assumes, findings.at) AS assumes,
      argMaxIf(findings.verdict, findings.at, at <= $__toTime - INTERVAL 7 DAY AND at > $__toTime - INTERVAL 169 HOUR) AS verdict_before,
      argMaxIf(findings.value, findings.at, at <= $__toTime - INTERVAL 7 DAY AND at > $__toTime - INTERVAL 169 HOUR) AS left_before,
      countIf(at >= $__fromTime) AS looks
    FROM findings
    WHERE signal = 'budget' AND measure = 'left' AND model IN ($model)
      AND at > least($__fromTime, $__toTime - INTERVAL 169 HOUR) AND at <= $__toTime
    GROUP BY model, slo
  ),
  told AS (
    SELECT model, slo, countIf(severity = 'page' AND began >= $__fromTime AND began <= $__toTime) AS pages,
      max(multiIf(over, 0, severity = 'page' AND began <= $__toTime, 2, 1)) AS level
    FROM (
      SELECT model, slo, severity, if(escalated > toDateTime64(0, 3, 'UTC'), escalated, opened) AS began,
        resolved > toDateTime64(0, 3, 'UTC') AND resolved <= $__toTime AS over
      FROM incidents FINAL
      WHERE model IN ($model) AND opened > $__fromTime - INTERVAL 90 DAY AND opened <= $__toTime
    )
    GROUP BY model, slo
  )
SELECT promise, model, SLO, owner, target, over, achieved, `budget left`, `change in 7 days`, pages, transform(level, [1, 2], ['ticket', 'page'], '') AS `open now`, why
FROM (
  SELECT p.model AS model, p.slo AS SLO, p.owner AS owner, p.target AS target, p.period AS over, g.level AS level,
    s.last > $__toTime - INTERVAL 10 MINUTE AS recent, recent AND s.verdict IN ('ok', 'breach') AS known,
    multiIf(p.trial, 'on trial', NOT known, 'not known', s.verdict = 'breach', 'broken', s.left < 0.25, 'at risk', 'kept') AS promise,
    if(known AND p.shares, 1 - (1 - s.left) * (1 - p.target), NULL) AS achieved,
    if(known, s.left, NULL) AS `budget left`,
    if(known AND s.verdict_before IN ('ok', 'breach'), s.left - s.left_before, NULL) AS `change in 7 days`,
    if(p.trial OR s.looks = 0 AND g.pages = 0, NULL, g.pages) AS pages,
    multiIf(known, '', NOT recent, 'nothing was said of it in 10 minutes', s.verdict = 'missing', 'nothing of it was counted',
      isFinite(s.left), concat('only ', toString(round(100 * s.seen)), ' % of its period was seen'), s.assumes) AS why
  FROM promised AS p
  LEFT JOIN said AS s ON s.model = p.model AND s.slo = p.slo
  LEFT JOIN told AS g ON g.model = p.model AND g.slo = p.slo
  UNION ALL
  SELECT model, '', '', NULL, '', 0, false, false, 'none made', NULL, NULL, NULL, NULL, 'no SLO is declared, so that nothing can be broken'
  FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model)
  WHERE model GLOBAL NOT IN (SELECT model FROM promised)
)
ORDER BY indexOf(['broken', 'not known', 'at risk', 'none made', 'kept', 'on trial'], promise), level DESC, `budget left` ASC NULLS LAST, model, SLO
LIMIT 500
