package realclickhouse

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// What the parent tells a server's process: the path of the library, and its
// arguments, one a line.
const (
	libraryVariable   = "PLUMBLINE_REAL_CLICKHOUSE_LIBRARY"
	argumentsVariable = "PLUMBLINE_REAL_CLICKHOUSE_ARGUMENTS"
)

// listening is what clickhouse-local is asked to do: to listen, and then nothing
// until it is killed.
const listening = "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; " +
	"SELECT sleepEachRow(1) FROM system.numbers SETTINGS max_block_size = 1 FORMAT Null"

// RunServerIfRequested turns a process that Start began into the server and does
// not return; it returns at once in any other process.
func RunServerIfRequested() {
	path := os.Getenv(libraryVariable)
	if path == "" {
		return
	}
	if err := serve(path, strings.Split(os.Getenv(argumentsVariable), "\n")); err != nil {
		fmt.Fprintln(os.Stderr, "realclickhouse:", err)
	}
	os.Exit(1) // a server ends by being killed
}

func serve(path string, arguments []string) error {
	if err := giveTerminal(); err != nil {
		fmt.Fprintln(os.Stderr, "realclickhouse: a broken connection will end this server:", err)
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	var run func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	purego.RegisterLibFunc(&run, handle, "chdb_query_cmdline")
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]unsafe.Pointer, 0, len(arguments)+2)
	for _, a := range append([]string{"clickhouse"}, arguments...) {
		b := append([]byte(a), 0)
		pin.Pin(&b[0])
		argv = append(argv, unsafe.Pointer(&b[0]))
	}
	count := len(argv)
	argv = append(argv, nil)
	pin.Pin(&argv[0])
	runtime.LockOSThread()
	run(int32(count), unsafe.Pointer(&argv[0]))
	return fmt.Errorf("the library came back from %q", listening)
}

// giveTerminal makes the standard input a terminal that nobody types into. Without
// one this version of clickhouse-local ends itself on whatever a listener's thread
// throws, as when another server breaks a connection off (ClickHouse issue
// 115666); with one it goes on, as clickhouse-server does.
func giveTerminal() error {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a terminal: %w", err)
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlock a terminal: %w", err)
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("name a terminal: %w", err)
	}
	terminal, err := unix.Open(fmt.Sprintf("/dev/pts/%d", number), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a terminal: %w", err)
	}
	if err := unix.Dup2(terminal, unix.Stdin); err != nil {
		return fmt.Errorf("read a terminal: %w", err)
	}
	return nil // both ends stay open as long as the process
}
