package join

import (
	_ "embed" // the statements
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/segment"
)

//go:embed sql/touched.sql
var touchedSQL string

//go:embed sql/outcomes.sql
var outcomesSQL string

//go:embed sql/cells.sql
var cellsSQL string

//go:embed sql/counts.sql
var countsSQL string

//go:embed sql/cursors.sql
var cursorsSQL string

//go:embed sql/pending.sql
var pendingSQL string

//go:embed sql/verify.sql
var verifySQL string

// withTouched puts the shared subquery into a statement, and what is computed
// of a prediction.
func withTouched(statement string) string {
	return ofPrediction(strings.Replace(statement, "/*touched*/", touchedSQL, 1))
}

// ofPrediction puts in the number of requests that a row of predictions stands
// for, and the names of its declared segments.
func ofPrediction(statement string) string {
	return strings.NewReplacer("/*requests*/", plumbline.RequestsSQL, "/*segments*/", segment.SQL).Replace(statement)
}
