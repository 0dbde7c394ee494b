// Package broker is the Kafka that runs inside the process when no address of
// a real one is configured: franz-go's kfake with a data directory, on a
// loopback listener of its own so that any Kafka client can produce to it.
//
// It survives kill -9 (what was acknowledged is read again), keeps its address
// over a restart if one is configured, and is no cluster: real installations
// set kafka.brokers. It imports nothing of ours.
package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config says where the embedded broker keeps its log and listens.
type Config struct {
	// DataDir holds the log; it is created if it does not exist.
	DataDir string `yaml:"data_dir"`
	// Listen is a loopback address. Port 0 takes a free port, another one on
	// each start. Default 127.0.0.1:9092.
	Listen string `yaml:"listen"`
	// Partitions is the number of partitions of a topic that is created without
	// saying. Default 4.
	Partitions int `yaml:"partitions"`
	// MinSession is the shortest session timeout a consumer may ask for.
	// Default 6 s, as Kafka's.
	MinSession time.Duration `yaml:"min_session"`
	// MaxRebalance bounds how long a rebalance waits for members that do not join
	// again; 0 waits as long as they asked for. kfake begins the wait anew with
	// every member that joins, and forgets the session of a member whose
	// connection broke before it was told that it had joined, so that a group
	// whose members are killed again and again would wait for ever.
	MaxRebalance time.Duration `yaml:"-"`
	// MaxMessageBytes is the largest batch of records that is accepted. Default
	// 16 MiB, more than Kafka's 1 MiB, so that an event too large to be stored
	// becomes a dead letter with its reason and not its producer's problem.
	MaxMessageBytes int `yaml:"max_message_bytes"`
}

// DefaultConfig returns the defaults without a data directory.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:9092", Partitions: 4, MinSession: 6 * time.Second, MaxMessageBytes: 16 << 20}
}

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	var errs []error
	if c.DataDir == "" {
		errs = append(errs, errors.New("kafka.embedded.data_dir: empty; name a directory"))
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		errs = append(errs, fmt.Errorf("kafka.embedded.listen: %w", err))
	} else if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		errs = append(errs, fmt.Errorf("kafka.embedded.listen: %q is not a loopback address; the embedded broker knows no users", c.Listen))
	}
	if c.Partitions < 1 {
		errs = append(errs, fmt.Errorf("kafka.embedded.partitions: %d is less than 1", c.Partitions))
	}
	if c.MinSession < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("kafka.embedded.min_session: %s is under 100ms", c.MinSession))
	}
	if c.MaxMessageBytes < 1<<10 || c.MaxMessageBytes > 64<<20 {
		errs = append(errs, fmt.Errorf("kafka.embedded.max_message_bytes: %d is not between 1 KiB and 64 MiB", c.MaxMessageBytes))
	}
	return errors.Join(errs...)
}

// Broker is one embedded Kafka broker.
type Broker struct {
	cfg     Config
	cluster *kfake.Cluster
}

// New returns a broker that does nothing until Start.
func New(cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Broker{cfg: cfg}, nil
}

// Start opens the log and listens. Close ends it.
func (b *Broker) Start() error {
	if err := os.MkdirAll(b.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("plumbline-embedded"),
		kfake.DataDir(b.cfg.DataDir),
		kfake.DefaultNumPartitions(b.cfg.Partitions),
		kfake.GroupMinSessionTimeout(b.cfg.MinSession),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(b.cfg.MaxMessageBytes)}),
		// Port 0 makes kfake ask the listener for its address and advertise it.
		kfake.Ports(0),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, b.cfg.Listen) }),
	)
	if err != nil {
		return fmt.Errorf("embedded kafka in %s: %w", b.cfg.DataDir, explain(err))
	}
	b.cluster = cluster
	b.boundRebalances()
	return nil
}

// boundRebalances shortens what members ask for to Config.MaxRebalance.
func (b *Broker) boundRebalances() {
	if b.cfg.MaxRebalance == 0 {
		return
	}
	b.cluster.ControlKey(int16(kmsg.JoinGroup), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		join := request.(*kmsg.JoinGroupRequest)
		join.RebalanceTimeoutMillis = min(join.RebalanceTimeoutMillis, int32(b.cfg.MaxRebalance.Milliseconds()))
		return nil, nil, false
	})
}

func explain(err error) error {
	if strings.Contains(err.Error(), "address already in use") {
		return fmt.Errorf("%w; set kafka.embedded.listen to another port, or kafka.brokers if that is your Kafka", err)
	}
	return err
}

// Addresses returns where the broker listens.
func (b *Broker) Addresses() []string { return b.cluster.ListenAddrs() }

// Close ends the broker; what it acknowledged is on disk.
func (b *Broker) Close() { b.cluster.Close() }

// Run starts the broker and ends it when ctx is done.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	b.Close()
	return nil
}
