package alerting

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Exhaustion says how long the error budget lasts if it goes on burning as now.
type Exhaustion struct {
	// Left is the share of the budget that the times are about: 1, the whole,
	// unless the rule says what is left.
	Left Known
	// At is the time at the long window's rate. Soonest and Latest are those at
	// the ends of its interval; zero where an end is not known.
	At, Soonest, Latest time.Duration
}

// Exhaustion returns period x share left / burn rate (SRE workbook, chapter 5)
// for the condition that burns fastest, with the interval that the rate's
// interval gives. It is false if the rule gave no rate or period.
func (t Text) Exhaustion() (Exhaustion, bool) {
	period, ok := parsePeriod(t.Period, t.At)
	fastest, burns := t.fastest()
	if !ok || !burns {
		return Exhaustion{}, false
	}
	e := Exhaustion{Left: t.BudgetLeft}
	left := 1.0
	if t.BudgetLeft.OK {
		left = max(t.BudgetLeft.V, 0)
	}
	lasts := func(rate Known) time.Duration {
		total := float64(period) * left / rate.V
		if !rate.OK || rate.V <= 0 || total > math.MaxInt64/2 {
			return 0
		}
		return time.Duration(total)
	}
	low, mid, high := fastest.rates()
	e.Soonest, e.At, e.Latest = lasts(high), lasts(mid), lasts(low)
	if !mid.OK {
		e.At, e.Latest = lasts(fastest.Rate), 0
	}
	// An end that another moment gave does not bound this one's estimate.
	if e.Soonest > e.At {
		e.Soonest = 0
	}
	if e.Latest < e.At {
		e.Latest = 0
	}
	return e, e.At > 0 || t.BudgetLeft.OK && left == 0
}

// fastest returns the condition with the greatest known burn rate.
func (t Text) fastest() (Burn, bool) {
	var best Burn
	for _, b := range t.Burns {
		if b.Rate.OK && (!best.Rate.OK || b.Rate.V > best.Rate.V) {
			best = b
		}
	}
	return best, best.Rate.OK
}

// rates returns the burn rate at the lower end of the interval, of the long
// window itself, and at the upper end.
func (b Burn) rates() (low, mid, high Known) {
	budget := 1 - b.Target.V
	of := func(share Known) Known {
		if !b.Target.OK || !share.OK || budget <= 0 {
			return Known{}
		}
		return Known{V: share.V / budget, OK: true}
	}
	low = of(b.Low)
	if b.AtLeast && b.Rate.OK {
		low = b.Rate
	}
	return low, of(b.Long), of(b.High)
}

// words tells when the budget is gone, as a sentence's part.
func (e Exhaustion) words(q Quoter, period string) string {
	period = q.Sentence(plumbline.PeriodWords(period))
	subject := "the whole error budget of " + period
	if e.Left.OK {
		subject = fmt.Sprintf("%s of the error budget of %s is left, which", percent(e.Left.V), period)
		if e.Left.V <= 0 {
			return fmt.Sprintf("the error budget of %s is spent (%s left)", period, percent(e.Left.V))
		}
	}
	words := fmt.Sprintf("%s lasts %s at this rate", subject, span(e.At))
	switch {
	case e.Soonest > 0 && e.Latest > 0 && span(e.Soonest) == span(e.Latest):
		// As exact as it is written.
	case e.Soonest > 0 && e.Latest > 0:
		words += fmt.Sprintf(" (between %s and %s)", span(e.Soonest), span(e.Latest))
	case e.Latest > 0:
		words += fmt.Sprintf(" (at most %s)", span(e.Latest))
	case e.Soonest > 0:
		words += fmt.Sprintf(" (at least %s)", span(e.Soonest))
	}
	return words
}

// What a dashboard shows around an incident: the long window before its begin,
// at least leastBefore, and after its end.
const (
	leastBefore = time.Hour
	mostBefore  = 30 * 24 * time.Hour
	afterEnd    = 30 * time.Minute
)

// inTime gives a dashboard's URL the time range of the incident, in Unix
// milliseconds as Grafana reads it, unless it has one. While the incident goes
// on the range ends now, whenever that is.
func (t Text) inTime(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || raw == "" || u.Query().Has("from") || t.Since.IsZero() {
		return raw
	}
	before := leastBefore
	for _, b := range t.Burns {
		long, _, _ := strings.Cut(b.Windows, "/")
		if d, ok := parseDuration(long); ok {
			before = min(max(before, d), mostBefore)
		}
	}
	to := "now"
	if t.Status == StatusResolved {
		to = strconv.FormatInt(t.Until.Add(afterEnd).UnixMilli(), 10)
	}
	join := "?"
	if u.RawQuery != "" {
		join = "&"
	}
	base, fragment, cut := strings.Cut(raw, "#")
	base += join + "from=" + strconv.FormatInt(t.Since.Add(-before).UnixMilli(), 10) + "&to=" + to
	if cut {
		base += "#" + fragment
	}
	return base
}
