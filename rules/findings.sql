-- The newest burn finding per model, deploy, SLO and window, whether each model is
-- blind, what labels say of the estimate of each deploy and window, whether it
-- served within that, and what is left of each budget. LIMIT BY keeps one whole row of each, never columns of two.
SELECT at, model, deploy_hash, slo, window, window_end, measure, value, low, high, coverage, p, verdict, assumes
FROM findings
WHERE (signal = 'burn' AND measure IN ('bad_share', 'estimated_bad_share') OR signal = 'label_arrival' AND measure = 'blind' OR signal = 'budget' AND measure = 'left'
    OR signal = 'concept_drift' AND measure = 'estimate_gap' OR signal = 'maturity' AND measure = 'labels_in' AND feature = '') AND stage = 'production' AND segment = ''
  AND at >= fromUnixTimestamp64Milli({since:Int64})
ORDER BY at DESC
LIMIT 1 BY measure, model, deploy_hash, slo, window
