package join

import (
	_ "embed" // the statements
	"slices"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

//go:embed sql/touched.sql
var touchedSQL string

//go:embed sql/waiting.sql
var waitingSQL string

//go:embed sql/again.sql
var againSQL string

//go:embed sql/labels.sql
var labelsSQL string

//go:embed sql/outcomes.sql
var outcomesSQL string

//go:embed sql/days.sql
var daysSQL string

//go:embed sql/index.sql
var indexSQL string

//go:embed sql/index_labels.sql
var indexLabelsSQL string

//go:embed sql/stale.sql
var staleSQL string

//go:embed sql/places.sql
var placesSQL string

//go:embed sql/cells.sql
var cellsSQL string

//go:embed sql/hours.sql
var hoursSQL string

//go:embed sql/priced.sql
var pricedSQL string

//go:embed sql/summed.sql
var summedSQL string

//go:embed sql/histories.sql
var historiesSQL string

//go:embed sql/verify_hours.sql
var verifyHoursSQL string

//go:embed sql/counts.sql
var countsSQL string

//go:embed sql/met.sql
var metSQL string

//go:embed sql/misdirected.sql
var misdirectedSQL string

//go:embed sql/cursors.sql
var cursorsSQL string

//go:embed sql/pending.sql
var pendingSQL string

//go:embed sql/verify.sql
var verifySQL string

// withTouched puts the shared subqueries into a statement, and what is computed
// of a prediction.
func withTouched(statement string) string {
	places := strings.Replace(placesSQL, "/*labels*/", labelsSQL, 1)
	return ofPrediction(strings.NewReplacer("/*touched*/", touchedSQL, "/*places*/", places, "/*labels*/", labelsSQL, "/*met*/", metSQL).Replace(statement))
}

// rows is the condition of the rows that news with this prefix names. The range of
// Kafka timestamps lets the index skip what is older, and that of event times whole
// days of predictions: the indexes of all days would cost as much as there are days.
func rows(prefix string, byDay bool) string {
	condition := "known >= fromUnixTimestamp64Milli({$_known_min:Int64}, 'UTC') AND known <= fromUnixTimestamp64Milli({$_known_max:Int64}, 'UTC')"
	if byDay {
		condition += " AND ts >= fromUnixTimestamp64Milli({$_ts_min:Int64}, 'UTC') AND ts <= fromUnixTimestamp64Milli({$_ts_max:Int64}, 'UTC')"
	}
	const place = "[concat(_topic, '/', _epoch, '/', toString(_partition))]"
	condition += " AND _offset >= {$_from:Map(String, Int64)}" + place + " AND _offset < {$_to:Map(String, Int64)}" + place
	return strings.ReplaceAll(condition, "$", prefix)
}

// ofPrediction puts in the number of requests that a row of predictions stands
// for, the names of its declared segments, and how its day is found.
func ofPrediction(statement string) string {
	statement = strings.NewReplacer("/*priced*/", pricedSQL, "/*summed*/", summedSQL, "/*histories*/", historiesSQL).Replace(statement)
	names, zeros, totals := hourSums()
	negatives, unequal := hourDifferences()
	return strings.NewReplacer("/*requests*/", plumbline.RequestsSQL, "/*segments*/", segment.SQL, "/*inverse*/", inverseSQL,
		"/*id hash*/", plumbline.IDHashSQL, "/*id day*/", plumbline.IDDaySQL, "/*id known*/", plumbline.IDKnownSQL, "/*day hash*/", plumbline.HashOfIDDaySQL, "/*day*/", plumbline.DayOfIDDaySQL,
		"/*new labels*/", rows("labels", false), "/*new predictions*/", rows("predictions", true),
		"/*unindexed labels*/", rows("index_labels", false), "/*unindexed predictions*/", rows("index_predictions", true),
		"/*bucket*/", grid.SQLBucket("x"), "/*sums*/", names, "/*zeros*/", zeros, "/*totals*/", totals,
		"/*negatives*/", negatives, "/*unequal*/", unequal).Replace(fixed().Replace(statement))
}

// inverseSQL is what a labelled prediction stands for by its propensity; 0
// without one. The bound is that of weights: one label must not drown all others.
const inverseSQL = "if(isNull(propensity), 0., least(toFloat64(times) / assumeNotNull(propensity), 1e9))"

// fixed replaces the marks of numbers as whole ones of a unit: the floats that are
// to be, their upper parts, and what is put together. ClickHouse's own conversion
// of a float64 is not exact from 2^63 on, and not the same everywhere, so the
// numbers are put together from limbs of 60 bits, each of which is: two hold what
// is below 2^122, four what is below 2^242.
func fixed() *strings.Replacer {
	const limb, two = "1152921504606846976.", "1329227995784915872903807060280344576." // 2^60 and 2^120
	limbs := func(typ, x string) string {
		return "(bitShiftLeft(to" + typ + "(1), 60) * toInt64(trunc(" + x + " / " + limb + ")) + toInt64(" + x + " - trunc(" + x + " / " + limb + ") * " + limb + "))"
	}
	return strings.NewReplacer(
		"/*nano*/(", "arrayMap(v -> roundBankers(v * 1e9), array(", "/*atto*/(", "arrayMap(v -> roundBankers(v * 1e18), array(",
		"AS nano_floats", ") AS nano_floats", "AS atto_floats", ") AS atto_floats",
		"/*nano parts*/", "nano_floats", "/*atto parts*/", "arrayMap(r -> trunc(r / "+two+"), atto_floats)",
		"/*nano whole*/", "arrayMap(r -> "+limbs("Int128", "r")+", nanos)",
		"/*atto whole*/", "arrayMap((r, high) -> bitShiftLeft(toInt256(1), 120) * "+limbs("Int256", "high")+" + "+limbs("Int256", "(r - high * "+two+")")+", atto_floats, attos)")
}

// sums are the columns of outcome_hours that add up.
func sums() []plumbline.Column {
	for _, t := range plumbline.Tables() {
		if t.Name == plumbline.TableOutcomeHours {
			first := slices.IndexFunc(t.Columns, func(c plumbline.Column) bool { return c.Name == "count" })
			return t.Columns[first : len(t.Columns)-1]
		}
	}
	return nil
}

// hourSums lists the sums of outcome_hours: their names, an absence of each, and
// how they add up.
func hourSums() (names, zeros, totals string) {
	var all, none, added []string
	for _, c := range sums() {
		all = append(all, c.Name)
		if c.Type == plumbline.TypeChanges {
			none = append(none, "CAST(([], []), '"+string(c.Type)+"')")
			added = append(added, "sumMap("+c.Name+".1, "+c.Name+".2)")
			continue
		}
		none = append(none, "to"+string(c.Type)+"(0)")
		added = append(added, "sum("+c.Name+")")
	}
	return strings.Join(all, ", "), strings.Join(none, ", "), strings.Join(added, ", ")
}

// hourDifferences lists the sums of outcome_hours negated, and the condition that
// sums with such are not zero.
func hourDifferences() (negatives, unequal string) {
	var less, different []string
	for _, c := range sums() {
		if c.Type == plumbline.TypeChanges {
			less = append(less, "tuple("+c.Name+".1, arrayMap(c -> -c, "+c.Name+".2))")
			different = append(different, "notEmpty(sumMap("+c.Name+".1, "+c.Name+".2).1)")
			continue
		}
		less = append(less, "-"+c.Name)
		different = append(different, "sum("+c.Name+") != 0")
	}
	return strings.Join(less, ", "), strings.Join(different, " OR ")
}
