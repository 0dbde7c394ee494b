package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gopkg.in/yaml.v3"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/rules"
)

// Load reads a configuration file strictly. The error joins every mistake that can
// be known, each with file, line and field: unknown keys and wrong types do not
// hide what is wrong with the rest.
func Load(path string) (Config, error) {
	cfg, wrong, err := read(path, func(*Config) {})
	if err != nil {
		return Config{}, err
	}
	cfg.file = wrong
	return cfg, wrong.err()
}

// Checked is what is in a right configuration file.
type Checked struct {
	Found    string // in a line
	Warnings []Warning
}

// Check reads a configuration file, its SLO files and the files with secrets that it
// names, and says what they hold, or every mistake of all of them.
func Check(path string) (Checked, error) {
	return check(path, func(*Config) {}, Config.secretFiles)
}

// CheckWithoutSecrets is Check where the files with secrets and certificates are not,
// such as in a pull request.
func CheckWithoutSecrets(path string) (Checked, error) {
	return check(path, (*Config).hideSecrets, func(Config) error { return nil })
}

func check(path string, hide func(*Config), files func(Config) error) (Checked, error) {
	cfg, wrong, err := read(path, hide)
	if err != nil {
		return Checked{}, err
	}
	slos, err := cfg.parseSLOs()
	if err != nil {
		slos = cfg.rightSLOs()
	}
	if _, inert := rules.Objectives(slos); err == nil {
		err = inert // what serve would refuse
	}
	wrong.add(errors.Join(cfg.undeclared(slos), cfg.needsReader(slos), files(cfg), cfg.placed().folders()))
	if err := rules.CheckOwn(cfg.placed().Rules.RulesDir); err != nil {
		wrong.add(fmt.Errorf("rules.rules_dir: %w", err))
	}
	if err := errors.Join(wrong.err(), err); err != nil {
		return Checked{}, err
	}
	cfg.file = wrong
	return Checked{Found: fmt.Sprintf("%d SLOs, %d owners", len(slos), len(cfg.Alerting.Owners)), Warnings: append(cfg.warnings(slos), cfg.unreached()...)}, nil
}

// read decodes a file over the defaults. What cannot be read at all is the error,
// what is wrong in it are the mistakes. hide takes out what is not to be looked at.
func read(path string, hide func(*Config)) (Config, *mistakes, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil, fmt.Errorf("configuration: %w; name yours with --config.file (examples/flights/plumbline.yml is one to begin with)", err)
	}
	if err != nil {
		return Config{}, nil, fmt.Errorf("configuration: %w", err)
	}
	cfg := DefaultConfig()
	wrong := newMistakes(path, text)
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	switch err := decoder.Decode(&cfg); {
	case err == nil:
		if !errors.Is(decoder.Decode(new(yaml.Node)), io.EOF) {
			wrong.errs = append(wrong.errs, fmt.Errorf("%s: a second YAML document begins; one file holds one configuration", path))
		}
	case errors.As(err, new(*yaml.TypeError)):
		// What can be decoded is decoded, and is looked at too.
		wrong.ofYAML(err)
	case !errors.Is(err, io.EOF):
		wrong.ofYAML(err)
		return Config{}, nil, wrong.err()
	}
	hide(&cfg)
	cfg.resolve(filepath.Dir(path))
	cfg.declareSegments()
	for i := range cfg.Ingest.Sources {
		if err := cfg.Ingest.Sources[i].ReadFiles(); err != nil {
			wrong.unread = append(wrong.unread, cfg.Ingest.Sources[i].MappingFile, cfg.Ingest.Sources[i].SchemaFile)
			wrong.add(fmt.Errorf("ingest.sources[%d].%w", i, err))
		}
	}
	wrong.add(cfg.placed().validate())
	return cfg, wrong, nil
}

// SLOs reads the configured SLO files. An SLO on a model that is not declared
// is an error: it would make a route for whatever a producer sends.
func (c Config) SLOs() ([]plumbline.SLO, error) {
	slos, err := c.parseSLOs()
	if err != nil {
		return nil, err
	}
	return slos, c.undeclared(slos)
}

func (c Config) parseSLOs() ([]plumbline.SLO, error) {
	if len(c.Rules.SLOFiles) == 0 {
		return nil, nil
	}
	return rules.ParseFiles(c.Rules.SLOFiles...)
}

// rightSLOs are the SLOs of those patterns whose files have no mistake.
func (c Config) rightSLOs() (right []plumbline.SLO) {
	for _, pattern := range c.Rules.SLOFiles {
		if slos, err := rules.ParseFiles(pattern); err == nil {
			right = append(right, slos...)
		}
	}
	return right
}

// folders returns what stands where a folder is to be. There need not be one, and who
// checks a configuration need not be the user that may look into it.
func (c Config) folders() error {
	var errs []error
	for _, f := range []struct{ field, path string }{
		{"data_dir", c.DataDir}, {"alerting.data_dir", c.Alerting.DataDir}, {"kafka.embedded.data_dir", c.Kafka.Embedded.DataDir},
		{"rules.rules_dir", c.Rules.RulesDir}, {"dashboards.dir", c.Dashboards.Dir},
	} {
		info, err := os.Stat(f.path)
		if errors.Is(err, syscall.ENOTDIR) || err == nil && !info.IsDir() {
			errs = append(errs, fmt.Errorf("%s: %s is a file, or below one; name a folder, which is made where there is none", f.field, f.path))
		}
	}
	return errors.Join(errs...)
}

func (c Config) undeclared(slos []plumbline.SLO) error {
	declared := make(map[plumbline.Model]bool, len(c.Models))
	for _, m := range c.Models {
		declared[m.Name] = true
	}
	var errs []error
	for _, slo := range slos {
		if !declared[slo.Model] {
			errs = append(errs, fmt.Errorf("models: SLO %s: model %q is not declared; add it under models in the configuration", slo.Name, slo.Model))
		}
		if slo.SLI.Is(plumbline.SLIDrift) && !slices.Contains(c.Analyze.References, slo.SLI.Reference) {
			errs = append(errs, fmt.Errorf("analyze.references: SLO %s: its reference %q is none of them (%s), so that nothing would be known of it; add it, or name another in the SLO", slo.Name, slo.SLI.Reference, strings.Join(c.Analyze.References, ", ")))
		}
		if known := c.Alerting.Owners; len(known) > 0 && !slices.ContainsFunc(known, func(o plumbline.OwnerEntry) bool { return o.Name == slo.Owner }) {
			errs = append(errs, fmt.Errorf("alerting.owners: SLO %s: its owner %q is none of them, so that nobody would be told; add it, or name another in %s", slo.Name, slo.Owner, "plumbline.dev/owner"))
		}
	}
	return errors.Join(errs...)
}
