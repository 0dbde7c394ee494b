-- What the detectors of drift said of each closed day, by stream, of those that ever had
-- a ticket: what is said of a day stands there for every look of it, and of most streams
-- that is never one.
SELECT
    toString(model), toString(segment), toString(feature), toString(reference), toString(measure), window_end,
    toString(argMax(deploy_hash, at)), argMax(verdict, at) = 'breach' AS ticket,
    if(ticket, minIf(at, verdict = 'breach'), min(at)) AS seen
FROM findings
WHERE signal = 'drift_alarm' AND measure != 'tickets' AND at >= toDateTime64({since:Int64}, 3, 'UTC')
  AND (model, segment, feature, reference, measure) GLOBAL IN (
    SELECT model, segment, feature, reference, measure FROM findings
    WHERE signal = 'drift_alarm' AND measure != 'tickets' AND verdict = 'breach' AND at >= toDateTime64({since:Int64}, 3, 'UTC'))
GROUP BY model, segment, feature, reference, measure, window_end
ORDER BY model, segment, feature, reference, measure, window_end
