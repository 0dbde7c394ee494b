package storage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Error is what a ClickHouse did not do at the first contact.
type Error struct {
	// Asked is what it was to do.
	Asked string
	// Address and User are whom it was asked as, and where; the password is not told.
	Address, User string
	// Check is where to look for the cause.
	Check string
	Err   error

	away bool
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s on ClickHouse at %s as user %q: %v; %s", e.Asked, e.Address, e.User, e.Err, e.Check)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Away reports whether an error says that no ClickHouse answered at the first contact,
// as one that starts, or what stands before it: that may pass by itself. What it
// refused does not, nor does an address that is wrong.
func Away(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.away
}

// The codes with which ClickHouse refuses a user.
const (
	codeUnknownUser      = 192
	codeWrongPassword    = 193
	codeRequiredPassword = 194
	codeAccessDenied     = 497
	codeNotAuthenticated = 516
)

// refused says what to do about a first contact that failed.
func refused(asked, field string, o *clickhouse.Options, err error) *Error {
	e := &Error{Asked: asked, Address: strings.Join(o.Addr, ","), User: o.Auth.Username, Err: cause(err)}
	if e.User == "" {
		e.User = "default"
	}
	var said *clickhouse.Exception
	if errors.As(err, &said) {
		e.Check = checkOfCode(field, e.User, said.Code)
		return e
	}
	e.Check, e.away = checkOfNetwork(field, err)
	return e
}

func checkOfCode(field, user string, code int32) string {
	switch code {
	case codeUnknownUser, codeWrongPassword, codeRequiredPassword, codeNotAuthenticated:
		return fmt.Sprintf("check user and password in %s; a character such as @, / or %% in them is written as in a URL (%%40, %%2F, %%25)", field)
	case codeAccessDenied:
		return fmt.Sprintf("grant user %q what the message names (the service creates its database and tables), or name another user in %s", user, field)
	}
	return "see the server's log"
}

// checkOfNetwork also says whether waiting may help.
func checkOfNetwork(field string, err error) (check string, away bool) {
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown *net.DNSError
	var network net.Error
	var answer *clickhouse.HTTPError
	switch text := err.Error(); {
	case errors.As(err, &record), strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return "it answers without TLS: write http:// and the port of its HTTP interface, usually 8123, in " + field, false
	case errors.As(err, &authority), errors.As(err, &name), errors.As(err, &invalid):
		return "check the server's certificate, that this machine trusts the authority that signed it (/etc/ssl/certs), its clock, and the host in " + field, false
	case errors.As(err, &unknown):
		return "check the host in " + field, unknown.IsTemporary || unknown.IsTimeout
	case strings.Contains(text, "clickhouse-client program"), strings.Contains(text, "malformed HTTP"):
		return "that port is not its HTTP interface: name it, usually 8123, or 8443 with https and ?secure=true, in " + field, false
	case errors.As(err, &answer):
		gateway := answer.StatusCode == http.StatusBadGateway || answer.StatusCode == http.StatusServiceUnavailable || answer.StatusCode == http.StatusGatewayTimeout
		return "check that the server is up, and that the address in " + field + " is that of its HTTP interface (usually port 8123)", gateway
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "nothing answered in time: check that the server is up, that no firewall is between, and the address in " + field, true
	}
	return "check that the server is up, that it listens there for HTTP (usually port 8123), and the address in " + field, true
}

// cause is what is said of an error: a driver's wrapping names an URL and what it was
// about to do, of which nothing helps here.
func cause(err error) error {
	var said *clickhouse.Exception
	var request *url.Error
	switch {
	case errors.As(err, &said):
		return said
	case errors.As(err, &request):
		return request.Err
	}
	return err
}
