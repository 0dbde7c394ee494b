    -- What a change of one prediction adds to: of a class, its score and losses; of
    -- a number, its error. Step by step, for an expression is written out wherever
    -- its name stands in the same step.
    SELECT *, /*nano whole*/ AS nano, /*atto whole*/ AS atto
    FROM (
        SELECT *, /*nano parts*/ AS nanos, /*atto parts*/ AS attos
        FROM (
            SELECT
                *,
                -- In the order in which they are summed.
                /*nano*/(inverse, inverse * inverse, s, miss, miss * miss, miss_not, miss_not * miss_not,
                    gap, gap * gap, gap_not, gap_not * gap_not) AS nano_floats,
                /*atto*/(e, abs(e), e * e, e * abs(e), e * e * e * e, r, r * r,
                    t, t * t, t * t * t, t * t * t * t, t * e * e, t * t * e * e) AS atto_floats
            FROM (
                SELECT
                    *,
                    if(is_share, s / (1 - s), s) AS x,
                    if(is_share, -log(greatest(s, 1e-15)), 0.) AS miss, if(is_share, -log(greatest(1 - s, 1e-15)), 0.) AS miss_not,
                    if(is_share, (1 - s) * (1 - s), 0.) AS gap, if(is_share, s * s, 0.) AS gap_not,
                    has_error AND t != 0 AND abs(e / t) <= 1e12 AS has_relative, if(has_relative, abs(e / t), 0.) AS r
                FROM (
                    SELECT
                        *,
                        on_grid AND NOT is_number AS is_share, multiIf(NOT on_grid, '', is_number, 'f8', 'o8') AS grid,
                        if(on_grid, f, 0.) + 0. AS s, if(has_error, ifNull(y, 0.), 0.) AS t, if(has_error, ifNull(predicted_value, 0.) - ifNull(y, 0.), 0.) AS e
                    FROM (
                        SELECT
                            *,
                            if(is_class, predicted = label, ifNull(predicted_value = y, 0)) AS hit,
                            is_class AND isFinite(f) AND abs(f) <= 1e18 AND (is_number OR (f >= 0 AND f <= 1)) AS on_grid,
                            sign != 0 AND NOT is_class AND ifNull(abs(predicted_value) <= 1e12 AND abs(y) <= 1e12, 0) AS has_error
                        FROM (
                            SELECT
                                *, sign * times AS n, sign != 0 AND (predicted != '' OR label != '') AS is_class,
                                isNotNull(propensity) AS known_share, /*inverse*/ AS inverse,
                                has({score_numbers:Array(String)}, model) AS is_number, ifNull(score, nan) AS f
                            FROM moves
                        )
                    )
                )
            )
        )
    )
