//go:build unix

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const lockName = "lock"

// Owner is who holds a data directory, as its lock file says.
type Owner struct {
	PID      int       // of the supervisor
	Version  string    // of the program
	Addr     string    // host:port of the HTTP interface
	User     string    // full user
	ReadUser string    // read-only user; empty of a former version
	Database string    // of the DSN
	Since    time.Time // start of the engine
}

// HeldError says that another process owns the data directory.
type HeldError struct {
	DataDir string
	Owner   Owner
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("engine: %s is held by process %d (version %s, since %s), which serves it at http://%s: ask that address, or stop that process",
		e.DataDir, e.Owner.PID, e.Owner.Version, e.Owner.Since.UTC().Format(time.RFC3339), e.Owner.Addr)
}

// dirLock is the lock of a data directory. The kernel gives it up with the
// last process that has the file open, so no stale lock can be left.
type dirLock struct{ file *os.File }

// lockDir takes the lock of dir. A holder that is dying (its child still has
// the file open) is waited for until patience runs out.
func lockDir(dir string, patience time.Duration) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("engine: lock %s: %w", dir, err)
	}
	deadline := time.Now().Add(patience)
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &dirLock{f}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("engine: lock %s: %w", dir, err), f.Close())
		}
		owner, _ := readOwner(dir) // an unreadable file is told as an unknown owner
		if alive(owner.PID) || time.Now().After(deadline) {
			return nil, errors.Join(&HeldError{DataDir: dir, Owner: owner}, f.Close())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// alive says whether a process exists, whoever owns it.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// write records the owner.
func (l *dirLock) write(o Owner) error {
	b, err := json.Marshal(o)
	if err == nil {
		err = l.file.Truncate(0)
	}
	if err == nil {
		_, err = l.file.WriteAt(append(b, '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("engine: write lock file: %w", err)
	}
	return nil
}

// unlock empties the file, so that nobody takes a former owner for one, and
// gives the lock up.
func (l *dirLock) unlock() error {
	if err := errors.Join(l.file.Truncate(0), l.file.Close()); err != nil {
		return fmt.Errorf("engine: unlock: %w", err)
	}
	return nil
}

func readOwner(dir string) (Owner, error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return Owner{}, fmt.Errorf("engine: who holds %s: %w", dir, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return Owner{}, fmt.Errorf("engine: who holds %s: %w", dir, err)
	}
	var o Owner
	if len(b) == 0 {
		return Owner{}, fmt.Errorf("engine: no process runs on %s", dir)
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return Owner{}, fmt.Errorf("engine: who holds %s: %w", dir, err)
	}
	return o, nil
}

// Discover returns the DSN of the engine that runs on dataDir in another
// process, for commands that want to ask it. The caller must be able to read
// the password file.
func Discover(dataDir string) (string, error) {
	return discover(dataDir, passwordName, func(o Owner) string { return o.User })
}

// DiscoverReader is [Discover] for the read-only user.
func DiscoverReader(dataDir string) (string, error) {
	return discover(dataDir, readPasswordName, func(o Owner) string { return o.ReadUser })
}

func discover(dataDir, passwordName string, user func(Owner) string) (string, error) {
	o, err := readOwner(dataDir)
	if err != nil {
		return "", err
	}
	if !alive(o.PID) {
		return "", fmt.Errorf("engine: no process runs on %s (the last was %d)", dataDir, o.PID)
	}
	if user(o) == "" {
		return "", fmt.Errorf("engine: %s is served by version %s, which does not tell of its read-only user: restart it", dataDir, o.Version)
	}
	password, err := os.ReadFile(filepath.Join(dataDir, passwordName))
	if err != nil {
		return "", fmt.Errorf("engine: read password: %w", err)
	}
	// As the engine reads it: whoever edits the file leaves a newline at its end.
	return dsn(o.Addr, credentials{user(o), strings.TrimSpace(string(password))}, o.Database), nil
}
