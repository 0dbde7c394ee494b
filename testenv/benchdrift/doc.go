// Package benchdrift makes the world that bench-drift measures in: hourly
// rollups as months of real traffic leave them behind, and raw rows beside them.
// The engine makes both by itself; no event is ever produced. This package
// judges nothing.
package benchdrift
