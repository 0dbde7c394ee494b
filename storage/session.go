package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Session is a named session of ClickHouse's HTTP interface, as a fence: its
// holder's statements carry it and are refused once it is closed, by whomever
// knows its id, however late they arrive. Nothing is kept in it. The zero
// Session is none.
type Session struct {
	// ID is unique: no session is opened twice.
	ID string `json:"id"`
	// Server names where the session lives: the server's id and the user.
	Server string `json:"server"`
	// Seconds is how long it lasts after its last statement.
	Seconds int `json:"s"`
}

// IsZero reports whether there is no session.
func (s Session) IsZero() bool { return s.ID == "" }

// Lasts is how long the session lasts after its last statement.
func (s Session) Lasts() time.Duration { return time.Duration(s.Seconds) * time.Second }

// In returns the settings of a statement in the session: it is refused if the
// session is not there any more ([IsSessionGone]) or if another statement runs
// in it ([IsSessionBusy]).
func (s Session) In(settings clickhouse.Settings) clickhouse.Settings {
	if s.IsZero() {
		return settings
	}
	in := maps.Clone(settings)
	if in == nil {
		in = clickhouse.Settings{}
	}
	in["session_id"], in["session_timeout"], in["session_check"] = s.ID, s.Seconds, 1
	return in
}

// The codes SESSION_NOT_FOUND and SESSION_IS_LOCKED of ClickHouse's
// src/Common/ErrorCodes.cpp.
const (
	codeSessionNotFound = 372
	codeSessionLocked   = 373
)

// IsSessionGone reports whether ClickHouse has refused a statement because its
// session was closed, has expired or ended with a restart: nothing of the
// statement was done.
func IsSessionGone(err error) bool { return hasCode(err, codeSessionNotFound) }

// IsSessionBusy reports whether ClickHouse has refused a statement because one
// is running in its session.
func IsSessionBusy(err error) bool { return hasCode(err, codeSessionLocked) }

func hasCode(err error, code int32) bool {
	var exception *clickhouse.Exception
	return errors.As(err, &exception) && exception.Code == code
}

// Fences reports whether sessions can be used: fencing is on, and the DSN names
// one server, for a session lives on one.
func (db *DB) Fences() bool { return db.cfg.Fence && db.hosts == 1 }

// OpenSession makes a session that lasts so many seconds after its last
// statement; ClickHouse's max_session_timeout, an hour by default, bounds it.
// Each attempt has an id of its own: one that arrives late opens nothing that
// is in use.
func (db *DB) OpenSession(ctx context.Context, lasts time.Duration) (Session, error) {
	s := Session{ID: "plumbline-" + rand.Text(), Seconds: max(1, int(lasts/time.Second))}
	settings := s.In(nil)
	settings["session_check"] = 0
	row := db.conn.QueryRow(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), "SELECT concat(toString(serverUUID()), '/', currentUser())")
	if err := row.Scan(&s.Server); err != nil {
		return Session{}, fmt.Errorf("open session: %w", err)
	}
	return s, nil
}

// Server names the server and the user as [Session.Server] does.
func (db *DB) Server(ctx context.Context) (server string, err error) {
	if err := db.conn.QueryRow(ctx, "SELECT concat(toString(serverUUID()), '/', currentUser())").Scan(&server); err != nil {
		return "", fmt.Errorf("read server id: %w", err)
	}
	return server, nil
}

// CloseSession closes a session and reports whether it was gone already: only
// then is it certain that no statement of it runs or will ever run. So it is
// asked again after it has closed one: a server from before close_session, or
// one that has enable_http_close_session off, would renew the session instead,
// and then it has to be left alone until it expires. While a statement runs in
// the session the error is one of [IsSessionBusy].
func (db *DB) CloseSession(ctx context.Context, s Session) (gone bool, err error) {
	settings := s.In(clickhouse.Settings{"close_session": 1})
	err = db.conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), "SELECT 1")
	if IsSessionGone(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("close session %s: %w", s.ID, err)
	}
	return false, nil
}
