package baseline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// ordered finds an ORDER BY. It may stand in a text or a subquery: it is a
// reminder, not a proof.
var ordered = regexp.MustCompile(`(?i)\border\s+by\b`)

// Query keeps the answer of a SELECT as an Arrow file in dir, so that it can be
// read twice and its content has a name. The statement is sent as a GET, which
// ClickHouse runs read-only. dsn is http://user:password@host:port.
func Query(ctx context.Context, dsn, database, query, dir string) (path string, err error) {
	if !ordered.MatchString(query) {
		return "", errors.New("--sql: end it with ORDER BY over columns that tell all rows apart; without an order the same rows are another content, and an import that is repeated is not recognised")
	}
	target, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("--sql: the address of ClickHouse is no URL")
	}
	user := target.User
	target.User, target.Path = nil, "/"
	target.RawQuery = url.Values{"database": {database}, "default_format": {"ArrowStream"}, "query": {query}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return "", fmt.Errorf("--sql: %w", err)
	}
	password, _ := user.Password()
	req.SetBasicAuth(user.Username(), password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("--sql: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return "", errors.Join(fmt.Errorf("--sql: ClickHouse: %s", strings.TrimSpace(string(text))), err)
	}
	f, err := os.CreateTemp(dir, "baseline-*.arrow")
	if err != nil {
		return "", fmt.Errorf("--sql: keep the answer: %w", err)
	}
	_, err = io.Copy(f, resp.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("--sql: keep the answer: %w", err)
	}
	return f.Name(), nil
}
