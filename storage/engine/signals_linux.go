//go:build linux

package engine

import (
	"syscall"
	"unsafe"
)

// lastSignal is the highest real-time signal of Linux.
const lastSignal = 64

// saOnStack is SA_ONSTACK: run the handler on the alternate signal stack. A
// handler without it runs on whatever stack is current, and a goroutine's is
// too small for C++.
const saOnStack = 0x08000000

// sigaction is the kernel's struct, not libc's.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

type signalTable [lastSignal + 1]sigaction

// readSignals returns the handlers of all signals.
func readSignals() (t signalTable) {
	for sig := 1; sig <= lastSignal; sig++ {
		rtSigaction(sig, nil, &t[sig])
	}
	return t
}

// repairSignals undoes what the library did since before was read. A handler
// of the Go runtime that was replaced or reset (switching the library's
// handlers off sets the deadly signals to default, so that a nil dereference
// would end the process without a trace) is put back; a handler that the
// library added where there was none stays, but on the signal stack: that is
// the one for reading other threads' stack traces, signal 34, which would
// otherwise overwrite goroutine stacks. It returns the signals it changed.
func repairSignals(before signalTable) (changed []int) {
	for sig := 1; sig <= lastSignal; sig++ {
		var now sigaction
		rtSigaction(sig, nil, &now)
		want := now
		switch {
		case now.handler == before[sig].handler && now.flags == before[sig].flags:
			continue
		case before[sig].handler > 1: // neither default nor ignored
			want = before[sig]
		case now.handler > 1 && now.flags&saOnStack == 0:
			want.flags |= saOnStack
		default:
			continue
		}
		rtSigaction(sig, &want, nil)
		changed = append(changed, sig)
	}
	return changed
}

func rtSigaction(sig int, set, get *sigaction) {
	// The error (a signal that cannot be caught) needs no handling: such a
	// signal has no handler to repair.
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 8, 0, 0)
}
