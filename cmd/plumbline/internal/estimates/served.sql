-- The newest prediction of a model that served in production, and what was told last
-- of its maturity.
SELECT
  (SELECT max(time) FROM series_hour WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model = {model:String}),
  max(at), argMax(assumes, at), argMax(verdict, at) = 'insufficient'
FROM findings
WHERE signal = 'maturity' AND model = {model:String} AND measure = 'labels_in' AND deploy_hash = '' AND feature = ''
