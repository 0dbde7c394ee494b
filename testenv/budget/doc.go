// Package budget measures what package alarm promises and what the drift
// measures find: how many false tickets quiet months bring under several kinds
// of dependence, and how surely and how soon real changes are seen.
//
// Everything is simulated from a seed, except for the flights, which are real.
// The bars of the figures stay where they are; a short run has few months, so
// the Poisson bound of its count may miss the bar by chance alone.
package budget
