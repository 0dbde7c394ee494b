package ingest

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/storage"
)

// lease is the session at ClickHouse in which a worker writes. The intent in
// Kafka names it, so whoever takes the partition over closes it, and what this
// worker has still on its way is refused however late it arrives.
type lease struct {
	session storage.Session // none where ClickHouse cannot be fenced
	used    time.Time       // when it was last known to be there
	refused int             // sessions in a row in which no statement was accepted
}

// maxRefused is how many sessions in a row may be gone before their first
// statement: then the statements reach another server than the one that made
// the session.
const maxRefused = 5

// sessionSlack is how much longer than its timeout a session may last:
// ClickHouse closes sessions once a second, at the second after the next.
const sessionSlack = 3 * time.Second

// renew makes sure that there is a session that lasts long enough to commit an
// intent with its name and send the next statement in it.
func (w *worker) renew(ctx context.Context) error {
	if w.leased() {
		return nil
	}
	if w.lease.refused >= maxRefused {
		w.lease.refused = 0
		return park("ClickHouse does not know sessions that it has just opened: a load balancer stands between; name the servers themselves, or set clickhouse.fence to false")
	}
	err := w.i.retry(ctx, "session", func(ctx context.Context) error {
		begun := w.i.now()
		session, err := w.db.OpenSession(ctx, w.i.cfg.SessionTimeout)
		if err == nil {
			w.lease.session, w.lease.used = session, begun
		}
		return err
	}, retryable)
	return w.parkUnless(ctx, err, retryable, "open a session for %s", w.at)
}

// inSession runs a statement that writes. Every one of them follows an intent
// that names the session and that the broker has taken, see confirm.
func (w *worker) inSession(f func(storage.Session) error) error {
	begun := w.i.now()
	err := f(w.lease.session)
	switch {
	case storage.IsSessionGone(err):
		w.lease.session = storage.Session{}
		w.lease.refused++
		w.confirmed = time.Time{} // the next statement needs an intent with a new session
	case err == nil:
		w.lease.used, w.lease.refused = begun, 0
	}
	return err
}

// settle makes sure that nothing that this worker has sent before is running or
// still to come: a look must not miss it.
func (w *worker) settle(ctx context.Context) error {
	if !w.lease.session.IsZero() {
		if err := w.end(ctx, w.lease.session); err != nil {
			return err
		}
		w.lease.session, w.confirmed = storage.Session{}, time.Time{}
	}
	return w.quiet(ctx)
}

// fence ends the session of whoever wrote an intent. From then on ClickHouse
// refuses what that one may still send.
func (w *worker) fence(ctx context.Context, begun intent) error {
	if begun.Session == nil || !w.db.Fences() {
		return nil
	}
	server := ""
	err := w.i.retry(ctx, "fence", func(ctx context.Context) (err error) {
		server, err = w.db.Server(ctx)
		return err
	}, retryable)
	if err != nil {
		return w.parkUnless(ctx, err, retryable, "fence the former owner of %s", w.at)
	}
	if server != begun.Session.Server {
		// It cannot be closed from here, but it ends by itself: its holder has
		// lost the partition and sends one more statement at most.
		return w.wait(ctx, begun.Session.Lasts()+sessionSlack)
	}
	return w.end(ctx, *begun.Session)
}

// end closes a session and returns once it is gone, after the statement that
// runs in it.
func (w *worker) end(ctx context.Context, s storage.Session) error {
	for closed := 0; ; {
		gone := false
		err := w.i.retry(ctx, "fence", func(ctx context.Context) (err error) {
			gone, err = w.db.CloseSession(ctx, s)
			return err
		}, func(err error) bool { return retryable(err) && !storage.IsSessionBusy(err) })
		pause := w.i.cfg.RetryMin
		switch {
		case gone:
			return nil
		case storage.IsSessionBusy(err):
		case err != nil:
			return w.parkUnless(ctx, err, retryable, "close the session of %s", w.at)
		case closed == 0:
			closed, pause = 1, 0
		default: // this server only renews it: leave it alone until it expires
			pause = s.Lasts() + sessionSlack
		}
		if err := w.wait(ctx, pause); err != nil {
			return err
		}
	}
}

func (w *worker) wait(ctx context.Context, d time.Duration) error {
	sleep(ctx, d)
	return ctx.Err()
}

// leased reports whether there is a session that still lasts, or none is needed.
func (w *worker) leased() bool {
	if w.lease.session.IsZero() {
		return !w.db.Fences()
	}
	return w.i.now().Sub(w.lease.used) < w.lease.session.Lasts()/2
}

// exec runs a statement without rows in the session, under a comment by which
// quiet sees it running: it begins with the source's mark and a slash.
func (w *worker) exec(ctx context.Context, comment string, settings clickhouse.Settings, query string, args ...any) error {
	settings["log_comment"] = comment
	return w.inSession(func(s storage.Session) error {
		return w.db.Conn().Exec(clickhouse.Context(ctx, clickhouse.WithSettings(s.In(w.db.Durably(settings)))), query, args...)
	})
}
