package benchpage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// service is `plumbline serve`.
type service struct {
	cmd    *exec.Cmd
	log    string
	web    string
	exited chan struct{} // closed when it has ended
	err    error         // why it ended, once it has
}

func startService(ctx context.Context, program, config, web string) (*service, error) {
	s := &service{log: filepath.Join(filepath.Dir(config), "service.log"), web: web, exited: make(chan struct{})}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor
	// It is asked to stop, not killed, when ctx is done.
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, "serve", "--config.file="+config)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		defer close(s.exited)
		s.err = s.cmd.Wait()
	}()
	return s, nil
}

// stop asks it to end and waits until it has.
func (s *service) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the service: %w", err)
	}
	<-s.exited
	return s.err
}

// until asks again and again until what is asked for is so, for as long as the
// service runs and at most this long.
func (s *service) until(ctx context.Context, most, every time.Duration, so func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		last := so(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w\n%s", ctx.Err(), last, s.tail())
		case <-s.exited:
			return fmt.Errorf("the service ended: %w\n%s", s.err, s.tail())
		case <-ticker.C:
		}
	}
}

// tail is the end of its log.
func (s *service) tail() []byte {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-4000):]
}

func (s *service) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.web+"/-/ready", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", request.URL, response.Status)
	}
	return nil
}
