package rules

import (
	"testing"
	"testing/synctest"
	"time"
)

// What has just changed is evaluated without any time passing, and its turns go on
// as if nothing had been.
func TestSoonDoesNotWaitForTheTurn(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.pass(4)
		l.expect("healthy")
		l.source.set("v1", 0.766, 0.740, 0.754)
		l.eval.Soon("another-slo")
		synctest.Wait()
		l.expect("another SLO's news")
		l.eval.Soon("flights-accuracy")
		synctest.Wait()
		l.expect("its own", "SLOBurn/v1=firing")
		l.pass(2)
		l.expect("the turns after it")
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.eval.Soon("flights-accuracy")
		synctest.Wait()
		l.expect("and the end", "SLOBurn/v1=resolved")
	})
}

// Told before the rules are read, it is evaluated once they are.
func TestSoonBeforeRun(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.source.set("v1", 0.766, 0.740, 0.754)
		l.start()
		l.eval.Soon("flights-accuracy")
		synctest.Wait()
		l.expect("at the start", "SLOBurn/v1=firing")
	})
}

// Turns, news and reloads at the same instant are one evaluation after the other:
// nothing is told twice, and the race detector has nothing to say.
func TestSoonAtTheInstantOfATurn(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.pass(4)
		l.source.set("v1", 0.766, 0.740, 0.754)
		for range 20 {
			go func() {
				<-time.After(l.cfg.Interval)
				l.eval.Soon("flights-accuracy")
			}()
			go func() {
				<-time.After(l.cfg.Interval)
				if err := l.eval.Reload(); err != nil {
					t.Error(err)
				}
			}()
			l.pass(1)
		}
		l.expect("one alert", "SLOBurn/v1=firing")
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.pass(2)
		l.expect("and its end", "SLOBurn/v1=resolved")
	})
}

// An evaluation of a time that the clock, set right, has not reached yet keeps no later
// one from being made.
func TestTheClockIsSetBack(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.pass(3)
		for _, g := range l.eval.Groups() {
			l.eval.inOrder(t.Context(), g, time.Now().Add(10*time.Minute))
		}
		l.expect("the clock was ahead")
		l.source.set("v1", 0.766, 0.740, 0.754)
		l.pass(2)
		l.expect("and is not any more", "SLOBurn/v1=firing")
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.pass(2)
		l.expect("and goes on", "SLOBurn/v1=resolved")
	})
}
