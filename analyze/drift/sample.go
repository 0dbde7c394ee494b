package drift

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
}

// Present returns the number of requests that carried the feature, null or not.
func (s Sample) Present() uint64 {
	n := s.Numbers.Total() + s.Other + s.Nulls + s.NaNs + s.Infs
	for _, c := range s.Values {
		n += c
	}
	return n
}

// Total returns the number of requests.
func (s Sample) Total() uint64 { return s.Present() + s.Absent }

// withRequests fills in Absent from the number of requests of the window.
func (s Sample) withRequests(requests uint64) Sample {
	s.Absent = 0
	if present := s.Present(); requests > present {
		s.Absent = requests - present
	}
	return s
}
