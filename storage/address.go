package storage

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// rightAddress is what to write instead of an address that cannot be used.
const rightAddress = "write http://user:password@host:8123, or https://user:password@host:8443?secure=true"

// CheckAddress returns what is wrong with the address that a field holds, or the file
// that it names: Arrow inserts need the HTTP interface. A password is never told.
func CheckAddress(field, dsn string) error {
	_, err := parseAddress(field, dsn)
	return err
}

func parseAddress(field, dsn string) (*clickhouse.Options, error) {
	dsn = strings.TrimSpace(dsn)
	options, err := clickhouse.ParseDSN(dsn)
	what := "what it holds"
	if !strings.ContainsAny(dsn, "@?") {
		what = fmt.Sprintf("%q", dsn)
	}
	if scheme, _, _ := strings.Cut(strings.ToLower(dsn), "://"); scheme != "http" && scheme != "https" {
		return nil, fmt.Errorf("%s: %s is no address of ClickHouse's HTTP interface; %s", field, what, rightAddress)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s cannot be read: %w; %s", field, what, err, rightAddress)
	}
	return options, nil
}

// Address returns the DSN, from DSNFile if that is set, or the first shard's if
// neither is. It is an error if there is none.
func (c Config) Address() (string, error) {
	_, dsn, err := c.address("clickhouse")
	return dsn, err
}

// address returns the DSN too, and the field of a section that holds it.
func (c Config) address(section string) (field, dsn string, err error) {
	if !c.hasAddress() && len(c.Shards) > 0 {
		c.DSN, c.DSNFile, section = c.Shards[0].DSN, c.Shards[0].DSNFile, shardSection(0)
	}
	if c.DSNFile == "" {
		field = section + ".dsn"
		if c.DSN == "" {
			return "", "", errors.New("clickhouse.dsn: empty; the embedded engine's address must be filled in first")
		}
		return field, c.DSN, nil
	}
	field = section + ".dsn_file"
	text, err := os.ReadFile(c.DSNFile)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", field, err)
	}
	return field, strings.TrimSpace(string(text)), nil
}

func shardSection(i int) string { return fmt.Sprintf("clickhouse.shards[%d]", i) }

// validateAddresses checks those that stand in the configuration itself: it reads no
// file.
func (c Config) validateAddresses() error {
	var errs []error
	if c.DSN != "" {
		errs = append(errs, CheckAddress("clickhouse.dsn", c.DSN))
	}
	for i, s := range c.Shards {
		if s.DSN != "" {
			errs = append(errs, CheckAddress(shardSection(i)+".dsn", s.DSN))
		}
	}
	return errors.Join(errs...)
}
