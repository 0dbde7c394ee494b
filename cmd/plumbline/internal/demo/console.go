package demo

import (
	"context"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// console is an alert channel beside Slack and PagerDuty: it keeps what each
// notice said, so that the demo can print the page as a person would see it.
type console struct {
	mu      sync.Mutex
	notices []delivered
	arrived chan struct{} // one slot: a new notice is there
}

type delivered struct {
	text alerting.Text
	at   time.Time
}

func newConsole() *console { return &console{arrived: make(chan struct{}, 1)} }

// Name implements alerting.Channel.
func (*console) Name() string { return "console" }

// Notifier implements alerting.Channel.
func (c *console) Notifier(plumbline.OwnerEntry) alerting.Notifier { return c }

// Notify implements alerting.Notifier.
func (c *console) Notify(_ context.Context, n alerting.Notice) (alerting.Result, error) {
	c.mu.Lock()
	c.notices = append(c.notices, delivered{text: n.Text, at: time.Now()})
	c.mu.Unlock()
	select {
	case c.arrived <- struct{}{}:
	default:
	}
	return alerting.Result{Sent: true}, nil
}

// all returns the notices so far.
func (c *console) all() []delivered {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]delivered(nil), c.notices...)
}
