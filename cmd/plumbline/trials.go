package main

import (
	"context"
	"os"
	"strings"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/chaosingest"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/mutate"
)

// chaosIngest adds the attack on ingest, and the worker processes it attacks.
func (c *cli) chaosIngest() {
	clause := c.app.Command("chaos-ingest", "Kill and stop three ingest workers while inserts fail, and count.").Hidden()
	kills := clause.Flag("kills", "How many SIGKILL and SIGSTOP the storm sends.").Default("200").Int()
	window := clause.Flag("dedup-window", "ClickHouse's deduplication window during the storm.").Default("10000").Int()
	batches := clause.Flag("stopped-batches", "Batches of the others while a worker is stopped.").Default("1000").Int()
	only := clause.Flag("scenario", "Do only this one; may be repeated: "+strings.Join(chaosingest.Scenarios(), ", ")+".").Enums(chaosingest.Scenarios()...)
	seed := clause.Flag("seed", "Seed of what is random; 0 takes one and prints it.").Uint64()
	brokers := clause.Flag("kafka.brokers", "Address of a Kafka to use instead of the embedded one; may be repeated.").Strings()
	c.add(clause, func(ctx context.Context) error {
		return chaosingest.Run(ctx, chaosingest.Options{
			Kills: *kills, DedupWindow: *window, StoppedBatches: *batches, Scenarios: *only, Seed: *seed, Brokers: *brokers,
			Lines: c.stdout, Text: c.stderr,
		})
	})
	worker := c.app.Command("chaos-worker", "One worker of chaos-ingest; its orders come on standard input.").Hidden()
	c.add(worker, func(ctx context.Context) error { return chaosingest.RunWorker(ctx, os.Stdin, c.stderr) })
}

// fuzzIngest adds the damaging of events of every shape.
func (c *cli) fuzzIngest() {
	clause := c.app.Command("fuzz-ingest", "Damage events of every input shape, decode them, and count what became of them.").Hidden()
	events := clause.Flag("events", "How many.").Default("10000000").Int()
	seed := clause.Flag("seed", "Seed of the damage; 0 takes one and prints it.").Uint64()
	testdata := clause.Flag("testdata", "Folder of the golden examples.").Default("ingest/decode/testdata").String()
	c.add(clause, func(ctx context.Context) error {
		return mutate.Run(ctx, mutate.Options{Events: *events, Seed: *seed, Testdata: *testdata, Lines: c.stdout, Text: c.stderr})
	})
}
