package drift

import (
	"math"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Sample is one feature over one window: how often each value was delivered.
type Sample struct {
	// Numbers holds the finite numeric values.
	Numbers Histogram
	// Values holds the categories, and Other those over the cap of a rollup.
	Values map[string]uint64
	Other  uint64
	// Nulls, NaNs and Infs have no place on the grid.
	Nulls, NaNs, Infs uint64
	// Absent counts requests that did not carry the feature at all.
	Absent uint64
	// Grid is the version of the grid that Numbers are counted on; empty means
	// grid.Full. Samples on different grids cannot be compared. Elsewhere counts
	// the values of the window that were counted on another one.
	Grid      grid.Version
	Elsewhere uint64
	// Weight is how many requests a delivery of the window stands for on
	// average, where the producer samples; 0 and 1 mean one. Shares are those of
	// the requests, but a sample is only as large as its deliveries. That is
	// exact where all weigh the same; where they do not, they know less than
	// their number says, and noise is underrated somewhat.
	Weight float64
}

// deliveries returns from how many deliveries a number of requests was counted.
func (s Sample) deliveries(requests uint64) uint64 {
	if s.Weight <= 1 {
		return requests
	}
	return uint64(math.Round(float64(requests) / s.Weight))
}

// Present returns the number of requests that carried the feature, null or not.
func (s Sample) Present() uint64 {
	n := s.Numbers.Total() + s.Elsewhere + s.Other + s.Nulls + s.NaNs + s.Infs
	for _, c := range s.Values {
		n += c
	}
	return n
}

// Total returns the number of requests.
func (s Sample) Total() uint64 { return s.Present() + s.Absent }

// within fills in what the requests of the window tell.
func (s Sample) within(w Window) Sample {
	s.Absent, s.Weight = 0, w.Weight()
	if present := s.Present(); w.Requests > present {
		s.Absent = w.Requests - present
	}
	return s
}
