package evalquality

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
)

// picture is a chart of lines and bands over days or numbers, as SVG.
type picture struct {
	title, yName, xName string
	dates               bool
	lines               []lineOf
	bands               []bandOf
	notes               []noteAt
	xs, ys              [2]float64
}

type lineOf struct {
	name, colour string
	x, y         []float64
	dashed, dots bool
}

type noteAt struct {
	x, y         float64
	text, colour string
}

type bandOf struct {
	colour       string
	x, low, high []float64
}

const (
	wide, high              = 900, 420
	left, right, top, below = 70, 20, 64, 46
)

func (p *picture) px(x float64) float64 {
	return left + (x-p.xs[0])/(p.xs[1]-p.xs[0])*(wide-left-right)
}

func (p *picture) py(y float64) float64 {
	return high - below - (y-p.ys[0])/(p.ys[1]-p.ys[0])*(high-top-below)
}

func (p *picture) path(x, y []float64) string {
	var b strings.Builder
	pen := "M"
	for i := range x {
		if math.IsNaN(y[i]) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, p.px(x[i]), p.py(min(max(y[i], p.ys[0]), p.ys[1])))
		pen = "L"
	}
	return b.String()
}

func (p *picture) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12"><rect width="%d" height="%d" fill="white"/>`, wide, high, wide, high)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="15" font-weight="bold">%s</text>`, left, html.EscapeString(p.title))
	p.axes(&b)
	for _, band := range p.bands {
		x, y := slices.Clone(band.x), slices.Clone(band.high)
		for i := len(band.x) - 1; i >= 0; i-- {
			x, y = append(x, band.x[i]), append(y, band.low[i])
		}
		fmt.Fprintf(&b, `<path d="%sZ" fill="%s" fill-opacity="0.25"/>`, p.path(x, y), band.colour)
	}
	at := left
	for _, l := range p.lines {
		style := ""
		if l.dashed {
			style = ` stroke-dasharray="6 4"`
		}
		if l.dots {
			for i := range l.x {
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, p.px(l.x[i]), p.py(min(max(l.y[i], p.ys[0]), p.ys[1])), l.colour)
			}
		} else {
			fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.8"%s/>`, p.path(l.x, l.y), l.colour, style)
		}
		if l.name == "" {
			continue
		}
		fmt.Fprintf(&b, `<path d="M%d 40h18" stroke="%s" stroke-width="3"%s/><text x="%d" y="44">%s</text>`, at, l.colour, style, at+23, html.EscapeString(l.name))
		at += 44 + 6*len(l.name)
	}
	for _, n := range p.notes {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="%s">%s</text>`, p.px(n.x), p.py(n.y), n.colour, html.EscapeString(n.text))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p *picture) axes(b *strings.Builder) {
	for _, y := range ticks(p.ys, 6) {
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`, left, p.py(y), wide-right, left-6, p.py(y)+4, math.Round(y*1e6)/1e6)
	}
	for _, x := range p.xTicks() {
		name := fmt.Sprintf("%g", x)
		if p.dates {
			name = time.Unix(int64(x*86400), 0).UTC().Format("Jan 06")
		}
		fmt.Fprintf(b, `<path d="M%.1f %dv5" stroke="#666"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`, p.px(x), high-below, p.px(x), high-below+18, name)
	}
	fmt.Fprintf(b, `<text x="14" y="%d" transform="rotate(-90 14 %d)" text-anchor="middle">%s</text>`, high/2, high/2, html.EscapeString(p.yName))
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`, (wide+left-right)/2, high-8, html.EscapeString(p.xName))
}

// xTicks returns the first of every month, or of every third, where x is a date.
func (p *picture) xTicks() []float64 {
	if !p.dates {
		return ticks(p.xs, 8)
	}
	months := 1
	if p.xs[1]-p.xs[0] > 500 {
		months = 3
	}
	first := time.Unix(int64(p.xs[0]*86400), 0).UTC()
	var out []float64
	for t := time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC); ; t = t.AddDate(0, months, 0) {
		x := float64(t.Unix()) / 86400
		if x > p.xs[1] {
			return out
		}
		if x >= p.xs[0] {
			out = append(out, x)
		}
	}
}

// ticks returns round numbers within a range.
func ticks(r [2]float64, about int) []float64 {
	raw := (r[1] - r[0]) / float64(about)
	size := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{2, 5, 10} {
		if size*f/raw < 1.6 {
			size *= f
			break
		}
	}
	var out []float64
	for x := math.Ceil(r[0]/size) * size; x <= r[1]+size*1e-9; x += size {
		out = append(out, x)
	}
	return out
}

// Draw writes the pictures of a report into a directory, as quality-*.svg.
func (r *Report) Draw(dir string) error {
	pictures := map[string]*picture{"random": r.drawRandom()}
	if len(r.Delayed) > 0 {
		pictures["delayed"] = drawPoints(r.Delayed, fmt.Sprintf("%s: accuracy of %g-day windows, asked when %g %% of their labels were in", r.Name, r.Study.WindowDays, 100*r.Study.Share))
		pictures["breach"] = r.drawBreach()
		pictures["delay"] = r.drawDelay()
	}
	for name, p := range pictures {
		path := filepath.Join(dir, "quality-"+strings.ReplaceAll(r.Name, " ", "-")+"-"+name+".svg")
		if err := os.WriteFile(path, []byte(p.svg()), 0o644); err != nil {
			return fmt.Errorf("draw %s of %s: %w", name, r.Name, err)
		}
	}
	return nil
}

const (
	black, blue, red, orange = "#111", "#1565c0", "#c62828", "#ef8b00"
)

func column(points []Point, pick func(Point) float64) []float64 {
	out := make([]float64, len(points))
	for i, p := range points {
		out[i] = pick(p)
	}
	return out
}

func drawPoints(points []Point, title string) *picture {
	x := column(points, func(p Point) float64 { return p.End })
	p := &picture{title: title, yName: "accuracy", xName: "end of the window", dates: true, xs: [2]float64{x[0], x[len(x)-1]}}
	p.bands = []bandOf{{blue, x, column(points, func(p Point) float64 { return p.Low }), column(points, func(p Point) float64 { return p.High })}}
	p.lines = []lineOf{
		{name: "labels that are in, alone", colour: red, x: x, y: column(points, func(p Point) float64 { return p.LabelsOnly })},
		{name: "plain CBPE", colour: orange, x: x, y: column(points, func(p Point) float64 { return p.CBPE })},
		{name: "our estimate with its 95 % interval", colour: blue, x: x, y: column(points, func(p Point) float64 { return p.Value })},
		{name: "truth, known months later", colour: black, dashed: true, x: x, y: column(points, func(p Point) float64 { return p.Truth })},
	}
	var all []float64
	for _, l := range p.lines {
		all = append(all, l.y...)
	}
	p.ys = [2]float64{math.Floor(slices.Min(all)*50) / 50, math.Ceil(slices.Max(all)*50) / 50}
	return p
}

func (r *Report) drawBreach() *picture {
	p := drawPoints(r.Nowcast, fmt.Sprintf("%s: asked on the last day of each window. On each target: blue found, red false", r.Name))
	for _, target := range r.Study.Targets() {
		p.lines = append(p.lines, lineOf{colour: "#999", x: p.xs[:], y: []float64{target, target}, dashed: true})
		var found, missed lineOf
		found, missed = lineOf{colour: blue, dots: true}, lineOf{colour: red, dots: true}
		for _, q := range r.Nowcast {
			alarm, under := q.High < target, q.Truth < target
			switch {
			case alarm && under:
				found.x, found.y = append(found.x, q.End), append(found.y, target)
			case alarm:
				missed.x, missed.y = append(missed.x, q.End), append(missed.y, target)
			}
		}
		p.lines = append(p.lines, found, missed)
	}
	return p
}

func (r *Report) drawRandom() *picture {
	p := &picture{title: fmt.Sprintf("%s: width of a 95 %% interval from %g %% random labels of a window, and how often ours held", r.Name, 100*r.Study.Sample),
		yName: "width, points of accuracy", xName: "end of the window; in blue, the share of draws in which our interval held the truth", dates: true}
	var x, ours, wilson, theory []float64
	greatest := 1.0
	for _, s := range r.Random {
		x, ours, wilson, theory = append(x, s.End), append(ours, 100*s.Width), append(wilson, 100*s.Wilson), append(theory, 100*s.Theory*s.Wilson)
		p.notes = append(p.notes, noteAt{s.End, 0.4, fmt.Sprintf("%.1f %%", 100*s.Covered), blue})
		greatest = max(greatest, 100*s.Wilson, 100*s.Width)
	}
	if len(x) == 0 {
		x = []float64{0, 1}
	}
	p.xs, p.ys = [2]float64{x[0] - 10, x[len(x)-1] + 10}, [2]float64{0, math.Ceil(greatest*1.1/5) * 5}
	p.lines = []lineOf{
		{name: "Wilson's interval, labels alone", colour: red, x: x, y: wilson},
		{name: "our interval", colour: blue, x: x, y: ours},
		{name: "ours in theory", colour: black, dashed: true, x: x, y: theory},
	}
	return p
}

func (r *Report) drawDelay() *picture {
	now := r.Nowcast[len(r.Nowcast)-1].End
	curves, _ := r.Study.delays(r.Study.world.AsOf(now))
	p := &picture{title: r.Name + ": share of labels that are in, by days after the prediction (Kaplan-Meier)", yName: "share of labels", xName: "days after the prediction",
		xs: [2]float64{0, 400}, ys: [2]float64{0, 1}}
	colours := []string{red, orange, "#2e7d32", blue, "#6a1b9a", black, "#999"}
	for stratum := range estimate.Stratum(r.Study.cuts.Len()) {
		c, there := curves[stratum]
		if !there {
			continue
		}
		l := lineOf{name: r.Study.stratumName(stratum), colour: colours[int(stratum)%len(colours)]}
		for d := 0.0; d <= p.xs[1]; d++ {
			l.x, l.y = append(l.x, d), append(l.y, c.Share(days(d)))
		}
		p.lines = append(p.lines, l)
	}
	return p
}

func (s *Study) stratumName(stratum estimate.Stratum) string {
	switch i := int(stratum); {
	case len(s.cuts) == 0:
		return "all"
	case i == 0:
		return fmt.Sprintf("driver up to %g", s.cuts[0])
	case i == len(s.cuts):
		return fmt.Sprintf("over %g", s.cuts[i-1])
	case i > len(s.cuts):
		return "driver unknown"
	default:
		return fmt.Sprintf("%g to %g", s.cuts[i-1], s.cuts[i])
	}
}
