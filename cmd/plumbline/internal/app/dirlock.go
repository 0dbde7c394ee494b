package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// lockFile is the name, in each directory that one process owns, of the file whose
// lock says so. The kernel gives the lock up with the process, so none can be stale.
const lockFile = "service.lock"

// ownDirs are the directories whose files one process alone may have open: an
// embedded Kafka writes all that it knows anew when it ends, and the files of
// alerting only grow.
func (c Config) ownDirs() []string {
	dirs := []string{c.DataDir, c.Alerting.DataDir}
	if len(c.Kafka.Brokers) == 0 {
		dirs = append(dirs, c.Kafka.Embedded.DataDir)
	}
	for i := range dirs {
		dirs[i] = filepath.Clean(dirs[i])
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// lockDirs makes the directories and takes them for this process, until unlock. It
// comes before anything in them is opened.
func lockDirs(dirs []string) (unlock func() error, err error) {
	var files []*os.File
	unlock = func() error {
		var errs []error
		for _, f := range files {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	for _, dir := range dirs {
		f, err := lockDir(dir)
		if err != nil {
			return nil, errors.Join(err, unlock())
		}
		files = append(files, f)
	}
	return unlock, nil
}

func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir: %w; name a directory that this user may write to", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w; name a directory that this user may write to", err)
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		holder, readErr := os.ReadFile(f.Name())
		if readErr != nil || len(holder) == 0 {
			holder = []byte("that did not say its number")
		}
		return nil, errors.Join(fmt.Errorf("data_dir: %s is in use by process %s: stop that service, or give this one a data_dir of its own", dir, strings.TrimSpace(string(holder))), f.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("data_dir: lock %s: %w", f.Name(), err), f.Close())
	}
	if err := errors.Join(f.Truncate(0), writeAll(f, fmt.Sprintf("%d\n", os.Getpid()))); err != nil {
		return nil, errors.Join(fmt.Errorf("data_dir: %w", err), f.Close())
	}
	return f, nil
}

func writeAll(f *os.File, text string) error {
	_, err := f.WriteString(text)
	return err
}
