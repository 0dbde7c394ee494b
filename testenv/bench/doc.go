// Package bench has the parts that the benchmark commands share: events of one
// shape in every format, child processes that play one role each, and the CPU
// time and memory of processes as Linux counts them. The commands below cmd
// measure; this package judges nothing.
package bench
