// Package fakesmtp is a mail server that keeps its mails in memory and plays
// faults on demand. It speaks as much of SMTP (RFC 5321) as a client without
// TLS needs. It may be imported by tests, testenv and cmd only.
package fakesmtp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
)

// Mail is one mail that was taken.
type Mail struct {
	From string
	To   []string
	// Data is the mail with its headers, lines ended by \n.
	Data string
}

// Server is a running fake. It is safe for concurrent use.
type Server struct {
	listener net.Listener
	closed   context.Context
	close    context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex
	mails    []Mail
	sessions int
	faults   []fakehttp.Fault
}

// Start serves on addr, for example "127.0.0.1:0", until Close.
func Start(addr string) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start fake mail server on %s: %w", addr, err)
	}
	closed, cancel := context.WithCancel(context.Background())
	s := &Server{listener: listener, closed: closed, close: cancel}
	s.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			s.running.Go(func() { s.serve(conn) })
		}
	})
	return s, nil
}

// Addr returns host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close stops the server and drops its connections.
func (s *Server) Close() error {
	s.close()
	err := s.listener.Close()
	s.running.Wait()
	if err != nil {
		return fmt.Errorf("close fake mail server: %w", err)
	}
	return nil
}

// Fail appends faults to the script: each of the next sessions takes one. Status
// is the code that MAIL is answered with; CutAfter takes the mail and cuts the
// connection before it says so.
func (s *Server) Fail(faults ...fakehttp.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Mails returns the mails so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Sessions returns how many connections there were.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

func (s *Server) fault() fakehttp.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	if len(s.faults) == 0 {
		return fakehttp.Fault{}
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	return f
}

// serve speaks with one client until it leaves, or the server closes.
func (s *Server) serve(conn net.Conn) {
	stop := context.AfterFunc(s.closed, func() { _ = conn.Close() }) // the session ends with an error of its own
	defer stop()
	defer func() { _ = conn.Close() }()
	fault := s.fault()
	if fault.Cut || !s.wait(fault) {
		return
	}
	session := &session{server: s, fault: fault, text: textproto.NewConn(conn)}
	session.say(220, "fake ready")
	for session.err == nil && !session.over {
		line, err := session.text.ReadLine()
		if err != nil {
			return // the client went away
		}
		session.command(line)
	}
}

// wait returns false if the server closed meanwhile.
func (s *Server) wait(f fakehttp.Fault) bool {
	if f.Hang {
		<-s.closed.Done()
		return false
	}
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.closed.Done():
		return false
	}
}

type session struct {
	server *Server
	fault  fakehttp.Fault
	text   *textproto.Conn
	mail   Mail
	err    error
	over   bool
}

func (s *session) say(code int, text string) {
	s.err = errors.Join(s.err, s.text.PrintfLine("%d %s", code, text))
}

func (s *session) command(line string) {
	verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
	switch verb {
	case "EHLO", "HELO":
		s.say(250, "fake")
	case "MAIL":
		if s.fault.Status != 0 {
			s.say(s.fault.Status, "no")
			return
		}
		s.mail = Mail{From: address(line)}
		s.say(250, "ok")
	case "RCPT":
		s.mail.To = append(s.mail.To, address(line))
		s.say(250, "ok")
	case "DATA":
		s.data()
	case "RSET", "NOOP":
		s.say(250, "ok")
	case "QUIT":
		s.say(221, "bye")
		s.over = true
	default:
		s.say(502, "what is "+verb)
	}
}

func (s *session) data() {
	s.say(354, "go on")
	lines, err := bufio.NewReader(s.text.DotReader()).ReadString(0)
	if err != nil && lines == "" {
		s.err = errors.Join(s.err, err)
		return
	}
	s.mail.Data = lines
	s.server.mu.Lock()
	s.server.mails = append(s.server.mails, s.mail)
	s.server.mu.Unlock()
	if s.fault.CutAfter {
		s.over = true
		return
	}
	s.say(250, "taken")
}

// address is what stands between < and >.
func address(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	a, _, _ := strings.Cut(rest, ">")
	return a
}
