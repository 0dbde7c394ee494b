// Package burn says how fast a service level objective burns its budget.
//
// EvaluateCounts does so for events that are counted as they come, with the
// chance that noise did it (noise.go). Evaluate does for labels, at F, the latest
// minute up to which enough of the predictions have theirs (docs/decisions/0007),
// and EvaluateNowcast for estimates before labels, up to the last full hour (0022).
// All three are pure. Reader fetches the minutes of labels, as known now or at a
// past instant, and Replay runs both clocks over the past; the counts come from
// analyze/burn/count. Whether a breach pages is for the rules to say.
package burn
