package metric

// StudentTail returns the probability that Student's t with df > 0 degrees of
// freedom is at least t in magnitude: I_x(df/2, 1/2) at x = df/(df + t^2).
func StudentTail(t, df float64) float64 { return betaCDF(df/(df+t*t), df/2, 0.5) }
