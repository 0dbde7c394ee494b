package engine

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Limits cap what one query of the read-only user may take.
type Limits struct {
	Time   time.Duration // of execution
	Rows   int           // in the result; more is an error, never a cut result
	Memory uint64        // bytes
}

// apply writes the caps into settings, keeping values that ask for less.
func (l Limits) apply(settings map[string]string) {
	for name, limit := range map[string]uint64{
		"max_execution_time": uint64(l.Time / time.Second),
		"max_result_rows":    uint64(l.Rows),
		"max_memory_usage":   l.Memory,
	} {
		if asked, err := strconv.ParseUint(settings[name], 10, 64); err != nil || asked == 0 || asked > limit {
			settings[name] = strconv.FormatUint(limit, 10)
		}
	}
	settings["result_overflow_mode"] = "throw"
	settings["timeout_overflow_mode"] = "throw"
}

// Config configures an [Engine]; see [DefaultConfig].
type Config struct {
	// DataDir holds everything: the lock, the passwords, the data below data/,
	// and the backups. One process at a time owns it.
	DataDir string
	// Listen is the address of the HTTP interface. Port 0 takes a free one. It
	// must be a loopback address unless AllowedHosts names who may ask.
	Listen string
	// AllowedHosts are the names by which clients may call the interface
	// (their Host header), beside loopback's.
	AllowedHosts []string
	// LibraryPath names libchdb.so; empty searches, see [FindLibrary].
	LibraryPath string
	// LibraryCache is where the library is installed; empty is [CacheDir].
	LibraryCache string
	// Database is created if missing and is the database of the DSN.
	Database string
	// User and ReadUser are the names of the two users. Their passwords are
	// made at the first start and stand in DataDir, readable by the owner only.
	User, ReadUser string
	// Analyst caps every query of ReadUser.
	Analyst Limits
	// MaxMemory bounds the engine's memory, in bytes.
	MaxMemory uint64
	// MarkCache bounds the cache of index marks, in bytes.
	MarkCache uint64
	// MaxThreads is the number of threads of one query.
	MaxThreads int
	// BackgroundThreads is the number of merges that run at once, halved.
	BackgroundThreads int
	// MaxQueries is how many queries run at once; further ones wait.
	MaxQueries int
	// DiskLimit is the used share of the data directory's disk, in (0, 1),
	// above which [Engine.Disk] reports [DiskFull].
	DiskLimit float64
	// DiskUse returns the used share, in [0, 1], of the disk that holds a path;
	// nil asks the file system, as df does.
	DiskUse func(path string) (float64, error)
	// DiskInterval is the time between looks at the disk.
	DiskInterval time.Duration
	// StartTimeout is how long a start of the child may take before it counts
	// as a crash. Recovery of large tables takes longer than usual.
	StartTimeout time.Duration
	// StopTimeout is how long running statements may take to end at a stop.
	StopTimeout time.Duration
	// KeepBackups is how many backups of engine upgrades are kept.
	KeepBackups int
	// OnCrashLoop is called each time five crashes within five minutes made the
	// engine give up being ready, with the reason. It may be nil and must not
	// block.
	OnCrashLoop func(error)
}

// DefaultConfig is an engine below ./data/clickhouse on a free loopback port,
// sized to idle at about 250 MB.
func DefaultConfig() Config {
	return Config{
		DataDir:           "data/clickhouse",
		Listen:            "127.0.0.1:0",
		Database:          "plumbline",
		User:              "plumbline",
		ReadUser:          "analyst",
		Analyst:           Limits{Time: 30 * time.Second, Rows: 1_000_000, Memory: 1 << 30},
		MaxMemory:         2 << 30,
		MarkCache:         128 << 20,
		MaxThreads:        4,
		BackgroundThreads: 2,
		MaxQueries:        64,
		DiskLimit:         0.85,
		DiskInterval:      10 * time.Second,
		StartTimeout:      2 * time.Minute,
		StopTimeout:       10 * time.Second,
		KeepBackups:       2,
	}
}

// Validate reports every impossible value at once.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("engine: "+format, args...)) }
	if c.DataDir == "" {
		bad("data directory: empty")
	}
	host, _, err := net.SplitHostPort(c.Listen)
	switch ip := net.ParseIP(host); {
	case err != nil:
		errs = append(errs, fmt.Errorf("engine.listen: listen address %q: %w", c.Listen, err))
	case host != "localhost" && (ip == nil || !ip.IsLoopback()) && len(c.AllowedHosts) == 0:
		errs = append(errs, fmt.Errorf("engine.listen: %q is not loopback: name the hosts that clients call it by in engine.allowed_hosts", c.Listen))
	}
	for what, name := range map[string]string{"database": c.Database, "user": c.User, "read-only user": c.ReadUser} {
		if !isIdentifier(name) {
			bad("%s %q: must be a letter or underscore followed by letters, digits and underscores", what, name)
		}
	}
	if c.User == c.ReadUser {
		bad("user and read-only user are both %q", c.User)
	}
	if c.MaxMemory < 256<<20 {
		bad("memory limit %d bytes: below 256 MiB", c.MaxMemory)
	}
	if c.MaxThreads < 1 || c.BackgroundThreads < 1 || c.MaxQueries < 1 {
		bad("threads %d, background threads %d and queries %d must be at least 1", c.MaxThreads, c.BackgroundThreads, c.MaxQueries)
	}
	if c.Analyst.Time < time.Second || c.Analyst.Rows < 1 || c.Analyst.Memory < 1<<20 {
		bad("caps of the read-only user: at least 1 s, 1 row and 1 MiB")
	}
	if c.DiskLimit <= 0 || c.DiskLimit >= 1 {
		errs = append(errs, fmt.Errorf("engine.disk_limit: %v is not between 0 and 1; 85 %% is 0.85", c.DiskLimit))
	}
	if c.DiskInterval <= 0 || c.StartTimeout <= 0 || c.StopTimeout <= 0 || c.KeepBackups < 0 {
		bad("disk interval, start timeout and stop timeout must be positive, backups not negative")
	}
	return errors.Join(errs...)
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || !isWordByte(c) || i == 0 && c >= '0' && c <= '9' {
			return false
		}
	}
	return s != ""
}
