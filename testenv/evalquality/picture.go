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
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// picture is a chart of lines and bands over days or numbers, as SVG.
type picture struct {
	title, yName, xName string
	dates               bool
	lines               []lineOf
	bands               []bandOf
	xs, ys              [2]float64
}

type lineOf struct {
	name, colour string
	x, y         []float64
	dashed, dots bool
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
		fmt.Fprintf(&b, `<path d="M%d 40h18" stroke="%s" stroke-width="3"%s/><text x="%d" y="44">%s</text>`, at, l.colour, style, at+23, html.EscapeString(l.name))
		at += 40 + 7*len(l.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p *picture) axes(b *strings.Builder) {
	for _, y := range ticks(p.ys, 6) {
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`, left, p.py(y), wide-right, left-6, p.py(y)+4, math.Round(y*1e6)/1e6)
	}
	for _, x := range ticks(p.xs, 8) {
		name := fmt.Sprintf("%g", x)
		if p.dates {
			name = time.Unix(int64(x*86400), 0).UTC().Format("2 Jan 06")
		}
		fmt.Fprintf(b, `<path d="M%.1f %dv5" stroke="#666"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`, p.px(x), high-below, p.px(x), high-below+18, name)
	}
	fmt.Fprintf(b, `<text x="14" y="%d" transform="rotate(-90 14 %d)" text-anchor="middle">%s</text>`, high/2, high/2, html.EscapeString(p.yName))
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`, (wide+left-right)/2, high-8, html.EscapeString(p.xName))
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
	p := drawPoints(r.Nowcast, fmt.Sprintf("%s: asked on the last day of each window, whatever was in; targets and what was found", r.Name))
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
	p := &picture{title: fmt.Sprintf("%s: width of a 95 %% interval from %g %% random labels of a window, and how often it held", r.Name, 100*r.Study.Sample),
		yName: "share", xName: "end of the window", dates: true}
	var x, ours, wilson, theory, held, promised []float64
	for _, s := range r.Random {
		x, ours, wilson, theory = append(x, s.End), append(ours, s.Width), append(wilson, s.Wilson), append(theory, s.Theory*s.Wilson)
		held, promised = append(held, s.Covered), append(promised, metric.Level)
	}
	if len(x) == 0 {
		x = []float64{0, 1}
	}
	p.xs, p.ys = [2]float64{x[0] - 5, x[len(x)-1] + 5}, [2]float64{0, 1}
	p.lines = []lineOf{
		{name: "Wilson's width, labels alone", colour: red, x: x, y: wilson},
		{name: "our width", colour: blue, x: x, y: ours},
		{name: "width in theory", colour: black, dashed: true, x: x, y: theory},
		{name: "share of our intervals that held", colour: orange, x: x, y: held},
		{name: "promised", colour: "#999", dashed: true, x: x, y: promised},
	}
	return p
}

func (r *Report) drawDelay() *picture {
	now := r.Nowcast[len(r.Nowcast)-1].End
	curves, _, _ := r.Study.DelayCurves(now)
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
