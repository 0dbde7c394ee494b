//go:build !(linux && amd64)

package engine

import "errors"

// runChild cannot run: there is no library for this platform.
func runChild() error {
	return errors.New("engine child: " + noLibraryError("", nil).Error())
}
