// Package budget says what is left of the error budget of an objective's period.
//
// It sums what is stored: labelled predictions (outcome_cells), counted events or
// slices of time (sli), all deploys together. It is for text, dashboards and people.
// No rule pages by it: by the time that a budget is spent the burn rates have.
package budget
