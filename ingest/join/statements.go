package join

import (
	_ "embed" // the statements
	"strings"
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

// withTouched puts the shared subquery into a statement.
func withTouched(statement string) string {
	return strings.Replace(statement, "/*touched*/", touchedSQL, 1)
}
