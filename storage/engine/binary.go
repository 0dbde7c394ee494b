//go:build unix

package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// binaryStarter runs a clickhouse binary as the engine where there is no
// library: `clickhouse server`, configured as the library is, with two users
// of its own. It binds the address itself, so the listener is closed, and
// clients are refused instead of waiting while it restarts.
func (e *Engine) binaryStarter(dir, binary string, l *net.TCPListener) starter {
	addr := l.Addr().(*net.TCPAddr)
	return func() (*process, error) {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return nil, fmt.Errorf("free the address for %s: %w", binary, err)
		}
		conf := e.native()
		conf.Path, conf.Host, conf.Port = filepath.Join(dir, dataName), addr.IP.String(), addr.Port
		conf.Database = e.cfg.Database
		conf.User, conf.Password = e.full.Name, sha256Hex(e.full.Password)
		conf.ReadUser, conf.ReadPw = e.read.Name, sha256Hex(e.read.Password)
		conf.ReadTime, conf.ReadRows, conf.ReadMemory = int(e.cfg.Analyst.Time/time.Second), e.cfg.Analyst.Rows, e.cfg.Analyst.Memory
		file, err := conf.write(filepath.Join(dir, runName))
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(binary, "server", "--config-file="+file) //nolint:noctx // it is told to end, and killed only if it does not
		cmd.Dir = dir
		cmd.Env = childEnviron()
		// A SIGTERM to our group is ours to act on: we stop the server in order.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		p, err := e.launch(cmd, func() error { return nil }) // a server confines itself by its users' grants
		if err != nil {
			return nil, err
		}
		p.stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM) } // gone already if this fails
		ctx, cancel := context.WithTimeout(context.Background(), e.cfg.StartTimeout)
		p.forget = cancel
		p.ready = e.pollBinary(ctx, addr.String())
		return p, nil
	}
}

// pollBinary asks the server until it answers or ctx ends, and makes
// the database.
func (e *Engine) pollBinary(ctx context.Context, addr string) <-chan childReady {
	ready := make(chan childReady, 1)
	go func() {
		defer close(ready)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			if version, err := e.askBinary(ctx, addr, "SELECT version()"); err == nil {
				info := childReady{Library: "clickhouse binary", ClickHouse: version}
				if _, err := e.askBinary(ctx, addr, "CREATE DATABASE IF NOT EXISTS "+quoteName(e.cfg.Database)); err != nil {
					info.Error = err.Error()
				}
				ready <- info
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ready
}

func (e *Engine) askBinary(ctx context.Context, addr, sql string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/", strings.NewReader(sql))
	if err != nil {
		return "", fmt.Errorf("ask clickhouse: %w", err)
	}
	req.SetBasicAuth(e.full.Name, e.full.Password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask clickhouse: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return "", fmt.Errorf("ask clickhouse: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask clickhouse: %s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return strings.TrimSpace(string(body)), nil
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
