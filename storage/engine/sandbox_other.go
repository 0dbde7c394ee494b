//go:build unix && !linux

package engine

import "errors"

// errNoSandbox says that this system has no sandbox that we use.
var errNoSandbox = errors.New("this system has no Landlock")

func restrictThread(readable, writable []string) error { return errNoSandbox }

func systemPaths() []string { return nil }
