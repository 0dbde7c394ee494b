//go:build !linux

package realclickhouse

const libraryVariable, argumentsVariable, listening = "", "", ""

// RunServerIfRequested does nothing: the library is for Linux, and Start says so.
func RunServerIfRequested() {}
