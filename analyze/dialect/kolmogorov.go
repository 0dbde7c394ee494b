package dialect

import "math"

// exactKSRows is the number of rows of the larger sample up to which
// scipy.stats.ks_2samp computes the exact p-value.
const exactKSRows = 10_000

// kolmogorovSmirnovP is the two-sided p-value of scipy.stats.ks_2samp: exact up
// to 10,000 rows, beyond that from the one-sample distribution with the
// harmonic number of rows.
func kolmogorovSmirnovP(x, y []float64) float64 {
	d := kolmogorovSmirnov(x, y)
	n, m := len(x), len(y)
	if max(n, m) <= exactKSRows {
		return exactKS(d, n, m)
	}
	rows := float64(n) * float64(m) / float64(n+m)
	return min(max(oneSampleKS(d, int(math.RoundToEven(rows))), 0), 1)
}

// exactKS is the probability that two samples of n and m rows without ties lie
// at least d apart. It follows the share of orderings of both samples that have
// stayed closer than d, over the lattice of how many rows of each were seen, in
// n*m steps.
func exactKS(d float64, n, m int) float64 {
	unit := n / gcd(n, m) * m
	gap := int(math.RoundToEven(d * float64(unit)))
	if gap == 0 {
		return 1
	}
	stepN, stepM := unit/n, unit/m
	apart := func(i, j int) bool {
		return abs(i*stepN-j*stepM) >= gap
	}
	// inside[j] is the probability that a random ordering has passed through
	// (i, j) and was never apart.
	// outside sums what leaves, so that a small p-value keeps its digits.
	inside := make([]float64, m+1)
	outside := 0.0
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			reach := 0.0
			if i == 0 && j == 0 {
				reach = 1
			}
			if i > 0 {
				reach += inside[j] * float64(n-i+1) / float64(n-i+1+m-j)
			}
			if j > 0 {
				reach += inside[j-1] * float64(m-j+1) / float64(n-i+m-j+1)
			}
			if apart(i, j) {
				outside += reach
				reach = 0
			}
			inside[j] = reach
		}
	}
	return min(outside, 1)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// oneSampleKS is the probability that a sample of n rows lies at least d from
// its distribution, two-sided: twice the one-sided probability where both sides
// at once are negligible, and the exact matrix form of Marsaglia, Tsang and
// Wang (2003) elsewhere.
func oneSampleKS(d float64, n int) float64 {
	spread := float64(n) * d * d
	switch {
	case n < 1:
		return math.NaN()
	case d <= 0.5/float64(n):
		return 1
	case d >= 1:
		return 0
	case spread >= 4 || (n > 140 && spread >= 2.2):
		return 2 * oneSidedKS(d, n)
	}
	return 1 - marsaglia(d, n)
}

// oneSidedKS is Smirnov's formula, summed in logarithms.
func oneSidedKS(d float64, n int) float64 {
	total := 0.0
	size := float64(n)
	whole, _ := math.Lgamma(size + 1)
	for j := 0; float64(j) <= size*(1-d) && j <= n; j++ {
		k := float64(j)
		left := 1 - d - k/size
		if left <= 0 {
			break
		}
		below, _ := math.Lgamma(k + 1)
		above, _ := math.Lgamma(size - k + 1)
		total += math.Exp(whole - below - above + (size-k)*math.Log(left) + (k-1)*math.Log(d+k/size))
	}
	return d * total
}

// marsaglia is the distribution function of the two-sided statistic.
func marsaglia(d float64, n int) float64 {
	k := int(float64(n)*d) + 1
	size := 2*k - 1
	h := float64(k) - float64(n)*d
	step := square(size)
	for i := range size {
		for j := range size {
			if i-j+1 >= 0 {
				step[i][j] = 1
			}
		}
	}
	for i := range size {
		step[i][0] -= math.Pow(h, float64(i+1))
		step[size-1][i] -= math.Pow(h, float64(size-i))
	}
	if 2*h-1 > 0 {
		step[size-1][0] += math.Pow(2*h-1, float64(size))
	}
	for i := range size {
		for j := range size {
			for g := 1; g <= i-j+1; g++ {
				step[i][j] /= float64(g)
			}
		}
	}
	power, exponent := matrixPower(step, n)
	result := power[k-1][k-1]
	for i := 1; i <= n; i++ {
		result *= float64(i) / float64(n)
		if result < 1e-140 {
			result *= 1e140
			exponent -= 140
		}
	}
	return result * math.Pow(10, float64(exponent))
}

func square(size int) [][]float64 {
	m := make([][]float64, size)
	for i := range m {
		m[i] = make([]float64, size)
	}
	return m
}

// matrixPower returns the n-th power divided by ten to the exponent.
func matrixPower(m [][]float64, n int) (power [][]float64, exponent int) {
	if n == 1 {
		return m, 0
	}
	half, e := matrixPower(m, n/2)
	power, exponent = product(half, half), 2*e
	if n%2 == 1 {
		power = product(power, m)
	}
	if middle := len(power) / 2; power[middle][middle] > 1e140 {
		for i := range power {
			for j := range power[i] {
				power[i][j] *= 1e-140
			}
		}
		exponent += 140
	}
	return power, exponent
}

func product(a, b [][]float64) [][]float64 {
	out := square(len(a))
	for i := range a {
		for k, v := range a[i] {
			for j := range b[k] {
				out[i][j] += v * b[k][j]
			}
		}
	}
	return out
}
