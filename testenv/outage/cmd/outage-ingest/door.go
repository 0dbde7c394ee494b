package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// door is a TCP proxy that can be shut: then its connections are cut and new
// ones are refused.
type door struct {
	target string
	addr   string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
}

func openDoor(ctx context.Context, target string) (*door, error) {
	d := &door{target: target, addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	return d, d.open(ctx)
}

// open listens, at the same address each time.
func (d *door) open(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.addr)
	if err != nil {
		return fmt.Errorf("open the door to %s: %w", d.target, err)
	}
	d.mu.Lock()
	d.listener, d.addr = l, l.Addr().String()
	d.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // it was shut
			}
			go d.pass(ctx, l, c)
		}
	}()
	return nil
}

func (d *door) shut() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.listener.Close()
	for c := range d.conns {
		err = errors.Join(err, c.Close())
	}
	d.conns = map[net.Conn]bool{}
	return err
}

// keep notes a connection unless the door was shut since it was accepted.
func (d *door) keep(l net.Listener, c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != l {
		return false
	}
	d.conns[c] = true
	return true
}

func (d *door) drop(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns[c] {
		delete(d.conns, c)
		_ = c.Close() // the other side may have closed it
	}
}

func (d *door) pass(ctx context.Context, l net.Listener, in net.Conn) {
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.target)
	if err != nil || !d.keep(l, in) || !d.keep(l, out) {
		_ = in.Close() // whoever called finds out
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(out, in); d.drop(out) })
	both.Go(func() { _, _ = io.Copy(in, out); d.drop(in) })
	both.Wait()
	d.drop(in)
	d.drop(out)
}
