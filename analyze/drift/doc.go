// Package drift says how far what a model sees now is from what it was trained
// on: the population stability index of each feature, from counts alone.
//
// A feature over a window is a Sample: a histogram on the one grid, and counts
// of its categories, nulls and the rest. The bins of a comparison are cut on
// the reference only, at edges of the grid, so current data never moves them
// and any window against any reference is a merge of counts. Every distance
// comes with the value that noise alone would give it for these sample sizes.
//
// The maths is pure. Reader fetches samples from the hourly rollups; it never
// reads raw rows, and nothing here decides what pages.
package drift
