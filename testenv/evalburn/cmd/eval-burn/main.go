// Command eval-burn prints what package evalburn measures: one JSON line a figure
// on standard output, a table for people on standard error.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/testenv/evalburn"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

func main() {
	years := flag.Float64("years", 0.25, "years simulated for each target, period, rate and shape")
	runs := flag.Int("runs", 15, "bursts simulated for each pair; 0 for none")
	short := flag.Bool("short", false, "a tenth of the grid")
	verbose := flag.Bool("v", false, "print what falls short, cell by cell")
	flag.Parse()
	if err := run(*years, *runs, *short, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "eval-burn:", err)
		os.Exit(1)
	}
}

func run(years float64, runs int, short, verbose bool) error {
	cells := evalburn.Grid(short)
	figures := []figure.Figure{figure.AtMost("burn: SLOs of the grid with a rule that can never fire", float64(impossible(cells)), "SLOs", 0)}
	for _, shape := range evalburn.Shapes() {
		of, err := falsePageFigures(cells, shape, string(shape), years, verbose)
		if err != nil {
			return err
		}
		figures = append(figures, of...)
	}
	declaredOne := slices.Clone(cells)
	for i := range declaredOne {
		declaredOne[i].Overdispersion = 1
	}
	of, err := falsePageFigures(declaredOne, evalburn.Independent, "independent, overdispersion 1 declared", years, verbose)
	if err != nil {
		return err
	}
	figures = append(figures, of...)
	for _, declared := range []float64{1, 0} {
		found, err := detections(cells, declared, runs)
		if err != nil {
			return err
		}
		figures = append(figures, judge(found, declared, verbose)...)
	}
	late := 0
	for _, c := range cells {
		c.PerHour = 1800
		if took, ok, err := evalburn.PagedAfter(c, 0.9); c.Target >= 0.9 && (err != nil || !ok || took > time.Hour) {
			late++
		}
	}
	figures = append(figures, figure.AtMost("burn: targets >= 90 % whose 90 % outage at 0.5/s is paged after an hour", float64(late), "SLOs", 0))
	return figure.Print(os.Stdout, os.Stderr, figures...)
}

func falsePageFigures(cells []evalburn.Cell, shape evalburn.Shape, name string, years float64, verbose bool) ([]figure.Figure, error) {
	n, worst, err := falsePages(cells, shape, int(years*365.25*24*60), verbose)
	if err != nil {
		return nil, err
	}
	total := years * float64(len(cells))
	return []figure.Figure{
		figure.AtMost(fmt.Sprintf("burn: false pages a model-year at the target, %s, upper 95 %% bound over %.0f years (%d pages)", name, total, n), upper(n)/total, "pages", 1),
		figure.AtMost(fmt.Sprintf("burn: false pages of the worst cell in %.2f years, %s", years, name), float64(worst), "pages", upperOf(years)),
	}, nil
}

func impossible(cells []evalburn.Cell) int {
	n := 0
	for _, c := range cells {
		o, err := c.Objective()
		if err != nil {
			n++
			continue
		}
		for _, p := range o.Pairs {
			if p.Threshold(c.Target) >= 1 {
				n++
			}
		}
	}
	return n
}

// upper is the upper 95 % bound of a Poisson mean of which n were seen, by the
// Wilson-Hilferty approximation of chi-square (within 1 % from n = 0 on, where it
// is exact: -ln 0.05).
func upper(n int) float64 {
	if n == 0 {
		return 2.996
	}
	const z = 1.6449
	k := float64(n + 1)
	v := 1 - 1/(9*k) + z/(3*math.Sqrt(k))
	return k * v * v * v
}

// upperOf is how many pages a cell may have in so many years at one a year, so
// that the worst of some hundred cells is beyond it once in twenty.
func upperOf(years float64) float64 { return 5 + 3*years }

// each runs f for every cell on all processors.
func each(cells []evalburn.Cell, f func(i int, c evalburn.Cell) error) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				if err := f(i, cells[i]); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range cells {
		next <- i
	}
	close(next)
	wg.Wait()
	return first
}

func falsePages(cells []evalburn.Cell, shape evalburn.Shape, minutes int, verbose bool) (sum, worst int, err error) {
	found := make([]int, len(cells))
	err = each(cells, func(i int, c evalburn.Cell) (err error) {
		found[i], err = evalburn.FalsePages(c, shape, minutes, uint64(i)+1)
		return err
	})
	for i, n := range found {
		if n > 0 && verbose {
			fmt.Fprintf(os.Stderr, "%d false pages: %s, %+v\n", n, shape, cells[i])
		}
		sum, worst = sum+n, max(worst, n)
	}
	return sum, worst, err
}

type detected struct {
	cell evalburn.Cell
	evalburn.Detection
}

func detections(cells []evalburn.Cell, declared float64, runs int) ([]detected, error) {
	found := make([][]detected, len(cells))
	err := each(cells, func(i int, c evalburn.Cell) error {
		c.Overdispersion = declared
		runs := runs // of this cell
		if c.PerHour > 1e5 {
			runs = min(runs, 3)
		}
		all, err := evalburn.Detections(c, runs, uint64(i)+1)
		for _, d := range all {
			found[i] = append(found[i], detected{c, d})
		}
		return err
	})
	var all []detected
	for _, d := range found {
		all = append(all, d...)
	}
	return all, err
}

// judge holds detections to the closed form and to what is printed.
func judge(all []detected, declared float64, verbose bool) []figure.Figure {
	name, phi := "overdispersion 1 declared", declared
	if declared == 0 {
		name, phi = "overdispersion 3, the default", burn.DefaultOverdispersion
	}
	var enough, simulated, asPrinted, never int
	var late []detected
	least := 0.0
	for _, d := range all {
		if d.Median > 0 {
			simulated++
			// One interval, and at little traffic the wait for the next event.
			slack := time.Minute + time.Duration(float64(time.Hour)/d.cell.PerHour/d.Bad)
			if d.Median <= d.Printed+d.Printed/20+slack {
				asPrinted++
			} else if verbose {
				fmt.Fprintf(os.Stderr, "later than printed: %s: %+v\n", name, d)
			}
		}
		if d.ExpectedBad < 10 || d.Bad >= 1 {
			continue
		}
		enough++
		if d.Never {
			never++
		}
		if !(d.Expected > 0 && d.Expected <= d.Closed+time.Minute) {
			late, least = append(late, d), max(least, d.ExpectedBad)
		}
	}
	impossible, byClumps := printLate(late, name, phi)
	inTime := 100 * float64(enough-len(late))
	return []figure.Figure{
		figure.AtLeast("burn: pairs paged within the closed form + 1 interval, of those with 10 expected bad events, "+name, inTime/float64(max(enough, 1)), "%", 100),
		figure.AtMost("burn: most expected bad events of a pair that is not, "+name, least, "events", 10),
		figure.AtLeast(fmt.Sprintf("burn: the same, without the %d of %d pairs for which any rule as quick pages falsely more than once a year (%d with clumps alone), %s",
			impossible, enough, byClumps, name), inTime/float64(max(enough-impossible, 1)), "%", 100),
		figure.AtMost("burn: pairs with 10 expected bad events whose printed evidence time is never, "+name, float64(never), "pairs", 0),
		figure.AtLeast("burn: simulated medians within the printed evidence time (+5 % and 1 interval), "+name, 100*float64(asPrinted)/float64(max(simulated, 1)), "%", 100),
	}
}

// printLate prints the pairs that are paged late, each with how often a year any
// rule as quick pages falsely, and returns for how many that is more than once,
// and for how many with clumps alone.
func printLate(late []detected, name string, phi float64) (impossible, byClumps int) {
	table := tabwriter.NewWriter(os.Stderr, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "Pairs paged later than the closed form + 1 interval, %s; false pages a year of any rule as quick\n", name)
	fmt.Fprintln(table, "target\tperiod\tevents/h\tpair\tfactor\texpected bad\tclosed form\tevidence\tevidence -1 sd\tclumps\tvarying rate\t")
	for _, d := range late {
		floor := evalburn.FalsePagesFloor(d.cell, d.Detection, phi)
		if floor.Impossible() {
			impossible++
		}
		if floor.Clumps > 1 {
			byClumps++
		}
		fmt.Fprintf(table, "%g %%\t%s\t%g\t%s\t%.3g\t%.1f\t%s\t%s\t%s\t%.2g\t%.2g\t\n", 100*d.cell.Target, plumbline.WindowName(d.cell.Period), d.cell.PerHour,
			plumbline.WindowName(d.Pair.Long), d.Pair.Factor, d.ExpectedBad, d.Closed, orNever(d.Expected), orNever(d.Printed), floor.Clumps, floor.Varying)
	}
	if err := table.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "eval-burn:", err)
	}
	return impossible, byClumps
}

func orNever(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return d.Round(time.Minute).String()
}
