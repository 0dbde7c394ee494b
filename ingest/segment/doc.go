// Package segment declares the slices of a model's traffic that are counted
// apart, and says how each is spelled: key=value, key=other for every value
// that is not listed, and a=x,b=y for a joint segment. It is what ingest, the
// recomputation of rollups in SQL and the join agree on, so that all three
// count an event in the same segments.
//
// It holds declarations only: it reads no table, counts nothing, and may import
// nothing of ours but the domain.
package segment
