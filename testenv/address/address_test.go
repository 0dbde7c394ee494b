package address_test

import (
	"net"
	"sync"
	"testing"

	"github.com/plumbline-slo/plumbline/testenv/address"
)

// Whoever asks, also at once, gets an address of its own that can be listened
// on again and again.
func TestAddressesAreNobodyElses(t *testing.T) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	seen := make(map[string]bool)
	for range 50 {
		asking.Go(func() {
			r, err := address.Reserve()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = r.Release() })
			mu.Lock()
			defer mu.Unlock()
			if seen[r.Addr] {
				t.Errorf("%s is given twice", r.Addr)
			}
			seen[r.Addr] = true
		})
	}
	asking.Wait()
	for addr := range seen {
		for range 2 {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestReleasedIsFree(t *testing.T) {
	r, err := address.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.ListenPacket("udp", r.Addr); err == nil {
		_ = c.Close()
		t.Error("what is reserved is not marked")
	}
	if err := r.Release(); err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenPacket("udp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
