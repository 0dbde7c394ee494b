// Package figure prints what a benchmark or an evaluation measured: one JSON
// line a figure on one writer, for programs, and a table on another, for
// people. It judges a figure against its goal and nothing more: a figure that
// falls short is printed as it is. It imports nothing of ours.
package figure

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Figure is one measured number and the bar it is held against.
type Figure struct {
	Name  string  `json:"figure"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal"`
	Met   bool    `json:"met"`
}

// AtMost returns a figure that meets its goal at or below the bar. NaN never
// meets one.
func AtMost(name string, value float64, unit string, bar float64) Figure {
	return Figure{Name: name, Value: value, Unit: unit, Goal: fmt.Sprintf("<= %g", bar), Met: value <= bar}
}

// AtLeast returns a figure that meets its goal at or above the bar.
func AtLeast(name string, value float64, unit string, bar float64) Figure {
	return Figure{Name: name, Value: value, Unit: unit, Goal: fmt.Sprintf(">= %g", bar), Met: value >= bar}
}

// Exactly returns a figure that meets its goal at the bar alone.
func Exactly(name string, value float64, unit string, bar float64) Figure {
	return Figure{Name: name, Value: value, Unit: unit, Goal: fmt.Sprintf("= %g", bar), Met: value == bar}
}

// Print writes every figure, one JSON line each to lines and a table row each
// to table. A NaN or an infinity has no JSON number: its value is written as
// -1 and its goal is not met.
func Print(lines, table io.Writer, figures ...Figure) error {
	out := json.NewEncoder(lines)
	out.SetEscapeHTML(false)
	for _, f := range figures {
		if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
			f.Value, f.Met = -1, false
		}
		if err := out.Encode(f); err != nil {
			return fmt.Errorf("print figure %s: %w", f.Name, err)
		}
		met := "met"
		if !f.Met {
			met = "NOT MET"
		}
		if _, err := fmt.Fprintf(table, "%-52s %14.6g %-10s %-12s %s\n", f.Name, f.Value, f.Unit, f.Goal, met); err != nil {
			return fmt.Errorf("print figure %s: %w", f.Name, err)
		}
	}
	return nil
}
