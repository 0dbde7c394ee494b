package engine

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// Landlock, the kernel's sandbox for unprivileged processes; the numbers are
// those of linux/landlock.h and are the same on every architecture.
const (
	sysLandlockCreateRuleset = 444
	sysLandlockAddRule       = 445
	sysLandlockRestrictSelf  = 446
	landlockVersionFlag      = 1
	landlockRulePathBeneath  = 1
	prSetNoNewPrivs          = 38

	fsExecute   = 1 << 0
	fsWriteFile = 1 << 1
	fsReadFile  = 1 << 2
	fsReadDir   = 1 << 3
	fsRefer     = 1 << 13 // from version 2
	fsTruncate  = 1 << 14 // from version 3
	fsVersion1  = 1<<13 - 1
	netTCP      = 3 // bind and connect, from version 4

	fsRead  = fsExecute | fsReadFile | fsReadDir
	fsFiles = fsExecute | fsWriteFile | fsReadFile | fsTruncate // what a rule on a file may allow
)

// errNoSandbox says that this kernel has no Landlock.
var errNoSandbox = errors.New("the kernel has no Landlock")

// restrictThread confines the calling thread, and every process it starts, to
// reading readable paths and using writable ones, and takes TCP away. It is
// the last lock on the engine: grants and refused names come first, but the
// engine has hundreds of functions and formats, and as an embedded engine it
// lets some of them open any file of its user. The goroutine must be locked
// to its thread for good.
func restrictThread(readable, writable []string) error {
	version, _, errno := syscall.Syscall(sysLandlockCreateRuleset, 0, 0, landlockVersionFlag)
	if errno != 0 {
		return errNoSandbox
	}
	handled := uint64(fsVersion1)
	if version >= 2 {
		handled |= fsRefer
	}
	if version >= 3 {
		handled |= fsTruncate
	}
	attr := struct{ fs, net uint64 }{fs: handled}
	size := uintptr(8)
	if version >= 4 {
		attr.net, size = netTCP, 16
	}
	fd, _, errno := syscall.Syscall(sysLandlockCreateRuleset, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return fmt.Errorf("sandbox: create rules: %w", errno)
	}
	defer syscall.Close(int(fd)) // has no content to lose
	for _, p := range readable {
		if err := allowPath(int(fd), p, fsRead&handled); err != nil {
			return err
		}
	}
	for _, p := range writable {
		if err := allowPath(int(fd), p, handled); err != nil {
			return err
		}
	}
	if _, _, errno = syscall.Syscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("sandbox: give up new privileges: %w", errno)
	}
	if _, _, errno = syscall.Syscall(sysLandlockRestrictSelf, fd, 0, 0); errno != 0 {
		return fmt.Errorf("sandbox: restrict: %w", errno)
	}
	return nil
}

// allowPath adds a rule for path and what is below it. A path that does not
// exist needs none.
func allowPath(ruleset int, path string, access uint64) error {
	f, err := os.OpenFile(path, 0x200000|syscall.O_CLOEXEC, 0) // O_PATH
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if !st.IsDir() {
		access &= fsFiles
	}
	var rule [12]byte // struct landlock_path_beneath_attr is packed
	*(*uint64)(unsafe.Pointer(&rule[0])) = access
	*(*int32)(unsafe.Pointer(&rule[8])) = int32(f.Fd())
	_, _, errno := syscall.Syscall6(sysLandlockAddRule, uintptr(ruleset), landlockRulePathBeneath, uintptr(unsafe.Pointer(&rule[0])), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("sandbox: allow %s: %w", path, errno)
	}
	return nil
}

// systemPaths are what any program reads: its libraries and what it asks of
// the machine.
func systemPaths() []string {
	return []string{
		"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
		"/proc", "/sys", "/dev/urandom", "/dev/random", "/dev/null", "/dev/zero",
	}
}
