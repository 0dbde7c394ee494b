package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Names below the data directory.
const (
	dataName    = "data"               // the engine's own path
	backupsName = "backups"            // one directory for each upgrade
	runName     = "run"                // generated configuration
	versionName = "run/engine.version" // of the library that last opened data
	upgradeName = "run/engine.upgrade" // the backup of an upgrade that is not over
)

// backupBeforeUpgrade takes a backup of the data if it was last opened by
// another version of the engine, and returns its directory, or "" if none was
// needed. Only the newest keep backups stay. The caller owns the data
// directory and has not opened it yet.
//
// An upgrade that begins anew, because the start before ended in a crash, goes on
// with the backup that it has. (Until 2026-11-23 each such start took another, of what
// the one before had left, and the third removed the one from before the upgrade.)
func backupBeforeUpgrade(dir, version string, keep int, now time.Time) (string, error) {
	last, err := os.ReadFile(filepath.Join(dir, versionName))
	old := strings.TrimSpace(string(last))
	if errors.Is(err, fs.ErrNotExist) || err == nil && old == version || keep == 0 {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("engine: read version of the data: %w", err)
	}
	backups := filepath.Join(dir, backupsName)
	if taken := backupTaken(dir); taken != "" {
		return taken, nil
	}
	target := filepath.Join(backups, now.UTC().Format("20060102T150405Z")+"-"+safeName(old))
	partial := target + ".partial"
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(backups, 0o700)); err != nil {
		return "", fmt.Errorf("engine: back up before upgrade: %w", err)
	}
	if err := linkTree(filepath.Join(dir, dataName), partial); err != nil {
		return "", fmt.Errorf("engine: back up before upgrade from %s to %s: %w", old, version, err)
	}
	if err := os.Rename(partial, target); err != nil {
		return "", fmt.Errorf("engine: back up before upgrade: %w", err)
	}
	if err := replaceFile(filepath.Join(dir, upgradeName), filepath.Base(target)+"\n"); err != nil {
		return "", fmt.Errorf("engine: note the backup before upgrade: %w", err)
	}
	return target, prune(backups, keep)
}

// backupTaken returns the backup of an upgrade that has begun and not ended, "" if
// there is none.
func backupTaken(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, upgradeName))
	name := strings.TrimSpace(string(text))
	if err != nil || name == "" {
		return ""
	}
	taken := filepath.Join(dir, backupsName, filepath.Base(name))
	if st, err := os.Stat(taken); err != nil || !st.IsDir() {
		return "" // moved away, to be the data again
	}
	return taken
}

// recordVersion notes that version has opened the data: an upgrade to it is over.
func recordVersion(dir, version string) error {
	if err := replaceFile(filepath.Join(dir, versionName), version+"\n"); err != nil {
		return fmt.Errorf("engine: record version of the data: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, upgradeName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("engine: record that the upgrade is over: %w", err)
	}
	return nil
}

// replaceFile writes a file that only its owner may read, whole or not at all.
func replaceFile(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// linkTree copies the tree at from to to. Files of finished data parts, which
// are never written again, become hard links; all other files (metadata,
// deduplication logs, tables of the Log family) are written in place by the
// engine and are copied. A part is a directory with a checksums.txt.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(dst, 0o700)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, dst)
		case !d.Type().IsRegular():
			return nil
		case isFile(filepath.Join(filepath.Dir(path), "checksums.txt")):
			return os.Link(path, dst)
		}
		return copyFile(path, dst)
	})
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// prune removes all but the newest keep backups; their names begin with the
// time.
func prune(backups string, keep int) error {
	entries, err := os.ReadDir(backups)
	if err != nil {
		return fmt.Errorf("engine: prune backups: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasSuffix(e.Name(), ".partial") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	for _, name := range names[:max(0, len(names)-keep)] {
		if err := os.RemoveAll(filepath.Join(backups, name)); err != nil {
			return fmt.Errorf("engine: prune backups: %w", err)
		}
	}
	return nil
}

func safeName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r < 0x80 && isWordByte(byte(r)) {
			return r
		}
		return '_'
	}, s)
}
