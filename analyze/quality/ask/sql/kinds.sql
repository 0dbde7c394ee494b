-- Of how many labelled predictions answer and truth are classes, and of how many
-- they are numbers, and both of them 0 or 1.
SELECT toInt64(countIf(label != '' OR predicted != '')), toInt64(countIf(label = '' AND predicted = '' AND isNotNull(label_value) AND isNotNull(predicted_value))),
    toInt64(countIf(label = '' AND predicted = '' AND label_value IN (0, 1) AND predicted_value IN (0, 1)))
FROM /*labelled*/
