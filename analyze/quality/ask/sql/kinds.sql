-- Of how many labelled predictions answer and truth are classes, and of how many
-- they are numbers.
SELECT toInt64(countIf(label != '' OR predicted != '')), toInt64(countIf(label = '' AND predicted = '' AND isNotNull(label_value) AND isNotNull(predicted_value)))
FROM /*labelled*/
