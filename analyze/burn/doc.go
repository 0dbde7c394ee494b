// Package burn says how fast a service level objective on quality burns its
// budget, at the one time at which that can be said: F, the latest minute up to
// which enough of the predictions have their label (docs/decisions/0007).
//
// Evaluate is pure: minutes in, two windows out. Reader fetches the minutes,
// as known now from the cells, or as known at any past instant from the
// outcomes. The package compares a share with a threshold; whether that pages
// is for the rules to say.
package burn
