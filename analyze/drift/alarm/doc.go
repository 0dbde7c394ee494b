// Package alarm decides when a feature that moved deserves a ticket. The budget
// is a rate: at most so many false tickets are expected in a quarter, over all
// features, segments, measures and references of a model.
//
// A Detector watches one distance in blocks of equal length, whole days where
// there is a daily season. Each block's distance is judged twice: against the
// noise of its counts around the least effect that matters, and against how far
// this very feature strayed on past quiet blocks. The larger p-value becomes an
// e-value, and the e-values of blocks that lie far enough apart to be taken as
// independent are accumulated by the Shiryaev-Roberts recursion of Shin, Ramdas
// and Rinaldo 2023 ("E-detectors", arXiv 2203.03532, section 2), restarted at
// every ticket. One ticket is opened for a change; the next one needs a return
// to quiet or another reference.
//
// OwnDispersion learns from past quiet blocks how much counts vary. Auto chooses a
// reference from past windows alone. Rank orders what a ticket lists and opens
// none.
//
// The package is pure: numbers in, numbers out. It reads nothing and has no
// clock.
package alarm
