// Package proxy looks at signals that speak before labels do: how sure the model
// is of its answers, how far the members of an ensemble are from one answer, how
// many predictions carry an explanation, and the business figures that producers
// send. None of them is quality. They say that something is unusual, hours or
// weeks before a label can say that it is wrong.
//
// Each is compared with the same hours of the weeks before (Compare), because
// what a business does on a Sunday night differs from what it does on a Monday
// morning by more than any fault. The weeks are what is sampled: their spread
// holds whatever makes one week differ from another, which the noise of events
// within a window does not. So the interval is wide with few weeks, and there is
// none with fewer than four.
//
// The package reads rollups and the readings of kpis, writes nothing, and decides
// nothing that pages.
package proxy
