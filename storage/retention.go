package storage

// Retention returns the configured retention: rows older than it may be gone.
func (db *DB) Retention() Retention { return db.cfg.Retention }
