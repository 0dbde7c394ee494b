package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// HeaderSignature carries the signature of a request: t=UNIX,v1=HEX, where HEX
// is HMAC-SHA256 of the secret over "UNIX." and the body. The time is signed
// too, so that a receiver can refuse what was recorded and sent again.
const HeaderSignature = "X-Plumbline-Signature"

// Sign returns the value of HeaderSignature.
func Sign(secret string, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(sum(secret, stamp, body))
}

func sum(secret, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	// A hash never refuses to be written to.
	_, _ = fmt.Fprintf(mac, "%s.%s", stamp, body)
	return mac.Sum(nil)
}

// Verify is what a receiver does: it returns an error unless the header signs
// the body with the secret, at most tolerance from now.
func Verify(header, secret string, body []byte, now time.Time, tolerance time.Duration) error {
	stamp, signature, ok := strings.Cut(header, ",v1=")
	stamp, timed := strings.CutPrefix(stamp, "t=")
	given, err := hex.DecodeString(signature)
	if !ok || !timed || err != nil {
		return errors.New("the signature is not of the form t=UNIX,v1=HEX")
	}
	if !hmac.Equal(given, sum(secret, stamp, body)) {
		return errors.New("the signature is not that of the body")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("the signature's time is no number")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("signed %s ago, more than %s", age, tolerance)
	}
	return nil
}
