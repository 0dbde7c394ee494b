package plumbline

// Views of late labels.
const (
	// ViewLabelDelay is the delay curve of each stratum.
	ViewLabelDelay ViewName = "label_delay"
	// ViewMaturity is how mature the windows of each model are.
	ViewMaturity ViewName = "maturity"
)

func labelDelayView() View {
	return View{
		Name: ViewLabelDelay,
		Doc: "The delay curve of the labels of a model, by stratum of what drives the delay: seconds after the prediction, how many were still waiting then, how many labels came, and the share of predictions that have their label by then (Kaplan-Meier), from predictions since a time and as known at another. What the share does not reach is late or never comes. " +
			"Delays are exact to a fifth up to six hours, to the hour beyond; strata are those of `plumbline maturity`.",
		Example: `SELECT stratum, max(share) AS ever, minIf(seconds, share >= 0.5) / 3600 AS half_in_hours
FROM label_delay(model = 'iris', since = '2026-08-01 00:00:00', at = '2026-09-22 00:00:00')
GROUP BY stratum`,
		SQL: `WITH
  (SELECT argMax(strata, version) FROM score_cells WHERE model = {model:String} AND stratum = -1) AS newest,
  parseDateTimeBestEffort({at:String}, 'UTC') AS until,
  cells AS (
    SELECT stratum, time, known, delay, predictions, labelled
    FROM score_cells FINAL
    WHERE model = {model:String} AND strata = newest AND stratum >= 0 AND stage = 'production'
      AND time >= parseDateTimeBestEffort({since:String}, 'UTC') AND time < until AND known < until
  ),
  steps AS (
    SELECT stratum, seconds, sum(labels) AS came, sum(watched) AS gone
    FROM (
      SELECT stratum, if(delay < 58, toInt64(exp2((delay + 1) / 4)), toInt64(toUnixTimestamp(known)) - toInt64(toUnixTimestamp(time))) AS seconds, sum(labelled) AS labels, toInt64(0) AS watched
      FROM cells WHERE delay >= 0 GROUP BY stratum, seconds HAVING labels > 0
      UNION ALL
      SELECT stratum, greatest(toInt64(toUnixTimestamp(until)) - toInt64(toUnixTimestamp(time)) - 1800, 0) AS seconds, toInt64(0) AS labels, greatest(sum(predictions) - sum(labelled), 0) AS watched
      FROM cells GROUP BY stratum, seconds
    )
    GROUP BY stratum, seconds
  )
SELECT stratum, seconds, at_risk, came, 1 - exp(sum(log(1 - came / at_risk)) OVER (PARTITION BY stratum ORDER BY seconds)) AS share
FROM (
  SELECT stratum, seconds, came, sum(came + gone) OVER (PARTITION BY stratum ORDER BY seconds DESC) AS at_risk
  FROM steps
)
WHERE came > 0`,
	}
}

func maturityView() View {
	return View{
		Name: ViewMaturity,
		Doc:  "What is known of each window of each model now: the share of the labels it will ever get that are in, with its 95 % interval, when nine tenths will be in, and the verdict; deploy_hash is empty for all deploys together. From the findings of the last hour.",
		Example: `SELECT model, deploy_hash, window, labels_in, mature_at, verdict
FROM maturity ORDER BY model, deploy_hash, window`,
		SQL: `SELECT model, deploy_hash, window, max(at) AS looked, argMaxIf(window_end, at, measure = 'labels_in') AS until,
  argMaxIf(findings.value, at, measure = 'labels_in') AS labels_in, argMaxIf(findings.low, at, measure = 'labels_in') AS low, argMaxIf(findings.high, at, measure = 'labels_in') AS high,
  argMaxIf(findings.coverage, at, measure = 'labels_in') AS coverage,
  argMaxIf(if(isFinite(findings.value), toDateTime(window_end) + toIntervalSecond(toInt64(findings.value)), NULL), at, measure = 'mature_in_seconds') AS mature_at,
  argMaxIf(verdict, at, measure = 'labels_in') AS verdict
FROM findings
WHERE signal = 'maturity' AND feature = '' AND at >= now() - INTERVAL 1 HOUR
GROUP BY model, deploy_hash, window`,
	}
}
