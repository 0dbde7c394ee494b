package analyze

import (
	"strings"
	"time"
	"unicode"
)

// complaintsAgain is how often an error that stays is logged.
const complaintsAgain = 10 * time.Minute

// complaints are the errors of a look by their text, and when each was logged: one that
// stays, of a user's statement say, would be logged every few seconds, and hide others.
type complaints map[string]time.Time

// news reports whether an error says what was not logged for a while. Errors that are
// joined are told apart, and numbers, which may be times, make no other error.
func (c *complaints) news(err error, now time.Time) bool {
	if *c == nil {
		*c = make(complaints)
	}
	for text, at := range *c {
		if now.Sub(at) >= complaintsAgain || now.Before(at) {
			delete(*c, text)
		}
	}
	news := false
	for line := range strings.SplitSeq(err.Error(), "\n") {
		text := strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return -1
			}
			return r
		}, line)
		if _, said := (*c)[text]; !said {
			(*c)[text], news = now, true
		}
	}
	return news
}
