package secrets_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/ingest/secrets"
)

func TestWhoMayReachASecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("geheim"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode := os.FileMode(0o400); mode < 0o1000; mode++ {
		if mode&0o400 == 0 {
			continue
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		text, err := secrets.Read("token_file", path)
		if good := mode&0o037 == 0; good != (err == nil) || good && string(text) != "geheim" {
			t.Errorf("mode %04o: %q, %v", mode, text, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "token_file: ") || !strings.Contains(err.Error(), "chmod 600") || strings.Contains(err.Error(), "geheim")) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if _, err := secrets.ReadPublic("ca_file", path); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestWhatIsNoSecretFile(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, secrets.MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(dir, "linked") // Kubernetes' secrets are links
	if err := os.Symlink(large, linked); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		large: "larger than", linked: "larger than", dir: "is not a file", filepath.Join(dir, "none"): "no such file",
	} {
		if _, err := secrets.Read("f", path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
