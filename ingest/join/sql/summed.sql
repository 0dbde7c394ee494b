        -- The sums of outcome_hours, in its order: every column but the key and the
        -- version.
        sum(n) AS count, sum(n * hit) AS correct, sum(sign) AS rows, sum(toInt128(n) * times) AS squares,
        sum(sign * known_share) AS weighed, sum(sign * nano[1]) AS inverse_nano, sum(sign * nano[2]) AS inverse_squared_nano,
        sum(n * on_grid) AS scored, sumMapIf([/*bucket*/], [n], on_grid) AS hist,
        sum(n * nano[3]) AS score_nano,
        sum(n * nano[4]) AS log_nano, sum(n * nano[5]) AS log_squared_nano,
        sum(n * nano[6]) AS log_not_nano, sum(n * nano[7]) AS log_not_squared_nano,
        sum(n * nano[8]) AS gap_squared_nano, sum(n * nano[9]) AS gap_fourth_nano,
        sum(n * nano[10]) AS gap_not_squared_nano, sum(n * nano[11]) AS gap_not_fourth_nano,
        sum(n * has_error) AS errors, sum(n * atto[1]) AS error_atto, sum(n * atto[2]) AS absolute_atto,
        sum(n * atto[3]) AS squared_atto, sum(n * atto[4]) AS signed_squared_atto, sum(n * atto[5]) AS fourth_atto,
        sum(n * has_relative) AS relative, sum(n * atto[6]) AS relative_atto, sum(n * atto[7]) AS relative_squared_atto,
        sum(n * atto[8]) AS truth_atto, sum(n * atto[9]) AS truth_squared_atto, sum(n * atto[10]) AS truth_third_atto,
        sum(n * atto[11]) AS truth_fourth_atto, sum(n * atto[12]) AS truth_error_atto, sum(n * atto[13]) AS truth_squared_error_atto
