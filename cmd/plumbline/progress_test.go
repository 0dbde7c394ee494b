package main

import (
	"bytes"
	"regexp"
	"strconv"
	"testing"
)

// A run is over once, however many deploys and SLOs it goes through, and says so in
// at most one line for every tenth where nobody looks on.
func TestProgressOnlyGrows(t *testing.T) {
	for _, redraws := range []bool{false, true} {
		var out bytes.Buffer
		p := newProgress(&out, 3)
		p.redraws = redraws
		for range 3 {
			for hour := range 500 {
				p.reach(float64(hour) / 499)
			}
			p.reach(0.1) // an hour may begin before the range
			p.next()
		}
		p.end()
		var last, lines int
		for _, found := range regexp.MustCompile(`(\d+) %`).FindAllStringSubmatch(out.String(), -1) {
			n, err := strconv.Atoi(found[1])
			if err != nil || n <= last {
				t.Errorf("redraws %t: %d %% after %d %%, %v", redraws, n, last, err)
			}
			last, lines = n, lines+1
		}
		if last != 100 || !redraws && lines > 10 || lines > 100 {
			t.Errorf("redraws %t: ends with %d %% after %d lines:\n%q", redraws, last, lines, out.String())
		}
	}
}
