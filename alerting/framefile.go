package alerting

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// frameFile is a file of frames (length as uvarint, then the bytes) that only
// grows, and is on disk when Append returns. It is the framing of Alertmanager's
// own snapshots, so that the snapshot of the notification log and the journal of its
// changes are one file. It is safe for concurrent use.
//
// A torn last frame, all that a crash can leave, is dropped when the file is
// opened. After a write that did not succeed the file refuses further frames
// until Replace has written it anew, for what follows a torn frame cannot be
// read.
type frameFile struct {
	path    string
	syncDir func(path string) error

	mu      sync.Mutex
	file    *os.File
	broken  error
	broke   func()
	pending []byte // what came since BeginReplace
	staging bool
}

// openFrameFile opens or creates the file and returns its whole frames.
func openFrameFile(path string) (*frameFile, []byte, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", path, err)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read %s: %w", path, err), file.Close())
	}
	if whole := wholeFrames(content); whole < len(content) {
		content = content[:whole]
		if err := errors.Join(file.Truncate(int64(whole)), file.Sync()); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("drop the torn end of %s: %w", path, err), file.Close())
		}
	}
	if err := syncDir(path); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return &frameFile{path: path, file: file, syncDir: syncDir, broke: func() {}}, content, nil
}

// onBreak has it called whenever the file ceases to take frames. It must not wait.
func (f *frameFile) onBreak(call func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broke = call
}

// wholeFrames returns the length of the longest prefix made of whole frames. An
// empty frame ends it: no writer makes one, but a file system that lost its
// power may leave zeros.
func wholeFrames(b []byte) int {
	at := 0
	for at < len(b) {
		size, n := binary.Uvarint(b[at:])
		if n <= 0 || size == 0 || size > uint64(len(b)-at-n) {
			break
		}
		at += n + int(size)
	}
	return at
}

// eachFrame calls do with the content of every frame.
func eachFrame(b []byte, do func([]byte) error) error {
	for at := 0; at < len(b); {
		size, n := binary.Uvarint(b[at:])
		if n <= 0 || size > uint64(len(b)-at-n) {
			return fmt.Errorf("frame at byte %d is torn", at)
		}
		if err := do(b[at+n : at+n+int(size)]); err != nil {
			return fmt.Errorf("frame at byte %d: %w", at, err)
		}
		at += n + int(size)
	}
	return nil
}

// newestFrames leaves out frames of the same thing that are older than another, of
// equally old ones all but the last. Replicas tell each other what they know in any
// order: the last frame need not be the newest.
func newestFrames(b []byte, of func(frame []byte) (what string, at time.Time)) []byte {
	type stamped struct {
		frame []byte
		at    time.Time
	}
	newest := make(map[string]stamped)
	// Whoever opened the file has left whole frames in it.
	_ = eachFrame(b, func(frame []byte) error {
		what, at := of(frame)
		if known, ok := newest[what]; !ok || !at.Before(known.at) {
			newest[what] = stamped{frame, at}
		}
		return nil
	})
	var kept []byte
	for _, s := range newest {
		kept = appendFrame(kept, s.frame)
	}
	return kept
}

func appendFrame(b, content []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(content))), content...)
}

// Append writes whole frames and returns when they are on disk.
func (f *frameFile) Append(frames []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.staging {
		f.pending = append(f.pending, frames...)
	}
	if f.broken != nil {
		return f.broken
	}
	_, err := f.file.Write(frames)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		f.broken = fmt.Errorf("append to %s: %w", f.path, err)
		f.broke()
	}
	return f.broken
}

// Err returns the error that keeps the file from taking frames, if any.
func (f *frameFile) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken
}

// Replace rewrites the file with what snapshot returns and every frame that is
// appended meanwhile. The snapshot is taken without holding the file's lock, so
// that a writer who holds the state's lock may append.
func (f *frameFile) Replace(snapshot func() ([]byte, error)) error {
	f.mu.Lock()
	f.staging, f.pending = true, nil
	f.mu.Unlock()
	content, err := snapshot()

	f.mu.Lock()
	defer f.mu.Unlock()
	content = append(content, f.pending...)
	f.staging, f.pending = false, nil
	if err != nil {
		return fmt.Errorf("snapshot for %s: %w", f.path, err)
	}
	file, err := writeAside(f.path, content)
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", f.path, err)
	}
	// The old descriptor leads to a file without a name; nothing is lost if
	// closing it does not succeed. The new one takes frames once its name is sure to
	// outlive the machine.
	_ = f.file.Close()
	f.file, f.broken = file, f.syncDir(f.path)
	if f.broken != nil {
		return fmt.Errorf("rewrite %s: %w", f.path, f.broken)
	}
	return nil
}

// writeAside writes a file of its own and gives it the name.
func writeAside(path string, content []byte) (*os.File, error) {
	aside := path + ".new"
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err = file.Write(content); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		// Half a file must not keep a full disk full.
		return nil, errors.Join(err, file.Close(), os.Remove(aside))
	}
	return file, nil
}

// syncDir makes the name of the file durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = dir.Sync()
	if closing := dir.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("sync directory of %s: %w", path, err)
	}
	return nil
}

// Close closes the file; everything appended is on disk already.
func (f *frameFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == nil {
		f.broken = fmt.Errorf("append to %s: %w", f.path, os.ErrClosed)
	}
	return f.file.Close()
}
