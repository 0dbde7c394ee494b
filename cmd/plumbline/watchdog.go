package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/watchdog"
)

// watchdog pages when a service's heartbeat stops. It runs elsewhere than what
// it watches, and needs neither Kafka nor ClickHouse nor a disk.
func (c *cli) watchdog() {
	clause := c.app.Command("watchdog", "Take heartbeats (watchdog.heartbeat_url) and page when one stops. Run it elsewhere than the service.")
	listen := clause.Flag("listen", "Address to take heartbeats at, by POST.").Default("127.0.0.1:9471").String()
	cfg := watchdog.DefaultReceiverConfig()
	clause.Flag("expect", "Name of a service (watchdog.name); may be repeated.").Required().StringsVar(&cfg.Expect)
	clause.Flag("silence", "After how long without a heartbeat somebody is paged.").Default(cfg.Silence.String()).DurationVar(&cfg.Silence)
	key := clause.Flag("pagerduty-key-file", "File with the PagerDuty routing key.").Required().String()
	to := pagerduty.DefaultConfig()
	clause.Flag("pagerduty-url", "Address of PagerDuty's Events API, if not the one of its US region.").StringVar(&to.APIURL)
	c.add(clause, func(ctx context.Context) error {
		channel, err := pagerduty.New(to)
		if err != nil {
			return usageError{err}
		}
		if err := hasKey(*key); err != nil {
			return usageError{err}
		}
		cfg.Owner = plumbline.OwnerEntry{Name: "plumbline", PagerDutyKeyFile: *key}
		receiver, err := watchdog.NewReceiver(cfg, channel.Notifier(cfg.Owner), c.log(), time.Now)
		if err != nil {
			return usageError{err}
		}
		listener, err := net.Listen("tcp", *listen)
		if err != nil {
			return fmt.Errorf("take heartbeats: %w", err)
		}
		server := &http.Server{Handler: receiver, ReadHeaderTimeout: 10 * time.Second}
		failed := make(chan error, 1)
		go func() { failed <- server.Serve(listener) }()
		running, cancel := context.WithCancel(ctx)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- receiver.Run(running) }()
		fmt.Fprintf(c.stdout, "heartbeats of %s are awaited at http://%s\n", strings.Join(cfg.Expect, ", "), listener.Addr())
		select {
		case err = <-failed:
			cancel()
			return errors.Join(fmt.Errorf("take heartbeats: %w", err), <-done)
		case err = <-done:
			return errors.Join(err, server.Close())
		}
	})
}

// hasKey looks whether there is a key to page with. The file is read again for every
// page, but when a heartbeat stops is late to learn that it never was there.
func hasKey(file string) error {
	text, err := os.ReadFile(file)
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		err = fmt.Errorf("%s is empty", file)
	}
	if err != nil {
		return fmt.Errorf("--pagerduty-key-file: %w", err)
	}
	return nil
}
