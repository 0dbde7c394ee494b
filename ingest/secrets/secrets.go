// Package secrets reads the files that the configuration names: every *_file of
// ingest, with one rule for those that hold a secret. It imports the standard
// library only, keeps nothing it has read, and puts nothing of a file's content
// into an error.
package secrets

import (
	"fmt"
	"io"
	"os"
)

// MaxFile bounds a file in bytes.
const MaxFile = 1 << 20

// exposed are the bits of a mode that a secret must not have: others may do
// nothing, and its group may only read, because that is how Kubernetes hands a
// secret to a pod that is not root (defaultMode 0440 with an fsGroup).
const exposed = 0o037

// Read returns the content of a regular file that holds a secret. One that
// others than its owner and its group can reach, or that its group can change,
// is refused. Errors begin with the field.
func Read(field, path string) ([]byte, error) { return read(field, path, exposed) }

// ReadPublic is Read for files that everybody may read, such as certificates.
func ReadPublic(field, path string) ([]byte, error) { return read(field, path, 0) }

func read(field, path string, forbidden os.FileMode) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	defer file.Close() // read only
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %s is not a file", field, path)
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return nil, fmt.Errorf("%s: %s has the mode %s; others than its owner and its group can reach it, or its group can change it: chmod 600, or 440 for a group", field, path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if len(text) > MaxFile {
		return nil, fmt.Errorf("%s: %s is larger than %d bytes", field, path, MaxFile)
	}
	return text, nil
}
