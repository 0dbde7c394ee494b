package engine

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// exception is an error of the engine in ClickHouse's words:
// "Code: 60. DB::Exception: ... (UNKNOWN_TABLE)".
type exception struct {
	code int
	text string
}

func (e *exception) Error() string { return e.text }

// Codes that this package raises or treats specially, from ClickHouse's
// src/Common/ErrorCodes.cpp.
const (
	codeCannotParse      = 27
	codeCannotReadAll    = 33
	codeUnknownFormat    = 73
	codeBadArguments     = 36
	codeNotImplemented   = 48
	codeSyntaxError      = 62
	codeReadonly         = 164
	codeTooManyQueries   = 202
	codeQueryTooLarge    = 229
	codeRequiredPassword = 194
	codeSessionNotFound  = 372
	codeSessionLocked    = 373
	codeAccessDenied     = 497
	codeAuthFailed       = 516
	codeStdException     = 1001

	codeInvalidSessionTimeout = 374
)

var exceptionCode = regexp.MustCompile(`Code:\s*(\d+)\.`)

// newException makes an exception of the library's message. A message without
// a code gets STD_EXCEPTION, for clients key on codes.
func newException(msg string) *exception {
	msg = strings.TrimSpace(msg)
	if i := strings.Index(msg, "Code: "); i > 0 {
		msg = msg[i:] // "Error: Code: ..." and the like
	}
	if m := exceptionCode.FindStringSubmatch(msg); m != nil {
		if code, err := strconv.Atoi(m[1]); err == nil {
			return &exception{code: code, text: msg}
		}
	}
	return raise(codeStdException, "STD_EXCEPTION", msg)
}

// raise makes an exception of our own, worded as ClickHouse words its own.
func raise(code int, name, msg string) *exception {
	return &exception{code: code, text: "Code: " + strconv.Itoa(code) + ". DB::Exception: " + msg + " (" + name + ")"}
}

func asException(err error) *exception {
	var e *exception
	if errors.As(err, &e) {
		return e
	}
	return newException(err.Error())
}

// status is the HTTP status for an exception, after
// exceptionCodeToHTTPStatus in ClickHouse's HTTP handler.
func (e *exception) status() int {
	switch e.code {
	case codeRequiredPassword:
		return http.StatusUnauthorized
	case 192, 193, codeAccessDenied, codeAuthFailed:
		return http.StatusForbidden
	case 6, 16, 25, 26, codeCannotParse, 28, 33, codeBadArguments, 38, 41, 42, 43, 44, 53, codeSyntaxError, 70, 72, 130, 131, 349, 456, 457, 472:
		return http.StatusBadRequest
	case 46, 47, 50, 56, 60, 63, codeUnknownFormat, 81, 115:
		return http.StatusNotFound
	case codeQueryTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeNotImplemented:
		return http.StatusNotImplemented
	case 159, 160, 209:
		return http.StatusRequestTimeout
	case codeTooManyQueries:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
