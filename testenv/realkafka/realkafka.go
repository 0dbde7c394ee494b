// Package realkafka starts an Apache Kafka for tests: one KRaft node, broker and
// controller, in a Java process on loopback ports, with its data in a temporary
// folder. The embedded broker of every other test calls itself a fake; what
// Plumbline promises has to hold on the real one.
//
// The jars come from Maven once, in the version pom.xml pins, and stay in the
// cache. Only tests and commands import it, and it imports nothing of ours.
package realkafka

import (
	"bytes"
	"context"
	_ "embed" // pom.xml and server.properties
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/testenv/address"
)

var (
	//go:embed pom.xml
	pom []byte
	//go:embed server.properties
	properties string
)

// ErrUnavailable says that this machine lacks what Apache Kafka needs, Java or
// Maven: a test on it is skipped, with the error as the reason.
var ErrUnavailable = errors.New("no Apache Kafka on this machine")

// Config says which Apache Kafka is started and with what.
type Config struct {
	// Version of Apache Kafka, 3.9 or newer. Default: the one pom.xml pins.
	Version string
	// CacheDir keeps the jars, a folder for each version, about 44 MB.
	CacheDir string
	// HeapMiB bounds the heap of the Java process. Default 512.
	HeapMiB int
	// StartTimeout bounds formatting, starting and getting ready. Default 5 min;
	// it takes about 5 s on an idle machine.
	StartTimeout time.Duration
	// Java and Maven are commands or their paths. Defaults java and mvn.
	Java, Maven string
	// Secure adds a listener that wants TLS and SASL; nil adds none.
	Secure *Secure
}

// Secure is a listener that wants TLS with a certificate on both sides, and
// SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
type Secure struct {
	// Keystore holds the broker's key and certificate, Truststore the authority
	// of its clients; both are files in PEM.
	Keystore, Truststore string
	// User and Password are letters and digits.
	User, Password string
}

// DefaultConfig returns the defaults, with the cache below the user's own.
func DefaultConfig() (Config, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Config{}, fmt.Errorf("cache of Apache Kafka: %w", err)
	}
	return Config{
		Version: pinned(), CacheDir: filepath.Join(cache, "plumbline", "kafka"),
		HeapMiB: 512, StartTimeout: 5 * time.Minute, Java: "java", Maven: "mvn",
	}, nil
}

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	var errs []error
	if c.Version == "" || c.Version != filepath.Base(c.Version) || c.Version[0] == '.' {
		errs = append(errs, fmt.Errorf("version: %q is not a version such as 4.3.1", c.Version))
	}
	if c.CacheDir == "" {
		errs = append(errs, errors.New("cache_dir: empty; name a directory"))
	}
	if c.HeapMiB < 128 {
		errs = append(errs, fmt.Errorf("heap_mib: %d is under 128, too little for a broker", c.HeapMiB))
	}
	if c.StartTimeout < time.Second {
		errs = append(errs, fmt.Errorf("start_timeout: %s is under 1s", c.StartTimeout))
	}
	if c.Java == "" || c.Maven == "" {
		errs = append(errs, errors.New("java and maven: empty; name the commands"))
	}
	return errors.Join(errs...)
}

// Kafka is a running Apache Kafka.
type Kafka struct {
	dir, addr string
	secure    string // address of the secure listener
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended
	reserved  []*address.Reserved
}

// Start fetches Apache Kafka if the cache has none, and returns when the broker
// answers. Close ends it. The error wraps ErrUnavailable if Java or Maven is
// missing, and holds the end of the broker's log if it did not start. ctx bounds
// Start, not the life of the broker.
func Start(ctx context.Context, cfg Config) (*Kafka, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	java, err := exec.LookPath(cfg.Java)
	if err != nil {
		return nil, fmt.Errorf("%w: java is missing (%w); install a Java 17 or newer", ErrUnavailable, err)
	}
	maven, err := exec.LookPath(cfg.Maven)
	if err != nil {
		maven = "" // not needed when the cache is filled
	}
	dir, err := jars(ctx, cfg, maven)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	k := &Kafka{exited: make(chan struct{})}
	if k.dir, err = os.MkdirTemp("", "plumbline-kafka-"); err != nil {
		return nil, fmt.Errorf("start Apache Kafka: %w", err)
	}
	flags := []string{
		fmt.Sprintf("-Xmx%dm", cfg.HeapMiB), "-Djava.awt.headless=true",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(dir, "*"),
	}
	if err := k.run(ctx, java, flags, cfg.Secure); err != nil {
		return nil, errors.Join(fmt.Errorf("start Apache Kafka %s: %w", cfg.Version, err), os.RemoveAll(k.dir))
	}
	return k, nil
}

// run formats the storage, starts the process and waits until it is ready.
func (k *Kafka) run(ctx context.Context, java string, flags []string, secure *Secure) error {
	settings, err := k.configure(secure)
	if err != nil {
		return err
	}
	formatting := append(flags[:len(flags):len(flags)], "kafka.tools.StorageTool", "format", "--cluster-id", "plumbline-tests-AAAAAA", "--config", settings)
	if secure != nil {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			formatting = append(formatting, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, secure.User, secure.Password))
		}
	}
	format := exec.CommandContext(ctx, java, formatting...)
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage: %w\n%s", err, tail(out))
	}
	log, err := os.Create(k.log())
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own descriptor
	// The broker outlives the start.
	k.cmd = exec.CommandContext(context.WithoutCancel(ctx), java, append(flags[:len(flags):len(flags)], "kafka.Kafka", settings)...)
	k.cmd.Stdout, k.cmd.Stderr = log, log
	k.cmd.SysProcAttr = ownGroup()
	if err := k.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(k.exited)
		_ = k.cmd.Wait() // it ends by a signal, or its log tells more
	}()
	if err := k.waitReady(ctx); err != nil {
		text, _ := os.ReadFile(k.log())
		return errors.Join(fmt.Errorf("%w\n%s", err, tail(text)), k.kill())
	}
	return nil
}

func (k *Kafka) log() string { return filepath.Join(k.dir, "broker.log") }

// configure writes server.properties with free ports.
func (k *Kafka) configure(secure *Secure) (string, error) {
	var addresses [3]string
	for i := range addresses {
		reserved, err := address.Reserve()
		if err != nil {
			return "", err
		}
		k.reserved = append(k.reserved, reserved)
		addresses[i] = reserved.Addr
	}
	k.addr, k.secure = addresses[0], addresses[2]
	parsed, err := template.New("server.properties").Parse(properties)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	values := struct {
		Broker, Controller, SecureBroker, LogDir string
		Secure                                   *Secure
	}{addresses[0], addresses[1], addresses[2], filepath.Join(k.dir, "data"), secure}
	if err := parsed.Execute(&text, values); err != nil {
		return "", err
	}
	file := filepath.Join(k.dir, "server.properties")
	return file, os.WriteFile(file, text.Bytes(), 0o600)
}

// waitReady asks until the broker is a member of its own cluster and knows its
// group coordinator.
func (k *Kafka) waitReady(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		last := k.ask(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w; last answer: %w", ctx.Err(), last)
		case <-k.exited:
			return errors.New("the broker ended")
		case <-tick.C:
		}
	}
}

func (k *Kafka) ask(ctx context.Context) error {
	transport := &kafka.Transport{DialTimeout: 5 * time.Second}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(k.addr), Timeout: 5 * time.Second, Transport: transport}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return err
	}
	if len(meta.Brokers) == 0 {
		return errors.New("no broker has joined")
	}
	coordinator, err := client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: "ready", KeyType: kafka.CoordinatorKeyTypeConsumer})
	if err != nil {
		return err
	}
	return coordinator.Error
}

// Addr returns where the broker listens, host:port.
func (k *Kafka) Addr() string { return k.addr }

// SecureAddr returns where the secure listener is, if one was asked for.
func (k *Kafka) SecureAddr() string { return k.secure }

// Exited is closed when the broker's process has ended.
func (k *Kafka) Exited() <-chan struct{} { return k.exited }

// Log returns the end of what the broker has logged: its warnings and errors.
func (k *Kafka) Log() (string, error) {
	text, err := os.ReadFile(k.log())
	return string(tail(text)), err
}

// Close ends the broker and removes its data.
func (k *Kafka) Close() error {
	err := errors.Join(k.kill(), os.RemoveAll(k.dir))
	for _, r := range k.reserved {
		err = errors.Join(err, r.Release())
	}
	return err
}

func (k *Kafka) kill() error {
	if err := k.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end Apache Kafka: %w", err)
	}
	<-k.exited
	return nil
}

// tail returns the last 4,000 bytes.
func tail(text []byte) []byte { return text[max(0, len(text)-4000):] }
