//go:build unix

package fetch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kfake"
)

// brokerVariable makes the test binary a broker that serves one batch for ever,
// so that the benchmarks' own CPU time is the client's alone.
const brokerVariable = "PLUMBLINE_FETCH_BENCH_BATCH"

func TestMain(m *testing.M) {
	if file := os.Getenv(brokerVariable); file != "" {
		if err := serve(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serve(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic), kfake.SyntheticFetch(kfake.SyntheticBatch{Batch: b}))
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println(c.ListenAddrs()[0])
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// broker starts the child and returns its address.
func broker(b *testing.B, batch []byte) string {
	b.Helper()
	file := b.TempDir() + "/batch"
	if err := os.WriteFile(file, batch, 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), brokerVariable+"="+file)
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil && b.Context().Err() == nil {
			b.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// events is a batch of n predictions of about 620 bytes with their keys.
func events(b *testing.B, n int, with codec) []byte {
	rng := rand.New(rand.NewPCG(1, 1))
	var records []byte
	for d := range int64(n) {
		id := fmt.Appendf(nil, "%016x-%016x", rng.Uint64(), rng.Uint64())
		v := fmt.Appendf(nil, `{"prediction_id":"%s","model":"flight-delay","deploy_hash":"3f9c81d2","stage":"production","ts":%d,"features":{`, id, 1_700_000_000_000+d)
		for f := range 20 {
			v = fmt.Appendf(v, `"feature_%d":%.3f,`, f, 1000*rng.NormFloat64())
		}
		v = fmt.Appendf(v, `"origin":"ATL"},"score":%.6f,"predicted":"late"}`, rng.Float64())
		records = append(records, oneRecord(d, d, id, v)...)
	}
	if with != codecNone {
		records = compress(b, with, records)
	}
	return spec{last: int64(n - 1), count: n, payload: records, attributes: int16(with)}.build()
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFetch reads messages over loopback, next to kafka-go's Client.Fetch,
// which handed records to ingest before. An operation is a message.
func BenchmarkFetch(b *testing.B) {
	for _, input := range []struct {
		name  string
		batch []byte
	}{
		{"none", events(b, 1500, codecNone)},
		{"none/batch=1", events(b, 1, codecNone)},
		{"lz4", events(b, 1500, codecLZ4)},
		{"snappy", events(b, 1500, codecSnappy)},
		{"zstd", events(b, 1500, codecZstd)},
		{"gzip", events(b, 1500, codecGzip)},
	} {
		for _, path := range []struct {
			name string
			read func(*testing.B, string)
		}{{"fetch", readFetch}, {"client", readClient}} {
			b.Run(path.name+"/"+input.name, func(b *testing.B) {
				address := broker(b, input.batch)
				b.ReportAllocs()
				b.ResetTimer()
				before := cpu(b)
				path.read(b, address)
				spent := cpu(b) - before
				b.ReportMetric(float64(b.N)/spent.Seconds(), "msgs/cpu-s")
			})
		}
	}
}

func readFetch(b *testing.B, address string) {
	cfg := DefaultConfig()
	cfg.Brokers = []string{address}
	f, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	p := f.Partition(topic, 0)
	defer p.Close()
	next, size := int64(0), 0
	for n := 0; n < b.N; {
		c, err := p.Fetch(b.Context(), next, time.Second)
		if err != nil {
			b.Fatal(err)
		}
		for r := range c.Records() {
			size += len(r.Key) + len(r.Value)
			n++
		}
		next = c.Next
	}
	if size == 0 {
		b.Fatal("nothing was read")
	}
}

func readClient(b *testing.B, address string) {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(address), Transport: transport}
	var key, value []byte
	next, size := int64(0), 0
	for n := 0; n < b.N; {
		r, err := client.Fetch(b.Context(), &kafka.FetchRequest{
			Topic: topic, Offset: next, MinBytes: 1, MaxBytes: int64(DefaultConfig().MaxBytes), MaxWait: time.Second, IsolationLevel: kafka.ReadCommitted,
		})
		if err == nil {
			err = r.Error
		}
		if err != nil {
			b.Fatal(err)
		}
		for {
			rec, err := r.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if rec.Offset >= next {
				key, value = appendBytes(key[:0], rec.Key), appendBytes(value[:0], rec.Value)
				size += len(key) + len(value)
				next, n = rec.Offset+1, n+1
			} else {
				appendBytes(nil, rec.Key)
				appendBytes(nil, rec.Value)
			}
		}
	}
	if size == 0 {
		b.Fatal("nothing was read")
	}
}

func appendBytes(to []byte, b protocol.Bytes) []byte {
	if b == nil {
		return to
	}
	defer b.Close()
	at := len(to)
	to = append(to, make([]byte, b.Len())...)
	if _, err := io.ReadFull(b, to[at:]); err != nil {
		panic(err)
	}
	return to
}

// BenchmarkParse is what BenchmarkFetch does without the network: checksums,
// decompression, verification and the walk.
func BenchmarkParse(b *testing.B) {
	for _, with := range []codec{codecNone, codecGzip, codecSnappy, codecLZ4, codecZstd} {
		const count = 1500
		one := events(b, count, with)
		records := bytes.Repeat(one, 5)
		for i := range 5 {
			binary.BigEndian.PutUint64(records[i*len(one):], uint64(i*count))
		}
		b.Run(fmt.Sprintf("codec=%d", with), func(b *testing.B) {
			p := parser(b, 1<<26)
			b.ReportAllocs()
			size, ctx, before := 0, context.Background(), cpu(b)
			for n := 0; n < b.N; n += 5 * count {
				p.feed(records, 0, 5*count, nil)
				for next := int64(0); next < 5*count; {
					c, err := p.Fetch(ctx, next, 0)
					if err != nil {
						b.Fatal(err)
					}
					for r := range c.Records() {
						size += len(r.Value)
					}
					next = c.Next
				}
			}
			if size == 0 {
				b.Fatal("nothing was read")
			}
			b.ReportMetric(float64(b.N)/(cpu(b)-before).Seconds(), "msgs/cpu-s")
		})
	}
}
