SELECT ts AS time,
  concat('Deploy ', deploy_hash, if(version = '', '', concat(' (', version, ')')), ' of ', model,
    if(by = '', '', concat(' by ', by)), if(note = '', '', concat(': ', note))) AS text,
  concat('deploy,', stage) AS tags
FROM deployments
WHERE model IN ($model) AND ts >= $__fromTime AND ts <= $__toTime AND stage != 'training'
ORDER BY time
