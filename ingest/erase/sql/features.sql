-- The features of the raw rows of a model.
SELECT DISTINCT arrayJoin(arrayConcat(mapKeys(categories), mapKeys(numbers), nulls))
FROM /*table*/
WHERE model = {model:String}
