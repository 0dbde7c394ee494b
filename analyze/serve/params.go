package serve

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// ParameterError is a parameter that cannot be used, and why.
type ParameterError struct {
	// Name is the parameter's, as a query string spells it.
	Name string
	Err  error
}

// Error names the parameter and what is wrong with it.
func (e ParameterError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap returns why the parameter cannot be used.
func (e ParameterError) Unwrap() error { return e.Err }

// Parameters are those that a query string may have, by name, with where each is
// read to: texts that stand once, lists, and flags that are 0 or 1.
type Parameters struct {
	Texts map[string]*string
	Lists map[string]*[]string
	Flags map[string]*bool
}

// Read reads a query string. The error joins a ParameterError for each name that is
// not known, stands twice where it may stand once, or is no 0 or 1.
func (p Parameters) Read(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("query string: %w", err)
	}
	var errs []error
	for name, given := range values {
		if err := p.read(name, given); err != nil {
			errs = append(errs, ParameterError{name, err})
		}
	}
	return errors.Join(errs...)
}

func (p Parameters) read(name string, given []string) error {
	text, list, flag := p.Texts[name], p.Lists[name], p.Flags[name]
	switch {
	case list != nil:
		*list = given
	case text == nil && flag == nil:
		return errors.New("there is no such parameter; there are " + strings.Join(p.names(), ", "))
	case len(given) > 1:
		return errors.New("give it once")
	case text != nil:
		*text = given[0]
	case given[0] != "" && given[0] != "0" && given[0] != "1":
		return fmt.Errorf("%q is not 0 or 1", given[0])
	default:
		*flag = given[0] == "1"
	}
	return nil
}

// names are all that there are, in order.
func (p Parameters) names() []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(p.Texts)), maps.Keys(p.Lists))
	all = slices.AppendSeq(all, maps.Keys(p.Flags))
	slices.Sort(all)
	return all
}
