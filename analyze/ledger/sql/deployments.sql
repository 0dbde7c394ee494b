SELECT DISTINCT toString(deploy_hash), ts
FROM deployments
WHERE model = {model:String} AND stage = 'production'
ORDER BY ts, deploy_hash
