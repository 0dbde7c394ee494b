-- Of how many labelled requests answer and truth are classes, and of how many they
-- are numbers, and both of them 0 or 1: in as many parts as they lie in.
SELECT toInt64(sumIf(n, label != '' OR predicted != '')), toInt64(sumIf(n, label = '' AND predicted = '' AND isNotNull(label_value) AND isNotNull(predicted_value))),
    toInt64(sumIf(n, label = '' AND predicted = '' AND label_value IN (0, 1) AND predicted_value IN (0, 1)))
FROM (SELECT label, predicted, label_value, predicted_value, toInt64(requests) * length(/*parts*/) AS n FROM /*labelled*/)
