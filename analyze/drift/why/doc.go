// Package why takes a distance between two samples apart: which features,
// segments, deploys and hours carry it, and which values moved, as shares that
// add up to 1.
//
// A distance that is a sum over cells is taken apart exactly. The part of one
// cell is the integrated gradient of the distance along the straight line from
// the reference's shares to the current ones; within a cell the change of the
// share is a sum over the parts of the window, and each part gets its own
// change's portion. That is the Aumann-Shapley value of the game in which
// every part of the window moves from the reference to what it is (Aumann &
// Shapley 1974, ch. III; Sundararajan, Taly & Yan 2017, section 3): it adds up,
// a part that equals the reference gets nothing, and parts of equal change get
// the same a request. A part that moved against the rest has a negative share.
//
// Where the reference is divided as the window is (segments), the change of a
// share is divided into what moved within a segment and what moved because
// segments have other parts of the traffic, by averaging over both orders
// (Kitagawa 1955), so that a segment which was always different explains
// nothing by being so.
//
// The maths is pure, on counts. Reader fetches the parts of a window from the
// hourly rollups. Shares say what a distance is made of; they are no causes,
// they are no test, and nothing here alarms.
package why
