package slack

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"
)

// replays remembers the signatures that were used for as long as they would
// still be taken. It is safe for concurrent use.
type replays struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

// once returns an error if the signature was used before, in whatever spelling.
func (r *replays) once(signature string, now time.Time) error {
	key := sha256.Sum256([]byte(strings.ToLower(strings.TrimPrefix(signature, "v0="))))
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.until) >= maxSeen {
		for k, until := range r.until {
			if until.Before(now) {
				delete(r.until, k)
			}
		}
	}
	if until, used := r.until[key]; used && !until.Before(now) {
		return errors.New("this callback was taken before")
	}
	if len(r.until) >= maxSeen {
		return errors.New("more callbacks than can be remembered")
	}
	// A signature may be from the future by the tolerance, and is then taken
	// until the tolerance after that.
	r.until[key] = now.Add(2*tolerance + time.Second)
	return nil
}
