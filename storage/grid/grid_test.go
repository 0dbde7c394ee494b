package grid

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestBucketKnownValues(t *testing.T) {
	tests := []struct {
		name string
		v    float64
		want int32
	}{
		{"zero", 0, 0},
		{"negative zero", math.Copysign(0, -1), 0},
		{"one", 1, 1023 << 8},
		{"just under the next bucket", math.Nextafter(1+1.0/256, 0), 1023 << 8},
		{"the next bucket", 1 + 1.0/256, 1023<<8 + 1},
		{"minus one", -1, -(1023 << 8) - 1},
		{"smallest denormal", math.SmallestNonzeroFloat64, 0},
		{"largest", math.MaxFloat64, 2046<<8 + 255},
		{"most negative", -math.MaxFloat64, -(2046<<8 + 255) - 1},
	}
	for _, tt := range tests {
		if got := Bucket(tt.v); got != tt.want {
			t.Errorf("%s: Bucket(%g) = %d, want %d", tt.name, tt.v, got, tt.want)
		}
	}
}

func TestIntegersTo511AreExact(t *testing.T) {
	for i := 0; i < 511; i++ {
		if Bucket(float64(i)) == Bucket(float64(i+1)) {
			t.Fatalf("%d and %d share bucket %d", i, i+1, Bucket(float64(i)))
		}
	}
	if Bucket(512) != Bucket(513) {
		t.Fatal("512 and 513 lie in different buckets: the documented limit of 511 is stale")
	}
}

// The oracle is arithmetic on big.Float, not on bits: the bucket of v is found
// by dividing by a power of two.
func TestBucketAgainstBigFloat(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		v := math.Float64frombits(r.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) < 0x1p-1022 {
			continue
		}
		fraction := new(big.Float)
		exponent := new(big.Float).SetFloat64(math.Abs(v)).MantExp(fraction) // [0.5, 1)
		scaled, _ := new(big.Float).Mul(fraction, big.NewFloat(512)).Int64() // [256, 512)
		want := int32((exponent-1+1023)<<8) + int32(scaled-256)
		if v < 0 {
			want = -want - 1
		}
		if got := Bucket(v); got != want {
			t.Fatalf("Bucket(%g) = %d, want %d", v, got, want)
		}
	}
}

func FuzzOrder(f *testing.F) {
	f.Add(1.0, 2.0)
	f.Add(-1.0, 1.0)
	f.Add(math.Copysign(0, -1), 0.0)
	f.Fuzz(func(t *testing.T, a, b float64) {
		if math.IsNaN(a) || math.IsNaN(b) || math.IsInf(a, 0) || math.IsInf(b, 0) {
			return
		}
		if a > b {
			a, b = b, a
		}
		if Bucket(a) > Bucket(b) {
			t.Fatalf("%g <= %g but bucket %d > %d", a, b, Bucket(a), Bucket(b))
		}
		if Edge(Bucket(a)) > a || Edge(Bucket(a)+1) < a {
			t.Fatalf("%g lies outside its edges [%g, %g]", a, Edge(Bucket(a)), Edge(Bucket(a)+1))
		}
		if ToCoarse(Bucket(a)) > ToCoarse(Bucket(b)) {
			t.Fatal("the coarse grid breaks the order")
		}
		if a != 0 && Bucket(-a) != -Bucket(a)-1 {
			t.Fatalf("%g and its negative are not mirrored: %d, %d", a, Bucket(a), Bucket(-a))
		}
	})
}

func TestOddsBucketKeepsTheOrderOfProbabilities(t *testing.T) {
	last := int32(-1)
	for i := 0; i <= 1_000_000; i++ {
		b := OddsBucket(float64(i) / 1_000_000)
		if b < last {
			t.Fatalf("p = %d/1e6 has bucket %d below %d", i, b, last)
		}
		last = b
	}
	if OddsBucket(1) != 2047<<8 {
		t.Fatalf("p = 1 has bucket %d, want %d", OddsBucket(1), 2047<<8)
	}
}
