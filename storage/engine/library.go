package engine

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// LibraryEnv names the environment variable that points at libchdb.so and
// takes precedence over every other place.
const LibraryEnv = "PLUMBLINE_LIBCHDB"

const (
	libraryFile    = "libchdb.so"
	libraryPackage = "@chdb/lib-linux-x64-gnu"
)

//go:embed npm/package.json npm/package-lock.json
var npmFiles embed.FS

// ErrNoLibrary is wrapped by the error of [FindLibrary] when no libchdb was
// found; the error's text holds the command that installs it.
var ErrNoLibrary = errors.New("no ClickHouse engine library")

// CacheDir returns the directory in which the engine library is installed for
// this user: plumbline/engine below [os.UserCacheDir]. A user without a home has
// none: what lies in a directory that everybody may write to is not loaded.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("this user has no cache directory: %w", err)
	}
	return filepath.Join(base, "plumbline", "engine"), nil
}

// InstallFiles writes the package.json and package-lock.json of the engine
// library into dir, which it creates, so that `npm ci --prefix dir` installs
// exactly the library this binary was tested with and checks its sha512.
func InstallFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("engine: write install files: %w", err)
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		data, err := npmFiles.ReadFile("npm/" + name)
		if err != nil {
			return fmt.Errorf("engine: read embedded %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("engine: write install files: %w", err)
		}
	}
	return nil
}

// InstallCommand is the command that installs the library below dir once
// [InstallFiles] wrote its two files there.
func InstallCommand(dir string) string {
	return "npm ci --no-audit --no-fund --prefix " + dir
}

// LibrarySupported reports whether libchdb exists for this platform: Linux
// with glibc on amd64. Elsewhere a clickhouse binary or an address serves.
func LibrarySupported() bool { return runtime.GOOS == "linux" && runtime.GOARCH == "amd64" }

// FindLibrary returns the path of libchdb.so. A path that is named (explicit,
// else the environment variable [LibraryEnv]) must exist; otherwise the first
// of cacheDir, the running binary's directory and /usr/local/lib that has the
// file is taken. An empty cacheDir means [CacheDir], if the user has one. The
// error wraps [ErrNoLibrary] and says how to get the library.
func FindLibrary(explicit, cacheDir string) (string, error) {
	if explicit == "" {
		explicit = os.Getenv(LibraryEnv)
	}
	if explicit != "" {
		if !isFile(explicit) {
			return "", fmt.Errorf("%w: %s is not a file (named by the configuration or %s)", ErrNoLibrary, explicit, LibraryEnv)
		}
		return explicit, nil
	}
	var noCache error
	if cacheDir == "" {
		cacheDir, noCache = CacheDir()
	}
	var places []string
	if noCache == nil {
		places = append(places, filepath.Join(cacheDir, "node_modules", filepath.FromSlash(libraryPackage), libraryFile))
	}
	if exe, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(exe), libraryFile))
	}
	places = append(places, filepath.Join("/usr/local/lib", libraryFile))
	for _, p := range places {
		if isFile(p) {
			return p, nil
		}
	}
	return "", noLibraryError(cacheDir, noCache, places)
}

func noLibraryError(cacheDir string, noCache error, places []string) error {
	if !LibrarySupported() {
		return fmt.Errorf("%w for %s/%s: put a clickhouse binary on PATH, or give the address of a ClickHouse server (clickhouse.dsn)",
			ErrNoLibrary, runtime.GOOS, runtime.GOARCH)
	}
	if noCache != nil {
		return fmt.Errorf("%w in %q, and %w: set %s to the path of %s, or XDG_CACHE_HOME or HOME to the one below which `make engine` has put it, or copy it beside the binary; "+
			"or put a clickhouse binary on PATH, or give the address of a ClickHouse server (clickhouse.dsn)",
			ErrNoLibrary, places, noCache, LibraryEnv, libraryFile)
	}
	return fmt.Errorf("%w in %q; get it with `make engine` or `%s` (a start that does not find the library writes the package files there); "+
		"or put a clickhouse binary on PATH, or give the address of a ClickHouse server (clickhouse.dsn)",
		ErrNoLibrary, places, InstallCommand(cacheDir))
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
