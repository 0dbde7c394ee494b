package measure

import (
	"math"
	"testing"
)

func TestTableIsComplete(t *testing.T) {
	seen := map[ID]bool{}
	for _, d := range Table() {
		if seen[d.ID] {
			t.Errorf("%s is declared twice", d.ID)
		}
		seen[d.ID] = true
		if d.Title == "" || d.Formula == "" || d.Unit == "" || d.Source == "" || !(d.Max > 0) || !d.Numbers && !d.Categories {
			t.Errorf("%s lacks something: %+v", d.ID, d)
		}
		if d.Categories && !d.OnCells {
			t.Errorf("%s: categories have cells only", d.ID)
		}
		if d.MinEffect < 0 || d.MinEffect >= d.Max || math.IsNaN(d.MinEffect) != (d.ID == Wasserstein) {
			t.Errorf("%s: least effect %g", d.ID, d.MinEffect)
		}
	}
	if len(seen) != 11 {
		t.Errorf("%d measures, want 11", len(seen))
	}
}
