package engine

import "time"

// SetBackoff lets a test see many crashes without the waits between them.
func (e *Engine) SetBackoff(d time.Duration) { e.backoff = func(int) time.Duration { return d } }

// SetDiskUse replaces the look at the disk.
func (e *Engine) SetDiskUse(f func(string) (float64, error)) { e.diskUse = f }
