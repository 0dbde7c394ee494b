package memory_test

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/memory"
)

// Sixty megabytes that are written to show in both, and once given back in the
// peak only.
func TestMemoryThatIsTouchedShows(t *testing.T) {
	if runtime.GOOS != "linux" {
		if _, err := memory.Peak(os.Getpid()); !errors.Is(err, memory.ErrUnsupported) {
			t.Fatalf("on %s: %v, want ErrUnsupported", runtime.GOOS, err)
		}
		return
	}
	read := func(of func(...int) (float64, error)) float64 {
		t.Helper()
		megabytes, err := of(os.Getpid())
		if err != nil || megabytes <= 0 {
			t.Fatalf("%v MB, %v", megabytes, err)
		}
		return megabytes
	}
	const size = 60
	debug.FreeOSMemory()
	before := read(memory.Resident)
	block := make([]byte, size<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	if grown := read(memory.Resident) - before; grown < size/2 {
		t.Errorf("%d MB more are resident as %.1f MB", size, grown)
	}
	runtime.KeepAlive(block)
	debug.FreeOSMemory()
	resident, peak := read(memory.Resident), read(memory.Peak)
	if peak < before+size/2 || peak < resident {
		t.Errorf("the peak is %.1f MB after %.1f MB + %d MB were held; resident now %.1f MB", peak, before, size, resident)
	}
}

func TestProcessesAddUp(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	own, err := memory.Peak(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	both, err := memory.Peak(os.Getpid(), os.Getppid())
	if err != nil || both <= own {
		t.Errorf("this process and its parent peak at %.1f MB (%v), this one at %.1f MB", both, err, own)
	}
	elsewhere, err := memory.Peak(0)
	if err != nil || elsewhere != 0 {
		t.Errorf("a part that runs elsewhere holds %.1f MB, %v", elsewhere, err)
	}
	// Larger than any pid that Linux gives.
	if _, err := memory.Peak(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that is not there: %v", err)
	}
}
