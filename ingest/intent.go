package ingest

import (
	"encoding/json"
	"fmt"

	"github.com/plumbline-slo/plumbline/storage"
)

// intent is the metadata of an offset commit. Without Last it only names the
// epoch the offset belongs to; with Last it says that the records from the
// committed offset to Last, inclusive, may be stored in part.
type intent struct {
	Version int    `json:"v"`
	Epoch   string `json:"epoch"`
	Last    *int64 `json:"last,omitempty"`
	Plan    string `json:"plan,omitempty"`
	// Stored is, with Last, the offset before which everything is stored, the last of
	// it on the shard Shard; 0 is not known.
	Stored int64 `json:"stored,omitempty"`
	// Done is how many statements of the batch are known to be stored. It tells those
	// who watch the group that a batch of many days goes on, and means nothing to who
	// takes it over.
	Done int `json:"done,omitempty"`
	// Sampled says that the raw rows cannot tell what the rollups hold: the
	// privacy policy leaves some out, or a replay stores them anew beside rollups
	// that are there.
	Sampled bool `json:"sampled,omitempty"`
	// Counted is the plan before, if rollups of the batch are stored under it.
	Counted string `json:"counted,omitempty"`
	// Shard is the one whose tables hold the batch; empty if there is only one.
	Shard string `json:"shard,omitempty"`
	// Session is the one in which the statements of the batch are sent.
	Session *storage.Session `json:"session,omitempty"`
}

const intentVersion = 1

// Done returns how much of the batch that begins at a commit is stored, by the
// metadata of the commit: it grows as long as the batch goes on. Of a commit that is
// not Plumbline's it is 0.
func Done(metadata string) int {
	begun, _, err := parseIntent(metadata)
	if err != nil {
		return 0
	}
	return begun.Done
}

// encode returns the metadata; it stays far below the 4,096 bytes that Kafka
// keeps.
func (i intent) encode() string {
	i.Version = intentVersion
	text, err := json.Marshal(i)
	if err != nil {
		panic(err) // a struct of strings and integers always encodes
	}
	return string(text)
}

// parseIntent reads the metadata of a commit. A commit that is not ours (a
// person reset the offset) has none: ok is false.
func parseIntent(metadata string) (i intent, ok bool, err error) {
	if metadata == "" {
		return intent{}, false, nil
	}
	if err := json.Unmarshal([]byte(metadata), &i); err != nil {
		return intent{}, false, fmt.Errorf("offset commit metadata %q: %w", metadata, err)
	}
	if i.Version != intentVersion {
		return intent{}, false, fmt.Errorf("offset commit metadata %q: version %d is not %d; a newer plumbline wrote it", metadata, i.Version, intentVersion)
	}
	return i, true, nil
}
