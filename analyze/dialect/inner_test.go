package dialect

import (
	"math"
	"slices"
	"testing"
)

// The p-values were printed by scipy 1.17.1's kstwo.sf(d, n), whose own
// approximation beyond 140 rows is off by about 1e-7; ours is the exact form.
func TestOneSampleKS(t *testing.T) {
	for _, tt := range []struct {
		d    float64
		n    int
		want float64
	}{
		{0.05, 100, 0.9532159710635725},
		{0.1, 500, 8.342293067263533e-05},
		{0.03, 745, 0.5042594524431772},
		{0.02, 1000, 0.8108971656895577},
		{0.2, 20, 0.352720173623415},
		{0.08, 745, 0.0001354320665881486},
		{0.001, 100, 1},
		{1, 10, 0},
	} {
		if got := oneSampleKS(tt.d, tt.n); math.Abs(got-tt.want) > 1e-6*math.Max(tt.want, 1e-6) {
			t.Errorf("d %v of %d rows: p %v, scipy prints %v", tt.d, tt.n, got, tt.want)
		}
	}
}

// RandomState(42).permutation(10) and randint(0, 2**32, 1, dtype=uint32), by NumPy.
func TestMersenne(t *testing.T) {
	x := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	newMersenne(42).permute(x)
	for i, want := range []int{8, 1, 5, 0, 7, 2, 9, 4, 3, 6} {
		if x[i] != want {
			t.Fatalf("permutation %v, NumPy's begins differently at %d", x, i)
		}
	}
	rng := newMersenne(42)
	if got := rng.uint32(); got != 1608637542 {
		t.Errorf("first number %d, want 1608637542", got)
	}
}

// argsort leaves ties where NumPy 2.4.6 does without vector sorting:
// numpy.argsort(numpy.array([(i*i + 7*i) % 5 for i in range(40)], dtype=float)).
func TestArgsortOfTies(t *testing.T) {
	values := make([]float64, 40)
	for i := range values {
		values[i] = float64((i*i + 7*i) % 5)
	}
	want := []int{
		0, 20, 15, 35, 13, 23, 10, 18, 25, 5, 28, 3, 33, 30, 8, 38, 26, 27, 22, 21,
		16, 31, 12, 11, 36, 7, 6, 37, 2, 1, 17, 32, 34, 19, 24, 14, 9, 4, 29, 39,
	}
	if got := argsort(values); !slices.Equal(got, want) {
		t.Errorf("order %v, NumPy's %v", got, want)
	}
}
