package ingest

import "time"

// A part key names a ClickHouse partition as an integer: yyyymmdd for
// toDate(ts), yyyymm for toYYYYMM(...). storage's tables are partitioned by
// nothing finer.
type partKey int32

// dayKey returns the part key of toDate for Unix milliseconds.
func dayKey(ms int64) partKey {
	y, m, d := time.UnixMilli(ms).UTC().Date()
	return partKey(y*10_000 + int(m)*100 + d)
}

// monthKey returns the part key of toYYYYMM for Unix milliseconds.
func monthKey(ms int64) partKey {
	y, m, _ := time.UnixMilli(ms).UTC().Date()
	return partKey(y*100 + int(m))
}

// lastHour returns the start of the last hour of a month, in Unix seconds.
func (k partKey) lastHour() int64 {
	next := time.Date(int(k)/100, time.Month(int(k)%100)+1, 1, 0, 0, 0, 0, time.UTC)
	return next.Add(-time.Hour).Unix()
}

// start returns the beginning of the day or month that the key names.
func (k partKey) start() time.Time {
	if k < 1_000_000 { // a month
		k = k*100 + 1
	}
	return time.Date(int(k)/10_000, time.Month(int(k)/100%100), int(k)%100, 0, 0, 0, 0, time.UTC)
}

// keyer caches the part key of the last day, because rows come in runs of one.
type keyer struct {
	of  func(ms int64) partKey
	day int64
	key partKey
	set bool
}

func (k *keyer) at(ms int64) partKey {
	day := floorDiv(ms, 86_400_000)
	if !k.set || day != k.day {
		k.day, k.key, k.set = day, k.of(ms), true
	}
	return k.key
}
