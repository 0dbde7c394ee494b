// Package quality says how often a model was right, from the labels that are
// in: accuracy with its interval, and the share of predictions that have a
// label at all, without which accuracy means little.
//
// It reads outcome cells and request counts only. It does not guess what the
// missing labels will say: an estimate before labels is another signal.
package quality
