package dialect

import (
	"fmt"
	"slices"
	"strings"
)

// Lookup returns the dialect of a peer. The error names every peer.
func Lookup(name Name) (Peer, error) {
	var names []string
	for _, p := range Peers() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, string(p.Name))
	}
	return Peer{}, fmt.Errorf("dialect %q: there is none; there are %s", name, strings.Join(names, ", "))
}

// Chunks say how NannyML cuts rows; zero cuts both tables as it does when told
// nothing, Size into chunks of that many rows. Other peers cut nothing.
type Chunks struct{ Size int }

// Of cuts a table of that many rows.
func (c Chunks) Of(rows int) ([]Chunk, error) {
	if c.Size > 0 {
		return ChunksOf(rows, c.Size)
	}
	if rows < NannyMLChunks {
		return nil, fmt.Errorf("%d rows make no %d chunks: give the size of a chunk", rows, NannyMLChunks)
	}
	return NannyMLChunking(rows)
}

// Reading is what a peer prints for one column: its score of all rows of the
// window, or of one chunk of them where Chunk is not zero.
type Reading struct {
	Score
	Chunk Chunk
}

// Defaults are the measures a peer takes for a column when told nothing.
func Defaults(peer Name, reference, current Column) []Measure {
	words := reference.categorical
	switch peer {
	case NannyML:
		return []Measure{JensenShannon}
	case Evidently:
		return []Measure{EvidentlyDefault(reference, current)}
	case Deequ:
		return []Measure{LInfinity, LInfinityRobust}
	case SageMaker:
		return []Measure{LInfinityRobust}
	case Azure:
		if words {
			return []Measure{JensenShannon}
		}
		return []Measure{Wasserstein}
	case Vertex:
		if words {
			return []Measure{LInfinity}
		}
		return []Measure{JensenShannon}
	case Databricks:
		if words {
			return []Measure{ChiSquare, JensenShannon, TotalVariation, LInfinity}
		}
		return []Measure{KolmogorovSmirnov, Wasserstein, PSI}
	}
	return nil
}

// Judge prints a column as the peer does: by the measures asked for, its
// defaults if none is. Rows of NannyML must be in the order of their times. An
// error that wraps ErrUndefined says that the peer has no such measure of such
// columns.
func Judge(peer Name, reference, current Column, chunks Chunks, measures ...Measure) ([]Reading, error) {
	if reference.categorical != current.categorical && reference.Len() > 0 && current.Len() > 0 {
		return nil, fmt.Errorf("%s: the column is of one kind in the reference and of another in the window: %w", peer, ErrUndefined)
	}
	if len(measures) == 0 {
		measures = Defaults(peer, reference, current)
	}
	if peer == NannyML {
		return judgeChunks(reference, current, chunks, measures)
	}
	var readings []Reading
	for _, m := range measures {
		s, err := score(peer, reference, current, m)
		if err != nil {
			return nil, err
		}
		readings = append(readings, Reading{Score: s})
	}
	return readings, nil
}

// score asks a peer that takes all rows at once.
func score(peer Name, reference, current Column, m Measure) (Score, error) {
	switch peer {
	case Evidently:
		return EvidentlyScore(reference, current, m)
	case Deequ:
		return DeequScore(reference, current, m, DeequOptions{})
	case SageMaker:
		return SageMakerScore(reference, current, m)
	case Azure:
		return AzureScore(reference, current, m)
	case Vertex:
		return VertexScore(reference, current, m)
	case Databricks:
		return DatabricksScore(reference, current, m)
	}
	_, err := Lookup(peer)
	return Score{}, err
}

func judgeChunks(reference, current Column, chunks Chunks, measures []Measure) ([]Reading, error) {
	before, err := chunks.Of(reference.Len())
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	after, err := chunks.Of(current.Len())
	if err != nil {
		return nil, fmt.Errorf("window: %w", err)
	}
	var readings []Reading
	for _, m := range measures {
		d, err := FitNannyMLDrift(reference, m, before)
		if err != nil {
			return nil, err
		}
		for _, c := range after {
			readings = append(readings, Reading{Score: d.Score(current.Rows(c.From, c.To)), Chunk: c})
		}
	}
	return readings, nil
}

// Knows reports whether a peer has a measure for any kind of column.
func (p Peer) Knows(m Measure) bool { return slices.Contains(p.Measures, m) }
