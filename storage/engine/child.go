package engine

import (
	"fmt"
	"os"
	"time"
)

// ChildCommand is the first argument by which the supervisor starts its own
// binary as the engine's child.
const ChildCommand = "clickhouse-engine"

// childEnv is set in the child's environment, so that a binary that forgot
// [RunChildIfRequested] cannot start children without end.
const childEnv = "PLUMBLINE_ENGINE_CHILD"

// File descriptors that the child inherits.
const (
	fdListener = 3 // the socket of the HTTP interface
	fdReady    = 4 // pipe for childReady
	// 5 is the lock file, which stays locked while either process lives.
)

// childConfig is what the supervisor tells the child, as one line of JSON on
// standard input: there and not in arguments or environment, because it holds
// passwords.
type childConfig struct {
	Library      string
	DataDir      string
	Database     string
	AllowedHosts []string
	Full, Read   credentials
	Analyst      Limits
	MaxQueries   int
	KeepBackups  int
	StopTimeout  time.Duration
	Native       nativeConfig
}

// childReady is the child's report, as JSON.
type childReady struct {
	Error      string `json:",omitempty"`
	Library    string // version of libchdb
	ClickHouse string // version()
	Backup     string `json:",omitempty"` // directory of the backup taken, if any
}

// RunChildIfRequested runs the engine's child, and never returns, if this
// process was started as one (its first argument is [ChildCommand]); else it
// does nothing. It must be the first call of main in every binary, and of
// TestMain in every test binary, that runs an [Engine]: the supervisor starts
// the running executable again, so that one file is enough to install.
func RunChildIfRequested() {
	if len(os.Args) < 2 || os.Args[1] != ChildCommand {
		return
	}
	if err := ChildMain(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// ChildMain is the engine's child. It expects the descriptors and the
// standard input that the supervisor gives it, and returns when its standard
// input ends. args must be empty.
func ChildMain(args []string) error {
	if len(args) > 0 || os.Getenv(childEnv) == "" {
		return fmt.Errorf("%s is started by plumbline itself and takes no arguments", ChildCommand)
	}
	return runChild()
}
