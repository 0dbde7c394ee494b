package deadletters

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// cutKey is the length at which ingest cuts a key; older ones did so without
// saying it.
const cutKey = 32 << 10

// Position is the place of a record in Kafka.
type Position struct {
	Topic     string
	Partition int
	Offset    int64
}

// String returns topic/partition/offset.
func (p Position) String() string {
	return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset)
}

// Origin is what was refused: a record, or one event of a record that carries
// several.
type Origin struct {
	Position
	// Event is the place of the event in its record, from 0; -1 is the whole
	// record.
	Event int
}

// String returns topic/partition/offset, and /event where there is one.
func (o Origin) String() string {
	if o.Event < 0 {
		return o.Position.String()
	}
	return fmt.Sprintf("%s/%d", o.Position, o.Event)
}

// parseOrigin reads the ReplayedFrom header, if a record has one. Topic names
// hold no slash.
func parseOrigin(headers []kafka.Header) (o Origin, ok bool) {
	for _, h := range headers {
		if h.Key != ReplayedFrom {
			continue
		}
		parts := strings.Split(string(h.Value), "/")
		if len(parts) != 3 && len(parts) != 4 {
			return Origin{}, false
		}
		o.Event = -1
		var err1, err2, err3 error
		o.Topic = parts[0]
		o.Partition, err1 = strconv.Atoi(parts[1])
		o.Offset, err2 = strconv.ParseInt(parts[2], 10, 64)
		if len(parts) == 4 {
			o.Event, err3 = strconv.Atoi(parts[3])
		}
		ok = err1 == nil && err2 == nil && err3 == nil
	}
	return o, ok
}

// Letter is one dead letter.
type Letter struct {
	// At is the letter's own place, Source what was refused.
	At     Position
	Source Origin
	// Time is the letter's Kafka timestamp: when the record was refused.
	// Original is the refused record's; zero if the letter does not say.
	Time, Original time.Time
	// Reason is ingest's reason, such as wrong_type, or the class name that
	// another writer gave. Message says more, for people.
	Reason, Message string
	Key, Value      []byte
	// Headers are all of them, the original's and the letter's.
	Headers []kafka.Header
	// Size is the size in bytes of the original value; it is more than
	// len(Value) if ingest cut it. Of a sealed letter it is known only then, else
	// 0.
	Size int
	// Lacks names what of the record ingest left out: some of value, key and
	// headers, with commas between.
	Lacks string
	// Malformed says why the letter has no Source; empty if it has.
	Malformed string
	// Sealed is the name of the key under which key, value and the original's
	// headers are sealed; empty if they are not, or not any more, see Open.
	Sealed string
}

// Cut reports whether the letter may hold less than the original record.
func (l Letter) Cut() bool {
	return l.Lacks != "" || l.Size > len(l.Value) || len(l.Key) >= cutKey
}

// own is the number of headers that the refused record came with. The writer's begin
// with the last HeaderTopic, in ingest's letters as in Kafka Connect's: a record that
// is itself somebody's dead letter has headers of the same names before it.
func (l Letter) own() int {
	for i := len(l.Headers) - 1; i >= 0; i-- {
		if l.Headers[i].Key == HeaderTopic {
			return i
		}
	}
	return len(l.Headers)
}

// read fills in what the writer's headers say.
func (l *Letter) read() {
	// Ingest seals last of all. A record that came with the header has others
	// behind it.
	if n := len(l.Headers); n > 0 && l.Headers[n-1].Key == privacy.SealedHeader && l.Key == nil {
		l.Sealed = string(l.Headers[n-1].Value)
	}
	texts := make(map[string]string)
	for _, h := range l.Headers[l.own():] {
		texts[h.Key] = string(h.Value)
	}
	l.Reason = strings.TrimPrefix(texts[HeaderClass], ClassPrefix)
	l.Message, l.Lacks = texts[HeaderMessage], texts[HeaderCut]
	if l.Sealed == "" {
		l.Size = len(l.Value)
	}
	if n, err := strconv.Atoi(texts[HeaderSize]); err == nil && n > l.Size {
		l.Size = n
	}
	partition, err1 := strconv.ParseInt(texts[HeaderPartition], 10, 32)
	offset, err2 := strconv.ParseInt(texts[HeaderOffset], 10, 64)
	if texts[HeaderTopic] == "" || err1 != nil || err2 != nil || partition < 0 || offset < 0 {
		l.Malformed = fmt.Sprintf("letter %s: headers %s, %s and %s do not name a record", l.At, HeaderTopic, HeaderPartition, HeaderOffset)
		return
	}
	l.Source = Origin{Position{texts[HeaderTopic], int(partition), offset}, -1}
	if event, err := strconv.Atoi(texts[HeaderEvent]); err == nil && event >= 0 {
		l.Source.Event = event
	}
	if ms, err := strconv.ParseInt(texts[HeaderTime], 10, 64); err == nil {
		l.Original = time.UnixMilli(ms).UTC()
	}
}

// Open puts the contents of a sealed letter in the place of the sealed bytes.
// Other letters stay as they are. After an error the letter is as it was.
func (l *Letter) Open(keys privacy.Keys) error {
	if l.Sealed == "" {
		return nil
	}
	if len(keys) == 0 {
		return fmt.Errorf("the letter is sealed under key %s, and there are no keys", l.Sealed)
	}
	contents, err := keys.OpenContents(l.Sealed, l.Value)
	if err != nil {
		return err
	}
	headers := make([]kafka.Header, 0, len(contents.Headers)+len(l.Headers))
	for _, h := range contents.Headers {
		headers = append(headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	for _, h := range l.Headers {
		if h.Key != privacy.SealedHeader {
			headers = append(headers, h)
		}
	}
	l.Key, l.Value, l.Headers, l.Sealed = contents.Key, contents.Value, headers, ""
	l.Size = max(l.Size, len(l.Value))
	return nil
}

// original returns the headers that the refused record had.
func (l Letter) original() []kafka.Header { return l.Headers[:l.own()] }

// isOf reports whether a record is the one that the letter, which is not sealed,
// was made of.
func (l Letter) isOf(rec record) bool {
	if l.Cut() {
		return bytes.HasPrefix(rec.Key, l.Key) && bytes.HasPrefix(rec.Value, l.Value) && len(rec.Value) == l.Size
	}
	return bytes.Equal(rec.Key, l.Key) && bytes.Equal(rec.Value, l.Value)
}

// Filter selects letters. Its zero value selects all.
type Filter struct {
	// Topic is the source topic, Reason the reason; empty means any.
	Topic, Reason string
	// Since leaves out letters before it.
	Since time.Time
	// Offsets limits the offsets of the letters; nil means all.
	Offsets *Range
}

// Range is a range of offsets of one partition of the dead-letter topic, both
// ends included.
type Range struct {
	Partition   int
	First, Last int64
}

// ParseRange reads OFFSET, FIRST-LAST or FIRST-, each of them after
// PARTITION/ if the partition is not 0.
func ParseRange(text string) (Range, error) {
	wrong := fmt.Errorf("%q: write OFFSET, FIRST-LAST or FIRST-, after PARTITION/ if that is not 0", text)
	var r Range
	rest := text
	if before, after, ok := strings.Cut(text, "/"); ok {
		n, err := strconv.ParseUint(before, 10, 31)
		if err != nil {
			return Range{}, wrong
		}
		r.Partition, rest = int(n), after
	}
	first, last, ranged := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return Range{}, wrong
	}
	r.First, r.Last = int64(n), int64(n)
	if !ranged {
		return r, nil
	}
	r.Last = 1<<63 - 1
	if last != "" {
		m, err := strconv.ParseUint(last, 10, 63)
		if err != nil || m < n {
			return Range{}, wrong
		}
		r.Last = int64(m)
	}
	return r, nil
}

func (f Filter) match(l Letter) bool {
	return (f.Topic == "" || l.Source.Topic == f.Topic) &&
		(f.Reason == "" || l.Reason == f.Reason) &&
		(f.Since.IsZero() || !l.Time.Before(f.Since)) &&
		(f.Offsets == nil || (l.At.Partition == f.Offsets.Partition && l.At.Offset >= f.Offsets.First && l.At.Offset <= f.Offsets.Last))
}
