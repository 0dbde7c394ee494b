package incidents

import (
	"testing"
	"time"
)

// Every kind of incident pages once and is over at its end.
func TestScript(t *testing.T) {
	for number := range kinds {
		i := scripted(number, time.Minute)
		now := &truth{burning: make(map[string]burning)}
		pages, last := 0, time.Duration(0)
		for _, s := range i.steps {
			if s.after < last {
				t.Errorf("kind %d goes back in time", number)
			}
			last = s.after
			s.do(now)
			for _, b := range now.burning {
				if b.Labels["severity"] == "page" {
					pages++
				}
			}
		}
		if len(now.burning) != 0 || pages == 0 || last != time.Minute {
			t.Errorf("kind %d: %d burn at its end after %s, %d looks showed a page", number, len(now.burning), last, pages)
		}
	}
}
