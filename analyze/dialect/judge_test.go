package dialect

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestEveryPeerJudgesBothKindsByDefault(t *testing.T) {
	// The window, the last third, has greater numbers.
	n, words := make([]float64, 1200), make([]string, 1200)
	for i := range n {
		n[i], words[i] = math.Sqrt(float64(i*479%800+i/800*400)), fmt.Sprint(i%3)
	}
	word, err := Categorical(words, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Peers() {
		for kind, c := range map[string]Column{"numbers": Numeric(n), "words": word} {
			if p.Name == Deequ || p.Name == SageMaker || p.Name == NannyML || p.Name == Evidently {
				for _, m := range Defaults(p.Name, c, c) {
					if !p.Knows(m) {
						t.Errorf("%s takes %s by default and does not list it", p.Name, m)
					}
				}
			}
			readings, err := Judge(p.Name, c.Rows(0, 800), c.Rows(800, 1200), Chunks{Size: 400})
			if err != nil || len(readings) == 0 {
				t.Errorf("%s of %s: %d readings, %v", p.Name, kind, len(readings), err)
			}
			for _, r := range readings {
				hasThreshold := p.Name != Deequ && p.Name != Databricks
				if hasThreshold == math.IsNaN(r.Threshold) || kind == "numbers" && hasThreshold && !r.Alert {
					t.Errorf("%s of %s: %+v", p.Name, kind, r)
				}
				if (r.Chunk != Chunk{}) != (p.Name == NannyML) {
					t.Errorf("%s: chunk %+v", p.Name, r.Chunk)
				}
			}
		}
		if _, err := Judge(p.Name, Numeric(n), word, Chunks{}); !errors.Is(err, ErrUndefined) {
			t.Errorf("%s compares numbers with words: %v", p.Name, err)
		}
	}
}

func TestJudgeIsThePeersOwnScore(t *testing.T) {
	a, b := Numeric([]float64{1, 2, 3, 4, 5, 6, 7}), Numeric([]float64{2, 3, 4, 5, 6, 9, 9})
	got, err := Judge(Deequ, a, b, Chunks{}, LInfinity)
	if err != nil || len(got) != 1 || math.Abs(got[0].Value-2./7) > 1e-15 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Judge(Azure, a, b, Chunks{}, PSI); !errors.Is(err, ErrUndefined) {
		t.Errorf("a measure Azure does not have: %v", err)
	}
	if _, err := Judge(NannyML, a, b, Chunks{}); err == nil || !strings.Contains(err.Error(), "7 rows make no 10 chunks") {
		t.Errorf("chunks of nothing: %v", err)
	}
}

func TestLookupNamesThePeers(t *testing.T) {
	if p, err := Lookup(Vertex); err != nil || p.Fidelity != Documented {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := Lookup("arize"); err == nil || !strings.Contains(err.Error(), "nannyml, evidently, deequ, sagemaker, azure, vertex, databricks") {
		t.Errorf("an unknown peer: %v", err)
	}
}
