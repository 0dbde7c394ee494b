package app

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/dial"
	ingesthttp "github.com/plumbline-slo/plumbline/ingest/http"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/ingest/secrets"
	"github.com/plumbline-slo/plumbline/storage"
)

// secretFiles opens the files with secrets and certificates that the configuration
// names, each as its reader does, and returns what is wrong with them by field: that
// the service would end at its start, or have nothing to send an alert with.
func (c Config) secretFiles() error {
	read := map[string]bool{ // by its own reader, or by validate
		"web.config_file": true, "rules.state_file": true, "http_ingest.token_file": true, "ingest.privacy.keys_file": true,
		"kafka.tls.ca_file": true, "kafka.tls.cert_file": true, "kafka.tls.key_file": true, "kafka.sasl.password_file": true,
	}
	errs := []error{c.keys()}
	// Of a section that is wrong itself that is told already.
	if c.Kafka.Config.Validate() == nil {
		errs = append(errs, c.kafkaFiles())
	}
	if c.HTTPIngest.Validate() == nil {
		errs = append(errs, c.tokens())
	}
	for i, s := range c.Ingest.Sources {
		at := fmt.Sprintf("ingest.sources[%d].", i)
		read[at+"mapping_file"], read[at+"schema_file"], read[at+"schema_registry.ca_file"] = true, true, true
		if s.SchemaRegistry != nil {
			read[at+"schema_registry.password_file"], read[at+"schema_registry.bearer_token_file"] = true, true
			errs = append(errs, registryFiles(at+"schema_registry.", *s.SchemaRegistry))
		}
	}
	namedFiles(reflect.ValueOf(c), "", func(field, path string) {
		if read[field] {
			return
		}
		text, err := os.ReadFile(path)
		if err == nil && len(bytes.TrimSpace(text)) == 0 {
			err = fmt.Errorf("%s is empty", path)
		}
		if err == nil && strings.HasSuffix(field, "ca_file") && !x509.NewCertPool().AppendCertsFromPEM(text) {
			err = fmt.Errorf("%s holds no certificate in PEM", path)
		}
		if err == nil && strings.HasSuffix(field, "dsn_file") {
			errs = append(errs, storage.CheckAddress(field, string(text)))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
		}
	})
	return mended(errors.Join(errs...))
}

// hideSecrets takes out the files with secrets and certificates that validate would open:
// whoever checks has none of them.
func (c *Config) hideSecrets() {
	c.Web.ConfigFile = ""
	for _, s := range c.Ingest.Sources {
		if s.SchemaRegistry != nil {
			s.SchemaRegistry.CAFile = ""
		}
	}
}

// mended adds what to do about a file that is not there. What is wrong with one that
// is says so itself.
func mended(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range many.Unwrap() {
			errs = append(errs, mended(e))
		}
		return errors.Join(errs...)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; make the file or correct its path (--without-secrets leaves such files out, where there are none)", err)
	}
	return err
}

// kafkaFiles reads each file apart, so that one does not hide another.
func (c Config) kafkaFiles() error {
	tls, sasl := c.Kafka.TLS, c.Kafka.SASL
	authority, own := tls, tls
	authority.CertFile, authority.KeyFile, own.CAFile = "", "", ""
	sasl.AllowUnencrypted = true
	var errs []error
	for _, part := range []dial.Config{{TLS: authority}, {TLS: own}, {SASL: sasl}} {
		if part == (dial.Config{SASL: dial.SASL{AllowUnencrypted: true}}) {
			continue
		}
		_, err := dial.New(part)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c Config) tokens() error {
	if c.HTTPIngest.TokenFile == "" {
		return nil
	}
	in := DefaultConfig().Ingest // the tokens are those of any topics
	_, err := ingesthttp.New(c.HTTPIngest, ingesthttp.Dependencies{
		Brokers: []string{"127.0.0.1:1"}, Predictions: in.Topics.Predictions, Labels: in.Topics.Labels, Deployments: in.Topics.Deployments, KPIs: in.Topics.KPIs,
		Sources: in.AllSources(), Limits: in.Limits, Registry: prometheus.NewRegistry(),
	})
	if below := errors.Unwrap(err); below != nil {
		err = below // it says whose token_file
	}
	return prefixed("http_ingest", err)
}

func (c Config) keys() error {
	path := c.Ingest.Privacy.KeysFile
	if path == "" {
		return nil
	}
	if _, err := privacy.ReadKeys(path); err != nil {
		return fmt.Errorf("ingest.privacy.keys_file: %w", err)
	}
	return nil
}

// registryFiles reads what the registry's client reads for each request.
func registryFiles(at string, r decode.SchemaRegistry) error {
	var errs []error
	for _, f := range []struct{ name, path string }{{"password_file", r.PasswordFile}, {"bearer_token_file", r.BearerTokenFile}} {
		if f.path == "" {
			continue
		}
		text, err := secrets.Read(at+f.name, f.path)
		if err == nil && len(bytes.TrimSpace(text)) == 0 {
			err = fmt.Errorf("%s%s: %s is empty", at, f.name, f.path)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// namedFiles visits every *_file of a section that names one, as fields are spelt in
// the configuration file.
func namedFiles(v reflect.Value, at string, visit func(field, path string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			namedFiles(v.Elem(), at, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			namedFiles(v.Index(i), fmt.Sprintf("%s[%d]", at, i), visit)
		}
	case reflect.String:
		if strings.HasSuffix(at, "_file") && v.String() != "" {
			visit(at, v.String())
		}
	case reflect.Struct:
		for f, value := range v.Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			switch {
			case strings.Contains(options, "inline"):
				namedFiles(value, at, visit)
			case name != "" && name != "-":
				namedFiles(value, strings.TrimPrefix(at+"."+name, "."), visit)
			}
		}
	}
}
