package budget

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is an inline SVG of one chart: its frame, axes and title. Shapes are
// added in the units of the data.
type plot struct {
	b                strings.Builder
	right, low, high float64
	log              bool
}

// The area of a plot, in SVG units.
const (
	width, height               = 760, 400
	marginLeft, marginRight     = 64, 24
	marginTop, marginBottom     = 56, 64
	areaWidth                   = width - marginLeft - marginRight
	areaHeight                  = height - marginTop - marginBottom
	grey, ink, blue, red, green = "#d0d5dd", "#1f2937", "#2563eb", "#dc2626", "#059669"
)

// newPlot starts a picture whose axes run from 0 to right and from low to high;
// with log the vertical one is logarithmic.
func newPlot(title, subtitle string, right, low, high float64, log bool) *plot {
	p := &plot{right: right, low: low, high: high, log: log}
	fmt.Fprintf(&p.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(&p.b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	p.textAt(marginLeft, 22, ink, "start", 15, title)
	p.textAt(marginLeft, 42, "#4b5563", "start", 12, subtitle)
	return p
}

func (p *plot) x(v float64) float64 {
	return marginLeft + areaWidth*v/p.right
}

func (p *plot) y(v float64) float64 {
	low, high := p.low, p.high
	if p.log {
		v, low, high = math.Log(max(v, low)), math.Log(low), math.Log(high)
	}
	return marginTop + areaHeight*(1-(v-low)/(high-low))
}

// textAt writes with a white rim, so that lines and bars do not cross it.
func (p *plot) textAt(x, y float64, colour, anchor string, size int, text string) {
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" fill="%s" text-anchor="%s" font-size="%d" stroke="#fff" stroke-width="4" paint-order="stroke">%s</text>`+"\n", x, y, colour, anchor, size, html.EscapeString(text))
}

// levels draws horizontal lines with their values.
func (p *plot) levels(unit string, values ...float64) {
	for _, v := range values {
		fmt.Fprintf(&p.b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s"/>`+"\n", marginLeft, width-marginRight, p.y(v), p.y(v), grey)
		p.textAt(marginLeft-6, p.y(v)+4, ink, "end", 12, fmt.Sprintf("%g%s", v, unit))
	}
}

// ticks writes values below the horizontal axis.
func (p *plot) ticks(label string, values ...float64) {
	for _, v := range values {
		p.textAt(p.x(v), height-marginBottom+18, ink, "middle", 12, fmt.Sprintf("%g", v))
	}
	p.textAt(marginLeft+areaWidth/2, height-28, ink, "middle", 12, label)
}

// mark draws a dashed horizontal line with its text.
func (p *plot) mark(v float64, text string) {
	fmt.Fprintf(&p.b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-width="1.5" stroke-dasharray="6 4"/>`+"\n", marginLeft, width-marginRight, p.y(v), p.y(v), red)
	p.textAt(width-marginRight, p.y(v)-5, red, "end", 12, text)
}

// line draws points joined.
func (p *plot) line(colour string, x, y []float64) {
	var points []string
	for i := range x {
		points = append(points, fmt.Sprintf("%.1f,%.1f", p.x(x[i]), p.y(y[i])))
	}
	fmt.Fprintf(&p.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5"/>`+"\n", strings.Join(points, " "), colour)
}

// key is a legend's entry in a row below the plot's axis.
func (p *plot) key(colour, name string, i, n int) {
	x := float64(marginLeft) + float64(areaWidth)/float64(n)*float64(i)
	fmt.Fprintf(&p.b, `<rect x="%.1f" y="%d" width="14" height="8" fill="%s"/>`+"\n", x, height-13, colour)
	p.textAt(x+20, height-5, ink, "start", 12, name)
}

// legend is a legend's entry in a column at the left top of the plot.
func (p *plot) legend(colour, name string, row int) {
	y := float64(marginTop + 12 + 18*row)
	fmt.Fprintf(&p.b, `<rect x="%d" y="%.1f" width="14" height="8" fill="%s"/>`+"\n", marginLeft+12, y-8, colour)
	p.textAt(marginLeft+32, y, ink, "start", 12, name)
}

// bars is how many bars a group has room for.
const bars = 4

// bar draws a bar of a group with its value above it; group and at count from 0.
func (p *plot) bar(colour string, group, at int, v float64, text string) {
	slot := p.x(float64(group)+1) - p.x(float64(group))
	each := slot * 0.8 / bars
	x, top := p.x(float64(group))+slot*0.1+each*float64(at), p.y(max(v, p.low))
	fmt.Fprintf(&p.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, top, each-3, max(0, p.y(p.low)-top), colour)
	p.textAt(x+(each-3)/2, top-4, ink, "middle", 11, text)
}

// group names a group of bars.
func (p *plot) group(i int, name string) {
	p.textAt((p.x(float64(i))+p.x(float64(i+1)))/2, height-marginBottom+18, ink, "middle", 12, name)
}

func (p *plot) svg() string { return p.b.String() + "</svg>\n" }
