package join

import (
	_ "embed" // the statements
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
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

// withTouched puts the shared subquery into a statement, and the number of
// requests that a prediction stands for.
func withTouched(statement string) string {
	return withRequests(strings.Replace(statement, "/*touched*/", touchedSQL, 1))
}

func withRequests(statement string) string {
	return strings.Replace(statement, "/*requests*/", plumbline.RequestsSQL, 1)
}
