package budget

import (
	"fmt"
	"strings"
)

// Pictures draws the results, an SVG by the name of its file. Parts that were
// not measured have none.
func (r Results) Pictures() map[string]string {
	pictures := map[string]string{}
	if len(r.Tallies) > 0 {
		pictures["drift-budget.svg"] = drawTickets(r.Tallies)
	}
	if len(r.Powers) > 0 {
		pictures["drift-power.svg"] = drawPower(r.Powers)
	}
	if len(r.Alarms) > 0 {
		pictures["drift-seasonal.svg"] = drawSeasonal(r.Alarms)
	}
	if len(r.Delays) > 0 {
		pictures["drift-ramp.svg"] = drawRamp(r.Delays)
	}
	return pictures
}

// number is short and never 0 for what was seen.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

func drawTickets(tallies []Tally) string {
	quarters := tallies[0].Quarters
	p := newPlot("False tickets of a quiet model in a quarter",
		fmt.Sprintf("%d months a scenario, 50 features x 2 measures x 2 references; upper 95 %% Poisson bounds; logarithmic", months*quarters),
		float64(len(tallies)), 0.001, 100_000, true)
	p.levels("", 0.001, 0.01, 0.1, 1, 10, 100, 1000, 10_000)
	for i, t := range tallies {
		per := float64(t.Quarters)
		for j, start := range Starts() {
			upper := PoissonUpper(t.Tickets[start]) / per
			p.bar([]string{blue, green, "#d97706"}[j], i, j, upper, number(upper))
		}
		p.bar("#9ca3af", i, 3, float64(t.Naive)/per, number(float64(t.Naive)/per))
		p.group(i, t.Scenario.Name)
	}
	p.mark(1, "budget")
	p.legend(blue, "the alarm, days of the training set known", 0)
	p.legend(green, "the alarm, cold start", 1)
	p.legend("#d97706", "the alarm, first week learnt", 2)
	p.legend("#9ca3af", "each day on its own, p <= 1 % and least effect (alarms seen)", 3)
	return p.svg()
}

func drawPower(powers []Power) string {
	p := newPlot("Changes found by the drift measures at their defaults",
		"share of pairs of samples of equal size in which at least one measure alarms", 1, 0, 100, false)
	p.levels(" %", 0, 25, 50, 75, 100)
	p.ticks("shift of the mean in standard deviations", 0, 0.2, 0.4, 0.6, 0.8, 1)
	colours := []string{red, "#d97706", green, blue}
	bySize := map[int][]Power{}
	var sizes []int
	for _, q := range powers {
		if bySize[q.Size] == nil {
			sizes = append(sizes, q.Size)
		}
		bySize[q.Size] = append(bySize[q.Size], q)
	}
	for i, size := range sizes {
		var x, y []float64
		for _, q := range bySize[size] {
			x, y = append(x, q.Shift), append(y, 100*q.Any)
		}
		p.line(colours[i%len(colours)], x, y)
		p.key(colours[i%len(colours)], fmt.Sprintf("n = m = %d", size), i, len(sizes))
	}
	return p.svg()
}

func drawSeasonal(series []Alarms) string {
	p := newPlot("Windows of three hours that alarm at nominal 5 %", "a simulated quiet series and real flights; injected: one standard deviation is added to the window",
		float64(len(series)), 0, 115, false)
	p.levels(" %", 0, 25, 50, 75, 100)
	for i, a := range series {
		p.bar("#9ca3af", i, 0, 100*a.Naive, number(100*a.Naive))
		p.bar("#d97706", i, 1, 100*a.SameHour, number(100*a.SameHour))
		p.bar(blue, i, 2, 100*a.Auto, number(100*a.Auto))
		if a.injects() {
			p.bar(green, i, 3, 100*a.Injected, number(100*a.Injected))
		}
		p.group(i, a.Series)
	}
	p.mark(10, "at most 10 %")
	for i, name := range []string{"KS, 8 weeks", "KS, same hours", "ours with auto", "ours, +1 sd injected"} {
		p.key([]string{"#9ca3af", "#d97706", blue, green}[i], name, i, 4)
	}
	return p.svg()
}

func drawRamp(delays []Delay) string {
	p := newPlot("A ramp of +1 standard deviation over 30 days: tickets by day",
		"share of features with a ticket against the training set, after a quiet month", watchedFor, 0, 100, false)
	p.levels(" %", 0, 25, 50, 75, 95, 100)
	p.ticks("days since the ramp began", 0, 10, 20, 30, 40, 45, 50, 60)
	colours := []string{blue, green, "#d97706", red}
	row := 0
	for _, d := range delays {
		if d.Ramp == 0 {
			continue
		}
		var x, y []float64
		for day := 0; day <= watchedFor; day++ {
			x, y = append(x, float64(day)), append(y, 100*d.Within(day))
		}
		p.line(colours[row%len(colours)], x, y)
		p.key(colours[row%len(colours)], strings.TrimPrefix(d.Scenario.Name, "autoregressive "), row, 4)
		row++
	}
	fmt.Fprintf(&p.b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s" stroke-dasharray="6 4"/>`+"\n", p.x(45), p.x(45), marginTop, height-marginBottom, red)
	return p.svg()
}
