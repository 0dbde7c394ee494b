// Package docs carries the runbooks into the binary, so that the page that an
// alert links to can show them where no repository is at hand. It holds text
// only and imports nothing of ours.
package docs

import (
	"embed"
	"io/fs"
)

//go:embed runbooks/*.md
var runbooks embed.FS

// Runbooks returns the runbooks as NAME.md files.
func Runbooks() fs.FS {
	sub, err := fs.Sub(runbooks, "runbooks")
	if err != nil {
		// The name is a literal and the folder is compiled in.
		panic(err)
	}
	return sub
}
