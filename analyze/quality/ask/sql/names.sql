-- The models that predictions are stored of, and the deploys of one of them.
SELECT DISTINCT toString(model), if(model = {model:String}, toString(deploy_hash), '')
FROM series_hour
WHERE series = 'requests' AND segment = ''
