//go:build unix

package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A start under another version that fails before the data is open takes no second
// backup when it is tried again: what it left is not what the old version knew, and
// the backups of some such starts would crowd out the one that is.
func TestFailedUpgradeKeepsTheBackup(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	file := filepath.Join(dir, dataName, "table")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	backup := func(version string) string {
		t.Helper()
		at = at.Add(time.Minute)
		taken, err := backupBeforeUpgrade(dir, version, 2, at)
		if err != nil {
			t.Fatal(err)
		}
		return taken
	}
	record := func(version string) {
		t.Helper()
		if err := recordVersion(dir, version); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, runName), 0o700); err != nil {
		t.Fatal(err)
	}
	record("26.1")
	write("as 26.1 left it")
	first := backup("26.2")
	for range 5 {
		write("as 26.2 left it when it crashed")
		if again := backup("26.2"); again != first {
			t.Fatalf("another backup %q beside %q", again, first)
		}
	}
	if again := backup("26.3"); again != first {
		t.Errorf("a second new version took %q, and not %q", again, first)
	}
	if text, err := os.ReadFile(filepath.Join(first, "table")); err != nil || string(text) != "as 26.1 left it" {
		t.Errorf("the backup holds %q, %v", text, err)
	}
	record("26.1") // back to the old version, which goes on
	write("what 26.1 made since")
	if second := backup("26.2"); second == first || second == "" {
		t.Errorf("the next upgrade took the backup %q, first was %q", second, first)
	}
	record("26.2")
	if none := backup("26.2"); none != "" {
		t.Errorf("the same version took %q", none)
	}
}

// A password file that was made and not written, since the disk was full or the
// machine went down, does not refuse every start after it.
func TestEmptyPasswordFileIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), passwordName)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := password(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := password(path); err != nil || again != made || len(made) != 32 {
		t.Errorf("%q, then %q, %v", made, again, err)
	}
}
