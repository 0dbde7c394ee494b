package realclickhouse

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
)

// relay stands in front of a server for what a cluster does by Keeper.
type relay struct {
	proxy  *httputil.ReverseProxy
	all    []*server
	spread *spread // nil: Distributed tables take no rows, as in production
}

func newRelay(behind *url.URL, all []*server, to *spread) *relay {
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // clients that go away are none of its errors
	return &relay{proxy: proxy, all: all, spread: to}
}

// spread gives every Distributed table a sharding key, so that tests about reading
// can write their rows into it, wherever they come to lie.
type spread struct {
	mu   sync.Mutex
	keys map[string]string // by local table
}

var (
	local       = regexp.MustCompile("^CREATE TABLE IF NOT EXISTS `[^`]*`\\.`([^`]*_local)`")
	mutation    = regexp.MustCompile("^(?:ALTER TABLE|OPTIMIZE TABLE|TRUNCATE TABLE|DELETE FROM) (?:`?\\w+`?\\.)?`?(\\w+)`?")
	duplicate   = regexp.MustCompile(`^(CREATE TABLE \w+ AS )(\w+)$`)
	distributed = regexp.MustCompile("ENGINE = Distributed\\((`[^`]*`, `[^`]*`, `([^`]*)`)\\)")
)

// rewrite notes how a local table may be divided, and gives that to the
// Distributed table over it. Rows that replace each other stay together. What
// changes a Distributed table changes the local ones; a table made like one is none.
func (s *spread) rewrite(statement []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := mutation.FindSubmatchIndex(statement); at != nil && s.keys[string(statement[at[2]:at[3]])+"_local"] != "" {
		begin, end := statement[:at[3]], statement[at[1]:]
		return fmt.Appendf(nil, "%s_local%s ON CLUSTER %s%s", begin, statement[at[3]:at[1]], Cluster, end)
	}
	if name := local.FindSubmatch(statement); name != nil {
		key := "0"
		switch {
		case bytes.Contains(statement, []byte("ENGINE = ReplicatedAggregatingMergeTree")):
			key = "rand()"
		case bytes.Contains(statement, []byte("ENGINE = ReplicatedMergeTree")) && bytes.Contains(statement, []byte("`prediction_id`")):
			key = "cityHash64(prediction_id, '" + string(name[1]) + "')"
		}
		s.keys[string(name[1])] = key
	}
	if copied := duplicate.FindSubmatch(statement); copied != nil && s.keys[string(copied[2])+"_local"] != "" {
		return fmt.Appendf(nil, "%s%s_local", copied[1], copied[2])
	}
	return distributed.ReplaceAllFunc(statement, func(engine []byte) []byte {
		m := distributed.FindSubmatch(engine)
		return fmt.Appendf(nil, "ENGINE = Distributed(%s, %s)", m[1], s.keys[string(m[2])])
	})
}

var (
	onCluster  = regexp.MustCompile(" ON CLUSTER `?" + Cluster + "`?")
	replicated = regexp.MustCompile(`\bReplicated(\w*MergeTree\b)`)
	window     = regexp.MustCompile(`\breplicated_deduplication_window\b`)
	wait       = regexp.MustCompile(`^SYSTEM SYNC REPLICA\b`)
	// definition begins every statement that may need one of these.
	definition = regexp.MustCompile(`^\s*(CREATE|ALTER|DROP|TRUNCATE|RENAME|EXCHANGE|OPTIMIZE|DELETE|SYSTEM)\b`)
)

// ServeHTTP passes a request on. A statement ON CLUSTER is run on every server; a
// replicated table is made as one without replicas; there is no replica to wait
// for.
func (r *relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	// Read whole, and once: a reader that peeked into short statements read their
	// end a second time, when the server may have closed the body, and that now and
	// then broke off the answer.
	body, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if r.spread != nil {
		q := request.URL.Query()
		q.Set("distributed_foreground_insert", "1")
		if q.Get("insert_deduplication_token") == "" {
			q.Set("deduplicate_insert", "disable") // a share of two batches may be the same rows
		}
		request.URL.RawQuery = q.Encode()
	}
	if request.Method != http.MethodPost || request.URL.Query().Get("query") != "" || !definition.Match(body) {
		r.pass(w, request, body)
		return
	}
	statement := body
	if wait.Match(statement) {
		w.WriteHeader(http.StatusOK)
		return
	}
	if r.spread != nil {
		statement = r.spread.rewrite(statement)
	}
	everywhere := onCluster.Match(statement)
	statement = onCluster.ReplaceAll(statement, nil)
	statement = replicated.ReplaceAll(statement, []byte("$1"))
	statement = window.ReplaceAll(statement, []byte("non_replicated_deduplication_window"))
	if everywhere {
		for _, s := range r.all {
			if err := s.run(request, statement); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		w.WriteHeader(http.StatusOK)
		return
	}
	r.pass(w, request, statement)
}

// pass sends a request on with this body.
func (r *relay) pass(w http.ResponseWriter, request *http.Request, body []byte) {
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.proxy.ServeHTTP(w, request)
}

// run sends a statement to one server as the client sent it.
func (s *server) run(as *http.Request, statement []byte) error {
	request, err := http.NewRequestWithContext(as.Context(), as.Method, "http://"+s.http.Addr+as.URL.RequestURI(), bytes.NewReader(statement))
	if err != nil {
		return err
	}
	request.Header = as.Header.Clone()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("on %s: %s", s.http.Addr, text)
	}
	return nil
}
