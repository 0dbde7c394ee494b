package dial

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// recorded is a connection whose peer says the same whatever it is asked.
type recorded struct {
	net.Conn
	says *bytes.Reader
}

func (r recorded) Read(b []byte) (int, error)  { return r.says.Read(b) }
func (r recorded) Write(b []byte) (int, error) { return len(b), nil }

// answered frames the bodies of a broker's answers.
func answered(bodies ...string) (says []byte) {
	for i, body := range bodies {
		says = binary.BigEndian.AppendUint32(says, uint32(4+len(body)))
		says = binary.BigEndian.AppendUint32(says, uint32(i+1))
		says = append(says, body...)
	}
	return says
}

const (
	takesPlain = "\x00\x00\x00\x00\x00\x01\x00\x05PLAIN"
	yes        = "\x00\x00\xff\xff\x00\x00\x00\x00"
)

func TestSession(t *testing.T) {
	for name, test := range map[string]struct {
		says []byte
		want error
	}{
		"taken":               {answered(takesPlain, yes), nil},
		"another mechanism":   {answered("\x00\x21\x00\x00\x00\x01\x00\x05PLAIN"), kafka.UnsupportedSASLMechanism},
		"refused":             {answered(takesPlain, "\x00\x3a\x00\x02no\x00\x00\x00\x00"), kafka.SASLAuthenticationFailed},
		"closed":              {answered(takesPlain), kafka.SASLAuthenticationFailed},
		"cut short":           {answered(takesPlain, "\x00\x00\xff\xff\x00\x00\x00\x09"), errNoKafka},
		"empty":               {answered(takesPlain, ""), errNoKafka},
		"no handshake at all": {answered(""), errNoKafka},
	} {
		s := session{conn: recorded{says: bytes.NewReader(test.says)}}
		if err := s.authenticate(t.Context(), plain.Mechanism{Username: "ann", Password: "geheim"}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// Whatever a peer says ends in an error or a success, and reads no more than
// it said.
func FuzzSession(f *testing.F) {
	f.Add(answered(takesPlain, yes))
	f.Add(answered("\x00\x21\x7f\xff\xff\xff\x00\x05PLAIN"))
	f.Add(answered(takesPlain, "\x00\x00\xff\xff\x7f\xff\xff\xff"))
	// Found by a test: kafka-go's decoder took 2^31 brokers at their word.
	f.Add([]byte("\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x7f\xff\xff\xff"))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	m, err := scram.Mechanism(scram.SHA256, "ann", "geheim")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		greeted := session{conn: recorded{says: bytes.NewReader(says)}}
		_ = greeted.greet() // any outcome but a panic
		s := session{conn: recorded{says: bytes.NewReader(says)}}
		if err := s.authenticate(t.Context(), m); err == nil {
			t.Errorf("SCRAM took %q for a broker that knows the password", says)
		}
	})
}
