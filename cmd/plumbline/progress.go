package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress says how far a run of several stages of about the same length is. It
// only grows: one that began anew with every deploy told nobody how long is left.
type progress struct {
	out io.Writer
	// redraws says that out is a terminal, on which one line is written over and
	// over; elsewhere there is a line for every tenth.
	redraws       bool
	began         time.Time
	stages, stage int
	said          int // percent
}

func newProgress(out io.Writer, stages int) *progress {
	p := &progress{out: out, began: time.Now(), stages: stages}
	if f, ok := out.(*os.File); ok {
		about, err := f.Stat()
		p.redraws = err == nil && about.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// reach says how much of the stage is done.
func (p *progress) reach(share float64) {
	percent := int(100 * (float64(p.stage) + min(max(share, 0), 1)) / float64(p.stages))
	step, begin, end := 10, "", "\n"
	if p.redraws {
		step, begin, end = 1, "\r", " "
	}
	if percent < p.said+step {
		return
	}
	p.said = percent / step * step
	fmt.Fprintf(p.out, "%s%3d %%  %s elapsed%s", begin, p.said, time.Since(p.began).Round(time.Second), end)
}

// next says that the stage is done.
func (p *progress) next() {
	p.reach(1)
	p.stage++
}

// end leaves the line.
func (p *progress) end() {
	if p.redraws {
		fmt.Fprintln(p.out)
	}
}
