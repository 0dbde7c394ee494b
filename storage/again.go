package storage

import (
	"context"
	"time"
)

const (
	// againFirst is the first pause of Again, in milliseconds; each is twice the one
	// before.
	againFirst = 200
	againTries = 4
)

// Again runs an insert that carries a deduplication token, and runs it again up
// to three times, within a second and a half, when it ends in an error: applied
// or not, under the same token it is stored once. It is for rows that have no
// other way to be looked for. A token that ClickHouse noted without keeping the
// rows (it was killed in between) loses them.
func Again(ctx context.Context, insert func(context.Context) error) (err error) {
	pause := againFirst * time.Millisecond
	for try := range againTries {
		if err = insert(ctx); err == nil || try == againTries-1 {
			break
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause *= 2
	}
	return err
}
