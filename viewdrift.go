package plumbline

// ViewDrift compares the features of a window with those of a reference.
const ViewDrift ViewName = "drift"

func driftView() View {
	return View{
		Name: ViewDrift,
		Doc: "One row a feature: how far the requests of a window are from those of a reference, from the hourly rollups, on the cells that `plumbline drift` uses: at most 20 bins of equal mass in the reference, its 20 most frequent categories (of more than 20 those that came three times), and cells for the rest, for values that no other request of it has, null, NaN, infinite and missing. Counts are of requests: of sampled traffic the weights. " +
			"psi, js (a distance, base 2), tvd and ks as there; NaN where a side is empty or the reference lacks the feature, ks where it has no numbers. They have no noise, interval or verdict: ask `plumbline drift` for those. " +
			"Every parameter is required: deploy, reference_deploy and segment may be empty, which is all; since is taken back to the start of its hour. The training set is the stage training of all time.",
		Example: `SELECT feature, psi, ks
FROM drift(model = 'iris', segment = '',
  stage = 'production', deploy = '', since = '2026-09-21 00:00:00', until = '2026-09-22 00:00:00',
  reference_stage = 'training', reference_deploy = '', reference_since = '1970-01-01 00:00:00', reference_until = '2100-01-01 00:00:00')
ORDER BY psi DESC`,
		SQL: driftSQL,
	}
}

// driftSQL counts what package drift counts, see its cells.go: a bucket of the
// reference lies in the bin that is numbered by the twentieths of the mass below
// it, and a bin reaches to the next one, whatever is counted there now. Where the
// reference has more than 20 categories, those that came less than three times there
// have no cell of their own, and what came once counts there as a value that no other
// request has, which the unseen ones of the window are (Good 1953).
const driftSQL = `WITH
  hours AS (
    SELECT series, grid, count, nulls, nans, infs, hist,
      stage = {stage:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
        AND time >= toStartOfHour(parseDateTimeBestEffort({since:String}, 'UTC')) AND time < parseDateTimeBestEffort({until:String}, 'UTC') AS now,
      stage = {reference_stage:String} AND ({reference_deploy:String} = '' OR deploy_hash = {reference_deploy:String})
        AND time >= toStartOfHour(parseDateTimeBestEffort({reference_since:String}, 'UTC')) AND time < parseDateTimeBestEffort({reference_until:String}, 'UTC') AS then
    FROM series_hour
    WHERE model = {model:String} AND segment = {segment:String} AND (now OR then)
  ),
  numbers AS (
    SELECT series, (sumMapIf(hist, then) AS before).1 AS reference_buckets, before.2 AS reference_counts,
      (sumMapIf(hist, now) AS after).1 AS buckets, after.2 AS counts,
      sumIf(nulls, then) AS reference_nulls, sumIf(nulls, now) AS nulls_now, sumIf(nans, then) AS reference_nans, sumIf(nans, now) AS nans_now,
      sumIf(infs, then) AS reference_infs, sumIf(infs, now) AS infs_now,
      arraySum(reference_counts) AS n, arraySum(counts) AS m,
      arrayMap((below, c) -> intDiv((below - c) * 20, n), arrayCumSum(reference_counts), reference_counts) AS bins,
      arrayFilter((b, bin, next) -> bin != next, reference_buckets, bins, arrayResize(arrayPushBack(arrayPopFront(bins), 20), length(bins))) AS ends,
      arraySort(e -> e.1, arrayConcat(
        arrayMap((b, c) -> (b, c, toUInt64(0)), reference_buckets, reference_counts), arrayMap((b, c) -> (b, toUInt64(0), c), buckets, counts))) AS line,
      arrayMap(e -> e.1, line) AS at,
      arrayMap(b -> if(n > 0 AND b < reference_buckets[1], 'below', 'bin ' || toString(arrayFirstIndex(e -> e >= b, ends))), at) AS cells,
      if(n = 0 OR m = 0, nan, arrayMax(arrayMap((x, y, b, next) -> if(b = next, 0., abs(x / n - y / m)),
        arrayCumSum(arrayMap(e -> e.2, line)), arrayCumSum(arrayMap(e -> e.3, line)), at, arrayResize(arrayPushBack(arrayPopFront(at), at[-1] + 1), length(at))))) AS ks
    FROM hours WHERE startsWith(series, 'feature:') AND grid = 'f8' GROUP BY series
  ),
  categories AS (
    SELECT series, value, kind, p, q, sumIf(p, kind = 2) OVER (PARTITION BY series) = 0 AS sealed,
      sealed AND countIf(kind = 0 AND p > 0) OVER (PARTITION BY series) > 20 AS crowded,
      row_number() OVER (PARTITION BY series, kind = 0 AND p > 0 ORDER BY p DESC, value) AS rank
    FROM (
      SELECT series, value, kind,
        sumIf(count, stage = {reference_stage:String} AND ({reference_deploy:String} = '' OR deploy_hash = {reference_deploy:String})
          AND time >= toStartOfHour(parseDateTimeBestEffort({reference_since:String}, 'UTC')) AND time < parseDateTimeBestEffort({reference_until:String}, 'UTC')) AS p,
        sumIf(count, stage = {stage:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
          AND time >= toStartOfHour(parseDateTimeBestEffort({since:String}, 'UTC')) AND time < parseDateTimeBestEffort({until:String}, 'UTC')) AS q
      FROM categories_hour
      WHERE model = {model:String} AND segment = {segment:String} AND startsWith(series, 'feature:')
      GROUP BY series, value, kind
      HAVING p + q > 0
    )
  ),
  parts AS (
    SELECT series, part.1 AS cell, part.2 AS p, part.3 AS q, ks
    FROM numbers ARRAY JOIN arrayConcat(
      arrayMap((cell, e) -> (cell, e.2, e.3), cells, line),
      [('null', reference_nulls, nulls_now), ('NaN', reference_nans, nans_now), ('infinite', reference_infs, infs_now)]) AS part
    UNION ALL
    SELECT series, part.1 AS cell, part.2 AS p, part.3 AS q, nan AS ks
    FROM categories ARRAY JOIN if(kind = 0 AND crowded AND categories.p = 1,
      [('unseen', categories.p, toUInt64(0)), ('other', toUInt64(0), categories.q)],
      [(multiIf(kind = 1, 'null', kind = 2, 'other', categories.p = 0 AND sealed, 'unseen', categories.p = 0 OR rank > 20 OR crowded AND categories.p < 3, 'other', 'value ' || value), categories.p, categories.q)]) AS part
  ),
  (SELECT (sumIf(count, then), sumIf(count, now)) FROM hours WHERE series = 'requests') AS requests
SELECT substring(series, 9) AS feature, arraySum(ps) AS reference_count, arraySum(qs) AS count,
  if(reference_present = 0 OR count = 0, nan, greatest(0, arraySum((x, y) -> (y / filled_count - x / filled_reference) * log(y / filled_count / (x / filled_reference)), xs, ys))) AS psi,
  if(reference_present = 0 OR count = 0, nan, sqrt(greatest(0, arraySum((p, q) -> if(p = 0, 0., p / reference_count * log(p / reference_count / ((p / reference_count + q / count) / 2)))
    + if(q = 0, 0., q / count * log(q / count / ((p / reference_count + q / count) / 2))), ps, qs) / (2 * log(2))))) AS js,
  if(reference_present = 0 OR count = 0, nan, arraySum((p, q) -> abs(p / reference_count - q / count), ps, qs) / 2) AS tvd,
  ks
FROM (
  SELECT series, groupArray((p, q)) AS present, arraySum(c -> c.1, present) AS reference_present,
    arrayFilter(c -> c.1 + c.2 > 0, arrayPushBack(present, (toUInt64(greatest(ifNull(requests.1, 0), arraySum(c -> c.1, present)) - arraySum(c -> c.1, present)), toUInt64(greatest(ifNull(requests.2, 0), arraySum(c -> c.2, present)) - arraySum(c -> c.2, present))))) AS cells,
    arrayMap(c -> c.1, cells) AS ps, arrayMap(c -> c.2, cells) AS qs,
    arrayMap(p -> greatest(toFloat64(p), 0.5), ps) AS xs, arrayMap(q -> greatest(toFloat64(q), 0.5), qs) AS ys,
    arraySum(xs) AS filled_reference, arraySum(ys) AS filled_count,
    if(countIf(NOT isNaN(of_numbers)) > 0, maxIf(of_numbers, NOT isNaN(of_numbers)), nan) AS ks
  FROM (SELECT series, cell, sum(parts.p) AS p, sum(parts.q) AS q, any(parts.ks) AS of_numbers FROM parts GROUP BY series, cell)
  GROUP BY series
)`
