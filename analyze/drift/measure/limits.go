package measure

import "math"

// kolmogorovTail returns the probability that the greatest absolute value of a
// Brownian bridge is at least x (Smirnov 1939), by whichever of its two series
// converges at once.
func kolmogorovTail(x float64) float64 {
	switch {
	case x <= 0:
		return 1
	case x < 1:
		// Jacobi's form, for small x.
		sum := 0.0
		for k := 1.0; k < 40; k += 2 {
			sum += math.Exp(-k * k * math.Pi * math.Pi / (8 * x * x))
		}
		return 1 - math.Sqrt(2*math.Pi)/x*sum
	default:
		sum, sign := 0.0, 1.0
		for k := 1.0; k < 20; k++ {
			sum += sign * math.Exp(-2*k*k*x*x)
			sign = -sign
		}
		return 2 * sum
	}
}

// kolmogorovMean is the mean of that greatest value.
var kolmogorovMean = math.Sqrt(math.Pi/2) * math.Ln2

// cramerTail returns the probability that the integral of a squared Brownian
// bridge is at least x: Smirnov's integral (Darling 1955), which stays exact far
// out in the tail, where the series of Anderson and Darling (1952) cancels.
// Below 0.002 the probability is 1 to six digits.
func cramerTail(x float64) float64 {
	if x < 0.002 {
		return 1
	}
	const points = 48
	sum, sign := 0.0, 1.0
	for k := 1.0; k < 40; k++ {
		from := (2*k - 1) * math.Pi
		if x*(from*from-math.Pi*math.Pi)/2 > 45 {
			break
		}
		part := 0.0
		for i := range points {
			// theta = from + pi (1 - cos phi)/2 takes the poles off both ends.
			phi := math.Pi * (float64(i) + 0.5) / points
			s := math.Sin(phi / 2)
			theta := from + math.Pi*s*s
			part += math.Exp(-x*theta*theta/2) / math.Sqrt(theta*math.Sin(math.Pi*s*s)) * math.Sin(phi)
		}
		sum += sign * part * math.Pi / points * math.Pi / 2
		sign = -sign
	}
	return math.Min(1, math.Max(0, 2/math.Pi*sum))
}

// cramerLimit standardises the two-sample statistic T to the mean 1/6 and the
// variance 1/45 of its limit (Anderson 1962, eqs. 14 and 15).
type cramerLimit struct{ mean, scale float64 }

func newCramerLimit(n, m float64) cramerLimit {
	k, total := n*m, n+m
	variance := (total + 1) * (4*k*total - 3*(n*n+m*m) - 2*k) / (45 * total * total * 4 * k)
	return cramerLimit{mean: (1 + 1/total) / 6, scale: math.Sqrt(45 * variance)}
}

// tail returns the p-value of the statistic T.
func (l cramerLimit) tail(t float64) float64 { return cramerTail(1.0/6 + (t-l.mean)/l.scale) }

// quantile returns the T whose p-value is p.
func (l cramerLimit) quantile(p float64) float64 {
	z := bisect(0, 50, func(x float64) bool { return cramerTail(x) > p })
	return l.mean + l.scale*(z-1.0/6)
}

// pearson is a shifted gamma distribution, Pearson's type III, fitted by three
// moments: the tail of what was simulated, beyond what the draws reach.
type pearson struct{ mean, sd, skew float64 }

func fitPearson(values []float64) pearson {
	var p pearson
	n := float64(len(values))
	for _, v := range values {
		p.mean += v / n
	}
	var second, third float64
	for _, v := range values {
		d := v - p.mean
		second += d * d / n
		third += d * d * d / n
	}
	p.sd = math.Sqrt(second)
	if p.sd > 0 {
		p.skew = third / (second * p.sd)
	}
	return p
}

// tail returns the probability of at least x.
func (p pearson) tail(x float64) float64 {
	if p.sd == 0 {
		if x > p.mean {
			return 0
		}
		return 1
	}
	z := (x - p.mean) / p.sd
	if p.skew < 0.01 {
		return math.Erfc(z/math.Sqrt2) / 2
	}
	shape := 4 / (p.skew * p.skew)
	return upperGamma(shape, shape+z*math.Sqrt(shape))
}

// cramerRootMean is the mean of the root of the integral of a squared Brownian
// bridge, the integral of cramerTail(u^2) over u.
const cramerRootMean = 0.3781
