-- The identifiers of the predictions that have one of the values.
SELECT DISTINCT prediction_id
FROM predictions
WHERE model = {model:String}
  AND (
    arrayExists(f -> mapContains(categories, f) AND has({texts:Array(String)}, categories[f]), {features:Array(String)})
    OR ({is_number:UInt8} AND arrayExists(f -> mapContains(numbers, f) AND numbers[f] = {number:Float64}, {features:Array(String)}))
  )
ORDER BY prediction_id
