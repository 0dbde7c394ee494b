package web

import "time"

// SetNow fixes the page's clock, so that a test and its data agree on it.
func (p *Page) SetNow(now time.Time) { p.now = func() time.Time { return now } }
