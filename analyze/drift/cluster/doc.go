// Package cluster says how much events that belong together, such as those of
// one user or one request, make counts vary beyond those of independent events.
//
// What belongs together is declared: the key of an event's segments or the name
// of a feature whose equal values are one cluster. [Keeper] reads whole clusters
// of one day from the raw rows, a sample of them where there are many, at most
// once a day for each model, and keeps what it found as [Effects]: the design
// effect of each series, by the variance between clusters of the shares of its
// cells (Rao and Scott 1981, "The analysis of categorical data from complex
// sample surveys", section 3; Kish 1965, section 8.2).
//
// The package decides nothing and writes nothing. It is the one part of what
// drift is judged by that reads raw rows, for models that declare a key alone.
package cluster
