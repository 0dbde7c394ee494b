package ingesthttp

import "sync"

// pressure bounds what is under way at once: requests, and the bytes of their
// bodies.
type pressure struct {
	maxRequests, maxBytes int

	mu              sync.Mutex
	requests, bytes int
}

// enter admits one request, or returns nil. The hold must be released.
func (p *pressure) enter() *hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.requests >= p.maxRequests {
		return nil
	}
	p.requests++
	return &hold{of: p}
}

// underWay returns the requests and bytes that are held now.
func (p *pressure) underWay() (requests, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests, p.bytes
}

// hold is what one request occupies.
type hold struct {
	of    *pressure
	bytes int
}

// grow makes the hold at least n bytes and reports whether there was room.
func (h *hold) grow(n int) bool {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	more := n - h.bytes
	if more <= 0 {
		return true
	}
	if h.of.bytes+more > h.of.maxBytes {
		return false
	}
	h.of.bytes += more
	h.bytes = n
	return true
}

func (h *hold) release() {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	h.of.requests--
	h.of.bytes -= h.bytes
}
