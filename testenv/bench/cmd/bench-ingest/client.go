package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// clientResults are events per CPU-second of BenchmarkClient, by its
// sub-benchmark: FORMAT/raw or FORMAT/rollups.
type clientResults map[string][]float64

// clientEvents is the least number of events of one measurement, enough that the
// first growing of the buffers does not count: a topic with fewer is read again.
const clientEvents = 2_000_000

var clientLine = regexp.MustCompile(`^BenchmarkClient/(\S+)\s.*\s([0-9.e+]+) events/cpu-s`)

// add runs BenchmarkClient of package ingest once, in its own process.
func (r clientResults) add(ctx context.Context, w *world, o options) error {
	for _, format := range o.formats {
		wire, err := wireOf(format)
		if err != nil {
			return err
		}
		source, err := json.Marshal(wire.source)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, o.clientTest, "-test.run=^$", "-test.bench=^BenchmarkClient$", "-test.benchtime="+strconv.Itoa(max(w.events, clientEvents)/wire.perMessage)+"x", "-test.cpu=1")
		if o.profile != "" {
			cmd.Args = append(cmd.Args, "-test.cpuprofile="+o.profile+"/client_"+format+".pprof")
		}
		cmd.Env = append(os.Environ(), "PLUMBLINE_BENCH_KAFKA="+w.address, "PLUMBLINE_BENCH_TOPIC="+topicOf(format), "PLUMBLINE_BENCH_SOURCE="+string(source),
			"PLUMBLINE_BENCH_SCHEMA="+w.schema(format))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("BenchmarkClient: %w: %s", err, out)
		}
		for line := range bytes.Lines(out) {
			m := clientLine.FindSubmatch(line)
			if m == nil {
				continue
			}
			v, err := strconv.ParseFloat(string(m[2]), 64)
			if err != nil {
				return fmt.Errorf("BenchmarkClient: %s: %w", line, err)
			}
			r[string(m[1])] = append(r[string(m[1])], v)
			fmt.Fprintf(os.Stderr, "         client alone, %-14s %12.0f events per CPU-second\n", m[1], v)
		}
	}
	return nil
}

func (r clientResults) figures() ([]figure.Figure, error) {
	var all []figure.Figure
	names := make([]string, 0, len(r))
	for name := range r {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		format, stage, _ := strings.Cut(name, "/")
		wire, err := wireOf(format)
		if err != nil {
			return nil, err
		}
		goal, what := wire.goal, "fetch to Arrow bytes"
		if stage == "rollups" {
			goal, what = 0, "fetch to Arrow bytes, rollups too"
		}
		all = append(all, figure.AtLeast("ingest client, "+what+", "+format, median(r[name]), "events/CPU-s", goal))
	}
	return all, nil
}
