// Package multivariate says whether the rows of two windows can be told apart
// by all their features together: the classifier two-sample test (Lopez-Paz &
// Oquab 2017; Kim, Ramdas, Singh & Wasserman 2021). A logistic regression
// learns to tell window from reference on a part of the rows, and how well it
// does on the others is the distance: the area under the ROC curve, 0.5 where
// nothing differs.
//
// It finds what one feature after the other cannot show: products of two
// features are terms, so a changed correlation is found where no feature moved.
// What is neither a shift, nor a spread, nor a correlation of two, nor a
// frequency of a category can escape it.
//
// The package is pure, on rows in memory, and deterministic. It is computed on
// demand, on a sample of raw rows; it pages nobody, feeds no finding, and may
// not.
package multivariate
