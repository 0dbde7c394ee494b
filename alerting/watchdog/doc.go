// Package watchdog notices that the service has gone blind: nothing is ingested
// though there is something, no rule is evaluated, an SLO says nothing any more,
// alerts are not handled. What it finds goes the way of all alerts, and past it
// to PagerDuty where that way itself is stuck. Nothing it does waits for what it
// watches. That the whole process is gone is for another process to notice: the
// heartbeat stops, and whoever receives it pages; Receiver is one.
package watchdog
