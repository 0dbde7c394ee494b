(
    SELECT *
    FROM (
/*labelled*/
    )
    WHERE stage = {stage:String} AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
      AND ({segment:String} = '' OR has(segments, {segment:String}))
)
