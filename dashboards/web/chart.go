package web

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// This file is geometry only: where the shapes of an inline SVG stand. The
// templates draw them.

// barWidth is the width of a bar's full scale, in SVG units.
const barWidth = 240

// barGeometry places the two windows of a pair and their threshold. A width of
// nil draws nothing.
type barGeometry struct {
	Long, Short *float64
	Threshold   float64
}

// setBars scales all pairs alike, so that bars can be compared by eye.
func setBars(pairs []burnPair) {
	full := 0.0
	for _, p := range pairs {
		full = max(full, p.Threshold*1.25)
		for _, v := range []*float64{p.Compared, p.ShortShare} {
			if v != nil {
				full = max(full, *v*1.05)
			}
		}
	}
	scale := func(v *float64) *float64 {
		if v == nil {
			return nil
		}
		width := round(*v / full * barWidth)
		return &width
	}
	for i := range pairs {
		pairs[i].Bars = barGeometry{
			Long: scale(pairs[i].Compared), Short: scale(pairs[i].ShortShare),
			Threshold: round(pairs[i].Threshold / full * barWidth),
		}
	}
}

// driftBar places a feature's PSI; Low and High are the usual marks at 0.1 and
// 0.25.
type driftBar struct {
	Width     *float64
	Low, High float64
	// Cut says that the bar is longer than the scale.
	Cut bool
}

// driftFull is the PSI at the end of the scale: twice the usual upper mark.
// Beyond it the number says how far; the marks must stay apart.
const driftFull = 0.5

func setDriftBars(views []driftView) {
	for i := range views {
		bar := driftBar{Low: 0.1 / driftFull * barWidth, High: 0.25 / driftFull * barWidth}
		if psi := views[i].PSI; psi != nil {
			width := round(math.Min(*psi, driftFull) / driftFull * barWidth)
			bar.Width, bar.Cut = &width, *psi > driftFull
		}
		views[i].Bar = bar
	}
}

// Plot area of the chart of hours, in SVG units.
const (
	chartWidth  = 920
	chartHeight = 220
	plotLeft    = 44
	plotTop     = 22
	plotWidth   = chartWidth - plotLeft - 12
	plotHeight  = chartHeight - plotTop - 26
	chartHours  = 48
)

// hoursChart draws accuracy by hour as lines with gaps, and coverage as bars
// behind them.
type hoursChart struct {
	Width, Height int
	Left, Right   float64
	Top, Bottom   float64
	Lines         []string // one polyline an unbroken run of hours
	Points        []chartPoint
	Bars          []chartBar
	// Ranges are the bounds of hours of which there is no point.
	Ranges  []chartBar
	Deploys []chartMark
	Ticks   []chartMark
	Levels  []chartMark
	Target  *chartMark
	// Empty is true where no hour has a label.
	Empty bool
}

type chartPoint struct {
	X, Y  float64
	Title string
	// Thin says that few of the hour's predictions have a label.
	Thin bool
}

// An hour's accuracy is thin under this share of labels, or this number: of
// fewer than 20 the half width of a 95 % interval may be over 0.2.
const (
	thinCoverage = 0.3
	thinLabels   = 20
)

type chartBar struct {
	X, Y, Width, Height float64
	Title               string
}

// chartMark is a line across the plot with its text.
type chartMark struct {
	X, Y   float64
	Text   string
	Anchor string
}

func newHoursChart(hours []hourRow, deploys []deployRow, target *float64, partial bool, now time.Time) hoursChart {
	first := now.Truncate(time.Hour).Add(-(chartHours - 1) * time.Hour)
	c := hoursChart{
		Width: chartWidth, Height: chartHeight, Left: plotLeft, Right: plotLeft + plotWidth,
		Top: plotTop, Bottom: plotTop + plotHeight, Empty: true,
	}
	c.addLevels(target)
	for hour := 0; hour < chartHours; hour += 6 {
		at := first.Add(time.Duration(hour) * time.Hour)
		c.Ticks = append(c.Ticks, chartMark{X: chartX(first, at), Text: at.Format("Mon 15:04")})
	}
	for _, d := range deploys {
		if !d.Since.Before(first) {
			c.addDeploy(chartX(first, d.Since), d)
		}
	}
	c.addBars(hours, first)
	if partial {
		c.addRanges(hours, first)
	} else {
		c.addHours(hours, first)
	}
	return c
}

func (c *hoursChart) addLevels(target *float64) {
	for _, level := range []float64{0, 0.25, 0.5, 0.75, 1} {
		c.Levels = append(c.Levels, chartMark{Y: chartY(level), Text: fmt.Sprintf("%.0f %%", level*100)})
	}
	if target != nil {
		c.Target = &chartMark{Y: chartY(*target), Text: fmt.Sprintf("target %.4g %%", *target*100)}
	}
}

func (c *hoursChart) addDeploy(x float64, d deployRow) {
	mark := chartMark{X: x, Text: "deploy " + short(d.Deploy), Anchor: "start"}
	if x > c.Right-140 {
		mark.Anchor = "end"
	}
	c.Deploys = append(c.Deploys, mark)
}

// hourWidth is the width of an hour, in tenths of a unit as all else.
const hourWidth = float64(plotWidth*10/chartHours) / 10

// coverage is the share of the hour's predictions that have a label.
func (h hourRow) coverage() *float64 { return share(min(h.Labelled, h.Requests), h.Requests) }

func (h hourRow) title() string { return h.Hour.UTC().Format("Mon 15:04") }

// addBars draws how many of an hour's predictions have a label.
func (c *hoursChart) addBars(hours []hourRow, first time.Time) {
	for _, h := range hours {
		if coverage := h.coverage(); coverage != nil {
			y := chartY(*coverage)
			c.Bars = append(c.Bars, chartBar{X: chartX(first, h.Hour), Y: y, Width: hourWidth - 1, Height: c.Bottom - y,
				Title: fmt.Sprintf("%s: %d predictions, %s labelled", h.title(), h.Requests, percent(coverage))})
		}
	}
}

// addRanges draws between which bounds the accuracy of an hour is.
func (c *hoursChart) addRanges(hours []hourRow, first time.Time) {
	for _, h := range hours {
		b := boundsOf(h.Correct, h.Labelled, h.Requests)
		if b == nil {
			continue
		}
		c.Empty = false
		top := chartY(b.High)
		c.Ranges = append(c.Ranges, chartBar{X: round(chartX(first, h.Hour) + hourWidth/4), Y: top, Width: round(hourWidth / 2), Height: max(round(chartY(b.Low)-top), 1),
			Title: fmt.Sprintf("%s: %s right; %d of %d labelled", h.title(), b, h.Labelled, h.Requests)})
	}
}

func (c *hoursChart) addHours(hours []hourRow, first time.Time) {
	var run []string
	end := func() {
		if len(run) > 1 {
			c.Lines = append(c.Lines, strings.Join(run, " "))
		}
		run = nil
	}
	last := time.Time{}
	for _, h := range hours {
		coverage := h.coverage()
		accuracy := share(h.Correct, h.Labelled)
		if accuracy == nil {
			end()
			continue
		}
		if h.Hour.Sub(last) > time.Hour {
			end()
		}
		last, c.Empty = h.Hour, false
		point := chartPoint{X: round(chartX(first, h.Hour) + hourWidth/2), Y: chartY(*accuracy), Title: fmt.Sprintf("%s: %s right of %d labelled", h.title(), percent(accuracy), h.Labelled), Thin: coverage == nil || *coverage < thinCoverage || h.Labelled < thinLabels}
		c.Points = append(c.Points, point)
		run = append(run, fmt.Sprintf("%g,%g", point.X, point.Y))
	}
	end()
}

func chartX(first, at time.Time) float64 {
	return round(plotLeft + at.Sub(first).Hours()/chartHours*plotWidth)
}

func chartY(v float64) float64 { return round(plotTop + (1-v)*plotHeight) }

// round keeps a tenth of an SVG unit.
func round(v float64) float64 { return math.Round(v*10) / 10 }
