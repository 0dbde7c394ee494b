// Package dataquality says what is wrong with the events themselves, whatever a
// model makes of them: features that are null, missing, constant, stale, out of
// range or of another type than before, and predictions that are delivered
// twice.
//
// Every check is declared once, in Table, with the effect from which it matters;
// each has a file of its own, which holds its Check and the maths of it. A check
// compares a feature in a window with the same feature in a reference, by a test
// that takes neither for free of noise, and is pure: Reader fetches what it
// compares from the hourly rollups. To add one, write its file, name it in
// Table, and run make generate: findings, panel and the page
// docs/data-quality.md follow.
//
// Repeated identifiers cannot be read from rollups: counts know no identity, so
// these are read from the raw rows of one closed hour at a time, once. The
// package judges events only; that the distribution of a feature has moved is
// drift.
package dataquality
