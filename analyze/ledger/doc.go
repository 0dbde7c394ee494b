// Package ledger keeps the score of alarms: each quality or drift alarm is judged
// later, by the labels that came in, and the score says how many were right, how
// early they were, and how many drifts led to a rollback.
//
// Nothing is judged before its time. An alarm claims something about a window of
// predictions: that their quality was under a target or, of suspected concept
// drift, that it was not what scores promised. As long as labels are missing that
// could change the answer, and nothing says that they are like those that are in,
// the truth is undecided and the reason is said. A judgement is a function of the
// alarm, of what was promised and of the cells of outcomes, and its reason also of
// how long labels are awaited: it comes out the same by whomever it is made again, so
// its row replaces the one before, and a service that restarts goes on where the
// tables are.
//
// The package reads the tables incidents, findings, outcome_cells, outcome_hours,
// series_minute and deployments. It writes nothing, and pages nobody: an alarm that
// was wrong is a reason to change its objective.
package ledger
