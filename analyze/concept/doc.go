// Package concept says whether the truth has moved: which labels come (label
// drift), and which come for one and the same prediction (concept drift), the
// change of P(label | prediction) that no input shows.
//
// Predictions are put into strata by predicted class and tenth of the score, or
// by the magnitude of a predicted number. Within each, the labels of a window
// are compared with those of a reference by package measure; the strata are then
// combined, so a change of the mix of predictions alone is no concept drift.
//
// Both samples count only the labels that came within one delay of their
// prediction, and the window ends that delay ago: early labels are compared with
// early labels. Reader reads the table outcomes, raw rows of single predictions:
// it never feeds a page.
package concept
