package fetch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transact produces n records in open transactions of three producers and a
// plain one, interleaved, and returns the records that a committed reader sees.
func transact(t *testing.T, c server, seed uint64) (end int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	var producers []*kgo.Client
	for i := range 3 {
		producers = append(producers, client(t, c, kgo.TransactionalID(fmt.Sprintf("%s-%d", topicOf(c), i)),
			kgo.ProducerBatchCompression([]kgo.CompressionCodec{kgo.NoCompression(), kgo.ZstdCompression(), kgo.Lz4Compression()}[i])))
	}
	plain := client(t, c)
	open := make([]bool, len(producers))
	finish := func(i int, how kgo.TransactionEndTry) {
		if err := producers[i].EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
		open[i] = false
	}
	for step := range 120 {
		i := rng.IntN(len(producers) + 1)
		if i == len(producers) {
			produce(t, plain, variety(1+rng.IntN(4), uint64(step)), 2)
			continue
		}
		if !open[i] {
			if err := producers[i].BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			open[i] = true
		}
		produce(t, producers[i], variety(1+rng.IntN(6), uint64(step)), 3)
		switch rng.IntN(4) {
		case 0:
			finish(i, kgo.TryCommit)
		case 1:
			finish(i, kgo.TryAbort)
		}
	}
	for i := range open {
		if open[i] {
			finish(i, kgo.TryAbort)
		}
	}
	return settled(t, c)
}

// committed reads with franz-go, which implements read_committed on its own.
func committed(t *testing.T, c server, end int64) []item {
	t.Helper()
	// A plain record at the end tells when everything before it was read.
	last := variety(1, 99)
	produce(t, client(t, c), last, 1)
	cl := client(t, c, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topicOf(c): {0: kgo.NewOffset().At(0)}}))
	var all []*kgo.Record
	for {
		f := cl.PollFetches(t.Context())
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Records() {
			if r.Offset == last[0].Offset {
				return items(all)
			}
			if r.Offset < end {
				all = append(all, r)
			}
		}
	}
}

func TestTransactions(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := anyServer(t)
			end := transact(t, c, seed)
			want := committed(t, c, end)
			if len(want) == 0 || int64(len(want)) > end*3/4 {
				t.Fatalf("%d of %d offsets are committed records: that shows little", len(want), end)
			}
			p := partition(t, c)
			var control, aborted int
			var got []item
			for next := int64(0); next < end; {
				chunk, err := p.Fetch(t.Context(), next, time.Second)
				if err != nil {
					t.Fatal(err)
				}
				if chunk.Gap != 0 {
					t.Fatalf("%d offsets are missing", chunk.Gap)
				}
				for _, i := range copied(chunk) {
					if i.offset < end {
						got = append(got, i)
					}
				}
				control, aborted, next = control+chunk.Control, aborted+chunk.Aborted, chunk.Next
			}
			diff(t, got, want)
			if sum := int64(len(got) + control + aborted); control == 0 || aborted == 0 || sum != end {
				t.Errorf("%d records, %d control, %d aborted: %d, want all %d offsets", len(got), control, aborted, sum, end)
			}
			fromEverywhere(t, partition(t, c, func(c *Config) { c.MaxBytes = 1 << 10 }), want, end)
		})
	}
}

// fromEverywhere checks that where a fetch begins does not change what it sees.
func fromEverywhere(t *testing.T, p *Partition, want []item, end int64) {
	t.Helper()
	for from := range end {
		for len(want) > 0 && want[0].offset < from {
			want = want[1:]
		}
		chunk, err := p.Fetch(t.Context(), from, 0)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for n < len(want) && want[n].offset < chunk.Next {
			n++
		}
		got := copied(chunk)
		for len(got) > 0 && got[len(got)-1].offset >= end {
			got = got[:len(got)-1]
		}
		diff(t, got, want[:n])
	}
}

func TestOpenTransactionIsNotHandedOut(t *testing.T) {
	c := anyServer(t)
	produce(t, client(t, c), variety(2, 1), 2)
	cl := client(t, c, kgo.TransactionalID(topicOf(c)+"-open"))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	records := variety(3, 2)
	produce(t, cl, records, 3)
	p := partition(t, c)
	chunk, err := p.Fetch(t.Context(), 0, 0)
	if err != nil || chunk.Next != 2 || chunk.LastStable != 2 || chunk.HighWatermark != 5 || chunk.LogStart != 0 {
		t.Fatalf("got %+v, %v", chunk, err)
	}
	chunk, err = p.Fetch(t.Context(), 2, 0)
	if err != nil || chunk.Next != 2 || len(copied(chunk)) != 0 {
		t.Fatalf("got %+v, %v", chunk, err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	got, _ := readTo(t, p, 2, 6)
	diff(t, got, items(records))
}
