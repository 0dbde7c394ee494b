// Package incidents plays incidents against two alerting replicas and two
// evaluators, all processes of their own, with a fake Slack and PagerDuty and an
// embedded Kafka between them, kills them, and counts what people were told. What
// burns is a script: the rules before it and the events before them are shown
// elsewhere.
package incidents
