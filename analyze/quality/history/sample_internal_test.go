package history

import "testing"

// Of predictions with many features fewer are looked at, so that what they hold in memory
// stays some 160 MB, and never too few to choose by.
func TestSamplesOfWideModelsAreShorter(t *testing.T) {
	for width, want := range map[uint64]uint64{0: 20_000, 10: 20_000, 100: 20_000, 200: 10_000, 1_000: 2_000, 5_000: 1_000} {
		if got := sampleOf(width); got != want {
			t.Errorf("%d of %d features, want %d", got, width, want)
		}
	}
}
