package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kgo"
)

var update = flag.Bool("update", false, "record the batches in testdata again")

// recording is a record set as an embedded broker stored it.
type recording struct {
	name    string
	records []byte
	aborted []transaction
	end     int64
}

func path(name string) string { return filepath.Join("testdata", name+".records") }

// recordings returns what is in testdata: real batches of franz-go's producer
// in each codec, and a transaction aborted between two committed ones.
func recordings(tb testing.TB) []recording {
	tb.Helper()
	if *update {
		record(tb)
	}
	var all []recording
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd", "transactions"} {
		b, err := os.ReadFile(path(name))
		if err != nil {
			tb.Fatal(err)
		}
		r := recording{name: name, records: b}
		if name == "transactions" {
			// The second of three transactions, of the only producer.
			at := starts(b)
			r.aborted = []transaction{{producer: int64(binary.BigEndian.Uint64(b[at[2]+atProducer:])), first: base(b[at[2]:])}}
		}
		at := starts(b)
		lastBatch := b[at[len(at)-1]:]
		r.end = base(lastBatch) + int64(binary.BigEndian.Uint32(lastBatch[atLastDelta:])) + 1
		all = append(all, r)
	}
	return all
}

func base(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// starts returns where the batches of an undamaged record set begin.
func starts(b []byte) []int {
	var all []int
	for at := 0; at < len(b); at += lengthSize + int(binary.BigEndian.Uint32(b[at+atLength:])) {
		all = append(all, at)
	}
	return all
}

func record(tb testing.TB) {
	tb.Helper()
	keep := func(name string, p *Partition) {
		if err := p.receive(tb.Context(), 0, time.Second); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path(name), p.rest, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	for name, compression := range codecNames {
		c := cluster(tb)
		produce(tb, client(tb, c, kgo.ProducerBatchCompression(compression)), variety(45, 3), 15)
		keep(name, partition(tb, c))
	}
	c := cluster(tb)
	cl := client(tb, c, kgo.TransactionalID("t"))
	for _, how := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			tb.Fatal(err)
		}
		produce(tb, cl, variety(4, 4), 4)
		if err := cl.EndTransaction(tb.Context(), how); err != nil {
			tb.Fatal(err)
		}
	}
	keep("transactions", partition(tb, c))
}

// parser returns a partition that has received a record set and has no broker.
func parser(tb testing.TB, limit int) *Partition {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.Brokers, cfg.MaxBatchBytes = []string{"localhost:9"}, limit
	f, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return f.Partition(topic, 0)
}

func (p *Partition) feed(records []byte, offset, end int64, aborted []transaction) {
	p.rest, p.begun, p.lowest = records, offset, 0
	p.chunk.HighWatermark = end
	p.aborts.reset(aborted)
}

// outcome is what reading a record set to its end gave.
type outcome struct {
	items []item
	gap   int64
}

// drain reads a record set as Fetch would from a broker that answers each
// request with everything from the batch on that holds the offset. at are the
// batches and the offsets behind them as the broker's index knows them.
func drain(p *Partition, records []byte, at []int, behind []int64, aborted []transaction) (outcome, error) {
	var o outcome
	end := behind[len(behind)-1]
	p.drop()
	for next := int64(0); next < end; {
		if len(p.rest) == 0 || p.begun != next {
			n, _ := slices.BinarySearch(behind, next+1)
			p.feed(records[at[n]:], next, end, aborted)
		}
		if err := p.assemble(next); err != nil {
			return o, err
		}
		if p.chunk.Next == next {
			return o, fmt.Errorf("no whole batch at %d: %w", next, ErrCorrupt)
		}
		o.items = append(o.items, copied(&p.chunk)...)
		o.gap += p.chunk.Gap
		next = p.chunk.Next
	}
	return o, nil
}

func index(r recording) (at []int, behind []int64) {
	at = starts(r.records)
	for _, s := range at {
		behind = append(behind, base(r.records[s:])+int64(binary.BigEndian.Uint32(r.records[s+atLastDelta:]))+1)
	}
	return at, behind
}

// TestRecordedAgainstKafkaGo compares with kafka-go's decoder of record sets,
// the one behind Client.Fetch.
func TestRecordedAgainstKafkaGo(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			at, behind := index(r)
			got, err := drain(parser(t, 1<<20), r.records, at, behind, nil)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, nullForEmpty(got.items), decodedByKafkaGo(t, r.records))
			if len(got.items) == 0 || got.gap != 0 {
				t.Errorf("%d records, %d offsets missing", len(got.items), got.gap)
			}
		})
	}
}

func decodedByKafkaGo(t *testing.T, records []byte) []item {
	t.Helper()
	var set protocol.RecordSet
	framed := append(binary.BigEndian.AppendUint32(nil, uint32(len(records))), records...)
	if _, err := set.ReadFrom(bytes.NewReader(framed)); err != nil {
		t.Fatal(err)
	}
	all := []protocol.RecordReader{set.Records}
	if s, ok := set.Records.(*protocol.RecordStream); ok {
		all = s.Records
	}
	var out []item
	for _, reader := range all {
		if _, control := reader.(*protocol.ControlBatch); control {
			continue
		}
		for {
			rec, err := reader.ReadRecord()
			if err != nil {
				break
			}
			i := item{offset: rec.Offset, time: rec.Time.UnixMilli(), headers: rec.Headers}
			if i.key, err = protocol.ReadAll(rec.Key); err != nil {
				t.Fatal(err)
			}
			if i.value, err = protocol.ReadAll(rec.Value); err != nil {
				t.Fatal(err)
			}
			out = append(out, i)
		}
	}
	return nullForEmpty(out)
}

// TestEveryDamagedByteIsDetected flips every byte of every recording, those of
// headers in several ways. The one field that no checksum covers and that matters is the base
// offset: its damage is an error or a gap.
func TestEveryDamagedByteIsDetected(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			at, behind := index(r)
			p := parser(t, 1<<20)
			good, err := drain(p, r.records, at, behind, r.aborted)
			if err != nil {
				t.Fatal(err)
			}
			damaged := bytes.Clone(r.records)
			caught, gaps := 0, 0
			for pos := range damaged {
				n, exact := slices.BinarySearch(at, pos)
				if !exact {
					n--
				}
				field := pos - at[n]
				flips := []byte{0x01, 0x80, 0xff}
				if field >= headerSize {
					// The checksum covers these, whatever they hold.
					flips = []byte{1 << (pos % 8)}
				}
				for _, flip := range flips {
					damaged[pos] ^= flip
					got, err := drain(p, damaged, at, behind, r.aborted)
					damaged[pos] ^= flip
					switch {
					case errors.Is(err, ErrCorrupt) || errors.Is(err, ErrLegacy) || errors.Is(err, ErrTooLarge):
						caught++
					case err != nil:
						t.Fatalf("byte %d of batch %d: %v", field, n, err)
					case field < atLength && got.gap > good.gap:
						gaps++
					case field >= lengthSize && field < atMagic:
						diff(t, got.items, good.items) // the leader's epoch changes nothing
					default:
						t.Fatalf("byte %d of batch %d flipped by %#x was not noticed", field, n, flip)
					}
				}
			}
			t.Logf("%d bytes: %d errors, %d gaps", len(damaged), caught, gaps)
		})
	}
}

// TestCutOffAnywhere gives the first bytes of a record set, as brokers do that
// cut at the requested size: whole batches are read, the rest is no error.
func TestCutOffAnywhere(t *testing.T) {
	for _, r := range recordings(t) {
		at, behind := index(r)
		p := parser(t, 1<<20)
		for cut := range len(r.records) {
			p.feed(r.records[:cut], 0, r.end, r.aborted)
			if err := p.assemble(0); err != nil {
				t.Fatalf("%s cut at %d: %v", r.name, cut, err)
			}
			n, exact := slices.BinarySearch(at, cut)
			if !exact {
				n--
			}
			want := int64(0)
			if n > 0 {
				want = behind[n-1]
			}
			if p.chunk.Next != want {
				t.Fatalf("%s cut at %d: next %d, want %d", r.name, cut, p.chunk.Next, want)
			}
		}
	}
}

// TestBadBatchBehindGoodOnes wants the good ones first and the error next, with
// the offset that was not delivered.
func TestBadBatchBehindGoodOnes(t *testing.T) {
	r := recordings(t)[0]
	at, behind := index(r)
	b := bytes.Clone(r.records)
	b[at[1]+headerSize+9] ^= 4
	p := parser(t, 1<<20)
	p.feed(b, 0, r.end, nil)
	chunk, err := p.Fetch(t.Context(), 0, 0)
	if err != nil || chunk.Next != behind[0] {
		t.Fatalf("got %v, %v", chunk, err)
	}
	_, err = p.Fetch(t.Context(), chunk.Next, 0)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrCorrupt) || e.Topic != topic || e.Partition != 0 || e.Offset != behind[0] {
		t.Fatalf("got %v", err)
	}
	want := fmt.Sprintf("fetch predictions/0 at %d: CRC-32C ", behind[0])
	if text := err.Error(); len(text) < len(want) || text[:len(want)] != want {
		t.Errorf("got %q", text)
	}
}

// seal makes the lengths and the checksum of a batch right again.
func seal(b []byte) []byte {
	if len(b) < headerSize {
		return b
	}
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-lengthSize))
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
	return b
}

func TestNoAllocationPerRecord(t *testing.T) {
	for _, r := range recordings(t) {
		p := parser(t, 1<<20)
		var records int
		allocs := testing.AllocsPerRun(100, func() {
			p.feed(r.records, 0, r.end, r.aborted)
			if err := p.assemble(0); err != nil {
				t.Fatal(err)
			}
			records = 0
			for rec := range p.chunk.Records() {
				if rec.Offset >= 0 && len(rec.Key) < 1<<20 {
					records++
				}
				for k := range rec.Headers() {
					_ = k
				}
			}
		})
		// The Go runtime may empty the pools of decompressors at any time, and with
		// the race detector does so at random.
		if allocs > 15 || allocs > 3 && records < 20 {
			t.Errorf("%s: %.1f allocations for %d records", r.name, allocs, records)
		}
	}
}
