package chaosingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
)

// orders are what a worker process reads from its standard input, as one JSON
// document.
type orders struct {
	// DSN is ClickHouse as this worker reaches it: through its door.
	DSN, Database string
	Window        int
	Ingest        ingest.Config
}

// RunWorker is a worker process: an Ingester and nothing else. It reads its
// orders from in and ends when in does, or when ctx is done.
//
// Between its Ingester and ClickHouse stands a relay of its own, which asks the
// parent before it sends a statement on. There the parent can kill or stop this
// process when the Ingester has made up its mind and nothing is sent yet.
func RunWorker(ctx context.Context, in io.Reader, stderr io.Writer) error {
	var o orders
	reader := json.NewDecoder(in)
	if err := reader.Decode(&o); err != nil {
		return fmt.Errorf("chaos worker: read orders: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // the parent's end closes the pipe
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	dsn, closeRelay, err := startRelay(o.DSN)
	if err != nil {
		return err
	}
	defer closeRelay()
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database, cfg.DedupWindow = dsn, o.Database, o.Window
	db, err := storage.New(cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	log := slog.New(slog.NewTextHandler(stderr, nil)).With("pid", os.Getpid())
	i, err := ingest.New(o.Ingest, ingest.Dependencies{DB: db, Logger: log})
	if err != nil {
		return err
	}
	return i.Run(ctx)
}

// relay passes requests on to the worker's door.
type relay struct {
	door      *url.URL
	transport *http.Transport
}

// startRelay returns the DSN that leads through a relay.
func startRelay(dsn string) (through string, closeRelay func(), err error) {
	door, err := url.Parse(dsn)
	if err != nil {
		return "", nil, fmt.Errorf("chaos worker: address of ClickHouse: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("chaos worker: %w", err)
	}
	r := &relay{door: door, transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	server := &http.Server{Handler: r}
	go func() { _ = server.Serve(l) }() // ends when it is closed
	own := *door
	own.Host = l.Addr().String()
	return own.String(), func() { _ = server.Close() }, nil
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s, err := readStatement(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if s.table != "" {
		if err := r.ask(req.Context(), s.table); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	answer, err := s.send(req, r.door, r.transport)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	passOn(w, answer)
}

// ask tells the parent that a statement is about to be sent. What has been
// asked is sent, whatever the Ingester thinks of it by then: that is a statement
// on its way.
func (r *relay) ask(ctx context.Context, table string) error {
	at := url.URL{Scheme: "http", Host: r.door.Host, Path: aboutToSend, RawQuery: url.Values{"table": {table}}.Encode()}
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, at.String(), nil)
	if err != nil {
		return err
	}
	answer, err := r.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}
