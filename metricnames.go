package plumbline

// MetricErrorRatio is the recording-rule name under which PromQL sees the bad
// share of a window such as "1h"; the names are Sloth's, so its dashboards read
// ours.
func MetricErrorRatio(window string) string { return "slo:sli_error:ratio_rate" + window }

// MetricErrorRatioLow is the lower end of the 95 % interval of
// MetricErrorRatio: a page needs it beyond the threshold.
func MetricErrorRatioLow(window string) string { return "slo:sli_error:ratio_low" + window }

// MetricNoise is the chance, a minute, that noise at exactly the target starts
// what the pair with this long window would alert on.
func MetricNoise(window string) string { return "slo:sli_error:ratio_noise" + window }

// MetricCoverage is the share of a window's predictions whose label is known.
func MetricCoverage(window string) string { return "slo:sli_coverage:ratio_rate" + window }

// MetricEstimate is the estimated bad share of a window that ends with the last
// full hour, most of its labels unknown.
func MetricEstimate(window string) string { return "slo:sli_estimate:ratio_rate" + window }

// MetricEstimateLow is a lower bound of MetricEstimate that holds over all the
// hours of a year, but for the false pages that a model may cost in it.
func MetricEstimateLow(window string) string { return "slo:sli_estimate:ratio_low" + window }

// MetricEstimateHigh is the upper bound that goes with MetricEstimateLow.
func MetricEstimateHigh(window string) string { return "slo:sli_estimate:ratio_high" + window }

// MetricEstimateSince is MetricEstimateHigh where it may speak against a burn that
// labels show: by a proven estimate, which labels agree with, of a window that
// began after the labels' windows end.
func MetricEstimateSince(window string) string { return "slo:sli_estimate_since:ratio_high" + window }

// MetricEstimateProven is 1 where a page may rest on MetricEstimate: past ones held
// as promised and labels do not contradict it. It is 0 where not.
func MetricEstimateProven(window string) string { return "slo:sli_estimate:proven" + window }

// MetricEstimateAhead is 1 while labels do not tell enough of a window that ends as
// late as that of MetricEstimate, and 0 from then on.
func MetricEstimateAhead(window string) string { return "slo:sli_estimate:ahead" + window }

// MetricEstimateCoverage is the share of the window's predictions whose label is
// known.
func MetricEstimateCoverage(window string) string { return "slo:sli_estimate:coverage" + window }

// MetricFresh is 1 per SLO while at least one of its error ratios is being
// refreshed; its absence is what missing data looks like.
const MetricFresh = "slo:sli_error:fresh"

// MetricBudgetLeft is the share of the error budget of an SLO's period that is left, of
// all deploys together; the name is Sloth's. It is below 0 where it is overspent, and
// missing where too little of the period was seen.
const MetricBudgetLeft = "slo:period_error_budget_remaining:ratio"
