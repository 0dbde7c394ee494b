package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"
)

// errFenced says that the partition belongs to somebody else by now.
var errFenced = errors.New("the partition has another owner")

// errReassign says that the position of a partition must be found anew.
var errReassign = errors.New("the position must be found anew")

// parkError is an error that no retry mends: the partition stops and people
// are told.
type parkError struct{ cause error }

func (e *parkError) Error() string { return e.cause.Error() }
func (e *parkError) Unwrap() error { return e.cause }

func park(format string, args ...any) error { return &parkError{fmt.Errorf(format, args...)} }

// fenced reports whether an error of a commit says that this member no longer
// owns the partition.
func fenced(err error) bool {
	return errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.UnknownMemberId) ||
		errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.FencedInstanceID)
}

// permanent lists the ClickHouse error codes that say the statement itself is
// wrong, so that sending it again cannot help. Everything else is tried again:
// a code that is missing here costs time, one too many costs a person.
func permanent(code int32) bool {
	switch code {
	case 6, // CANNOT_PARSE_TEXT
		10, 16, // no such column
		27,     // CANNOT_PARSE_INPUT_ASSERTION_FAILED
		36,     // BAD_ARGUMENTS
		43, 44, // illegal type
		47,     // UNKNOWN_IDENTIFIER
		50,     // UNKNOWN_TYPE
		53,     // TYPE_MISMATCH
		60, 81, // unknown table, database
		62,            // SYNTAX_ERROR
		70,            // CANNOT_CONVERT_TYPE
		73,            // UNKNOWN_FORMAT
		115,           // UNKNOWN_SETTING
		122,           // INCOMPATIBLE_COLUMNS
		164,           // READONLY
		192, 193, 194, // unknown user, wrong password, none where one is needed
		349,      // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
		497, 516: // access denied, authentication failed
		return true
	}
	return false
}

// retryable reports whether an error of ClickHouse may go away by itself.
func retryable(err error) bool {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return !permanent(exception.Code)
	}
	var parked *parkError
	if errors.As(err, &parked) || errors.Is(err, errFenced) {
		return false
	}
	var http *clickhouse.HTTPError
	var network net.Error
	return errors.As(err, &http) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, clickhouse.ErrAcquireConnTimeout)
}
