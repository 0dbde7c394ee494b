-- The topic partitions that some identifiers' rows came from.
SELECT DISTINCT _topic, _epoch, _partition
FROM /*table*/
WHERE model = {model:String} AND prediction_id IN {ids:Array(String)}
