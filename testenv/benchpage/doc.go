// Package benchpage measures how long after the earliest moment that its rule
// allows a page reaches PagerDuty: `plumbline serve` as users run it, fed with the
// live traffic of many models, of which one after the other begins to fail.
//
// The earliest moment is a closed form, Tally: the event that takes both windows
// of a pair beyond their threshold, by the exact counts of what was produced. It
// counts by the minutes that the rules count by. A window of whole minutes holds
// less that is old than one that slides, so it is never later than the workbook's.
//
// What is older than the live traffic is produced first, few events with large
// weights: it fills the long windows, so that the pairs cross in the order in
// which they do on an endpoint that has been up for days.
package benchpage
