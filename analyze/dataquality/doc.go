// Package dataquality says what is wrong with the events themselves, whatever a
// model makes of them: features that change their type, and predictions that are
// delivered twice.
//
// Type changes are read from rollups. Repeated identifiers cannot be: counts
// know no identity, so these are read from the raw rows of one closed hour at a
// time, once. The package judges events only; that a feature's values have moved
// is drift.
package dataquality
