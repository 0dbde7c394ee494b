package engine

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed config.xml.tmpl
var configTemplate string

//go:embed users.xml.tmpl
var usersTemplate string

// nativeConfig is what the engine's own configuration files depend on.
type nativeConfig struct {
	MaxMemory      uint64 // bytes
	MarkCache      uint64 // bytes
	MaxThreads     int
	BackgroundPool int
	UsersFile      string

	// For the clickhouse binary only; empty with libchdb.
	Path, Database   string
	Host             string
	Port             int
	User, ReadUser   string
	Password, ReadPw string // SHA-256, hexadecimal
	ReadTime         int    // seconds
	ReadRows         int
	ReadMemory       uint64 // bytes
}

// write renders config.xml and users.xml into dir and returns the path of the
// first. The files hold no plain password.
func (c nativeConfig) write(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write engine configuration: %w", err)
	}
	c.UsersFile = filepath.Join(dir, "users.xml")
	main := filepath.Join(dir, "config.xml")
	for path, text := range map[string]string{main: configTemplate, c.UsersFile: usersTemplate} {
		t, err := template.New(filepath.Base(path)).Funcs(template.FuncMap{"xml": xmlText}).Parse(text)
		if err != nil {
			return "", fmt.Errorf("write engine configuration: %w", err)
		}
		var b strings.Builder
		if err := t.Execute(&b, c); err != nil {
			return "", fmt.Errorf("write engine configuration: %w", err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			return "", fmt.Errorf("write engine configuration: %w", err)
		}
	}
	return main, nil
}

func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
