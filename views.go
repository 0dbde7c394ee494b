package plumbline

// ViewName names a view of the schema.
type ViewName string

// The views.
const ViewPredictionsWhole ViewName = "predictions_whole"

// View declares one view once: its DDL and its place in the table reference are
// derived from it.
type View struct {
	Name ViewName
	Doc  string
	// Example is how it is asked.
	Example string
	// SQL is the SELECT behind it. It may have ClickHouse query parameters, which
	// the one who asks fills in as view(name = value).
	SQL string
}

// Views returns every view.
func Views() []View {
	return []View{
		predictionsWholeView(),
		driftView(),
		labelledView(),
		confusionView(),
		qualityView(),
		fairnessView(),
		incidentTimesView(),
		alarmPrecisionView(),
		alarmLeadView(),
		driftRollbackView(),
		labelDelayView(),
		maturityView(),
		unmatchedLabelsView(),
		unjoinedLabelsView(),
	}
}

func predictionsWholeView() View {
	return View{
		Name: ViewPredictionsWhole,
		Doc:  "One row a prediction of a model in a range of event time, the halves of an exchange merged: features and time of the request, score, class and status of the response, latency_ms between the two where neither says it. A request whose response is not there, up to an hour later, has the status unanswered. Repeated deliveries are one row.",
		Example: `SELECT prediction_id, ts, numbers, predicted, status
FROM predictions_whole(model = 'iris', since = '2026-09-21 00:00:00', until = '2026-09-22 00:00:00')`,
		SQL: `SELECT model, deploy_hash, stage, prediction_id, asked AS ts, numbers, categories, nulls, segments, score, predicted, predicted_value,
  coalesce(latency, if(requests > 0 AND responses > 0, toFloat64(dateDiff('millisecond', asked, answered)), NULL)) AS latency_ms, disagreement, explained,
  if(responses = 0, 'unanswered', answer) AS status, weight
FROM (
  SELECT model, deploy_hash, stage, prediction_id,
    countIf(half != 'response') AS requests, countIf(half != 'request') AS responses,
    if(requests > 0, minIf(ts, half != 'response'), min(ts)) AS asked, maxIf(ts, half = 'response') AS answered,
    anyIf(numbers, half != 'response') AS numbers, anyIf(categories, half != 'response') AS categories, anyIf(nulls, half != 'response') AS nulls,
    anyIf(segments, half != 'response') AS segments,
    anyIf(score, half != 'request') AS score, anyIf(predicted, half != 'request') AS predicted, anyIf(predicted_value, half != 'request') AS predicted_value,
    any(latency_ms) AS latency, any(predictions.disagreement) AS disagreement, any(predictions.explained) AS explained, anyIf(status, half != 'request') AS answer, any(weight) AS weight
  FROM predictions
  WHERE model = {model:String} AND ts >= parseDateTime64BestEffort({since:String}, 3, 'UTC') - INTERVAL 1 HOUR AND ts < parseDateTime64BestEffort({until:String}, 3, 'UTC') + INTERVAL 1 HOUR
  GROUP BY model, deploy_hash, stage, prediction_id
)
WHERE asked >= parseDateTime64BestEffort({since:String}, 3, 'UTC') AND asked < parseDateTime64BestEffort({until:String}, 3, 'UTC')`,
	}
}
