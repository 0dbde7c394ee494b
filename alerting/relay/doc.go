// Package relay carries the alerts of one evaluator to every alerting replica
// until each has said that they are on its disk. It decides nothing: who
// evaluates is the caller's, grouping and paging are the replicas'.
package relay
