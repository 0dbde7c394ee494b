package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/quality/history"
)

// joinLimit is for how long labels may lie there without the join getting any
// further: some times as long as a step takes that has as much to do as one may.
const joinLimit = 10 * time.Minute

// joinAskedWithin bounds one question, so that one that hangs is asked again many times
// before the limit: the watchdog takes a probe without an answer for blind.
const joinAskedWithin = 30 * time.Second

// joinProbe asks ClickHouse whether labels lie there that the join has not come to,
// whoever joins them: a partition with such whose cursor does not move is behind by as
// long as it stands. A step that fails is repeated without end, and until 2026-11-23
// nobody was told.
type joinProbe struct {
	reader  history.Reader
	stored  <-chan struct{}
	failure func() error // of the last step of this process
	within  time.Duration
	seen    map[string]progress
}

func (p *joinProbe) lag(ctx context.Context, now time.Time) (time.Duration, string, error) {
	select {
	case <-p.stored:
	default:
		return 0, "", errors.New("ClickHouse does not answer yet")
	}
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	waiting, err := p.reader.Unjoined(ctx)
	if err != nil {
		return 0, "", fmt.Errorf("ask ClickHouse for labels that are not joined: %w", err)
	}
	lag, what := p.judge(waiting, now)
	return lag, what, nil
}

// judge returns for how long the join has stood still, and in words what waits.
func (p *joinProbe) judge(waiting []history.Unjoined, now time.Time) (worst time.Duration, what string) {
	seen := make(map[string]progress, len(waiting))
	var labels uint64
	var behind []string
	for _, u := range waiting {
		at, known := p.seen[u.Name()]
		if !known || at.committed != u.JoinedBefore {
			at = progress{committed: u.JoinedBefore, since: now}
		}
		seen[u.Name()] = at
		if lag := now.Sub(at.since); lag > 0 {
			worst = max(worst, lag)
			labels += u.Labels
			behind = append(behind, u.Name())
		}
	}
	p.seen = seen
	slices.Sort(behind)
	what = fmt.Sprintf("%d labels of %s are stored, and the join has not come further for %s. ", labels, strings.Join(behind, ", "), worst.Round(time.Second))
	if err := p.failure(); err != nil {
		return worst, what + "Its last step ended with: " + err.Error()
	}
	return worst, what + "Its last step here did not fail: the one under way hangs, or another replica joins these partitions."
}
