package alerting

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"
)

// ClusterConfig lets replicas share what they know, by Alertmanager's gossip, so
// that they page once. Each replica is sent every alert, keeps it, and waits its
// turn: the first sends at once, the next PeerTimeout later unless it has heard
// that it was sent. Replicas that cannot reach each other both page: a partition
// costs a second page, never a missing one. Their clocks must agree to about a
// second.
type ClusterConfig struct {
	// Listen is the address of the gossip, host:port by UDP and TCP, the host an IP
	// address. Empty runs alone.
	Listen string `yaml:"listen"`
	// Advertise is the address that the others are told, if not Listen.
	Advertise string `yaml:"advertise"`
	// Peers are addresses of other replicas; one that answers is enough.
	Peers []string `yaml:"peers"`
	// Name is the replica's own, the same at every start: the replicas' turns go by
	// their names. Default the host's name and the address.
	Name string `yaml:"name"`
	// Label keeps clusters that reach each other apart. Default plumbline.
	Label string `yaml:"label"`
	// PeerTimeout is how long a replica waits for each before it. Default 15 s.
	PeerTimeout time.Duration `yaml:"peer_timeout"`
	// Settle is how long a replica that starts waits at most until it has heard
	// what the others know. Default 10 s.
	Settle time.Duration `yaml:"settle"`
	// GossipInterval is how often news are passed on, PushPullInterval how often
	// two replicas compare everything. Default 200 ms and 30 s.
	GossipInterval   time.Duration `yaml:"gossip_interval"`
	PushPullInterval time.Duration `yaml:"push_pull_interval"`
	// ProbeInterval and ProbeTimeout find replicas that died. Default 1 s and
	// 500 ms.
	ProbeInterval time.Duration `yaml:"probe_interval"`
	ProbeTimeout  time.Duration `yaml:"probe_timeout"`
	// Reconnect is how often a replica that was lost is called again. Default 5 s.
	Reconnect time.Duration `yaml:"reconnect"`
}

func defaultClusterConfig() ClusterConfig {
	return ClusterConfig{
		Label: "plumbline", PeerTimeout: 15 * time.Second, Settle: 10 * time.Second,
		GossipInterval: cluster.DefaultGossipInterval, PushPullInterval: 30 * time.Second,
		ProbeInterval: cluster.DefaultProbeInterval, ProbeTimeout: cluster.DefaultProbeTimeout, Reconnect: 5 * time.Second,
	}
}

func (c ClusterConfig) validate() []error {
	if c.Listen == "" {
		if len(c.Peers) > 0 {
			return []error{errors.New("cluster.peers: are given, but cluster.listen is empty")}
		}
		return nil
	}
	var errs []error
	for key, address := range map[string]string{"listen": c.Listen, "advertise": c.Advertise} {
		if _, _, err := net.SplitHostPort(address); err != nil && (address != "" || key == "listen") {
			errs = append(errs, fmt.Errorf("cluster.%s: %q is not host:port", key, address))
		}
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && host != "" && net.ParseIP(host) == nil {
		// Memberlist takes what is no address for none, and so would open the gossip,
		// which knows no password, to everybody.
		errs = append(errs, fmt.Errorf("cluster.listen: %q is a name, and would be taken for every address of this machine; write an IP address, such as 127.0.0.1", host))
	}
	for i, peer := range c.Peers {
		if _, _, err := net.SplitHostPort(peer); err != nil {
			errs = append(errs, fmt.Errorf("cluster.peers[%d]: %q is not host:port", i, peer))
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"peer_timeout", c.PeerTimeout}, {"settle", c.Settle}, {"gossip_interval", c.GossipInterval},
		{"push_pull_interval", c.PushPullInterval}, {"probe_interval", c.ProbeInterval}, {"probe_timeout", c.ProbeTimeout},
		{"reconnect", c.Reconnect},
	} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("cluster.%s: %s is not above zero", d.key, d.value))
		}
	}
	return errs
}

// name is the same at every start: with Alertmanager's random names a replica
// that was killed would for a while stand in the list beside itself, and two
// would have the same turn.
func (c ClusterConfig) name() string {
	if c.Name != "" {
		return c.Name
	}
	host, err := os.Hostname()
	if err != nil {
		host = "replica"
	}
	return host + "/" + cmp.Or(c.Advertise, c.Listen)
}

// clusterTCPTimeout and clusterResolve bound one connection and one look-up.
const (
	clusterTCPTimeout = 10 * time.Second
	clusterResolve    = 15 * time.Second
	clusterLeave      = 2 * time.Second
	forgetPeer        = 6 * time.Hour
)

// openCluster makes this replica known to nobody yet: what the others tell it
// goes to states that exist, so join comes last.
func (c *core) openCluster() error {
	cfg := c.config.Cluster
	if cfg.Listen == "" {
		return nil
	}
	peer, err := cluster.Create(c.logger, c.metrics.alertmanager, cfg.Listen, cfg.Advertise, cfg.Peers, false,
		cfg.PushPullInterval, cfg.GossipInterval, clusterTCPTimeout, clusterResolve, cfg.ProbeTimeout, cfg.ProbeInterval,
		nil, true, cfg.Label, cfg.name())
	if err != nil {
		return fmt.Errorf("open cluster: %w", err)
	}
	c.peer = peer
	for _, s := range []struct {
		key   string
		state cluster.State
		file  *frameFile
		tell  func(broadcast func([]byte))
		empty func() proto.Message
	}{
		{"nfl", c.nflog.log, c.nflog.file, c.nflog.log.SetBroadcast, func() proto.Message { return new(nflogpb.MeshEntry) }},
		{"sil", c.silences, c.silenceFile, c.silences.SetBroadcast, func() proto.Message { return new(silencepb.MeshSilence) }},
	} {
		d := &durableState{State: s.state, name: s.key, empty: s.empty, keep: c.append(s.key, s.file), seen: make(map[[sha256.Size]byte]bool)}
		channel := peer.AddState(s.key, c.gossips(s.file, d), c.metrics.alertmanager)
		s.tell(func(b []byte) {
			d.append(b)
			channel.Broadcast(b)
		})
		c.durable = append(c.durable, d)
	}
	c.incidents.setBroadcast(peer.AddState("inc", c.gossips(c.incidents.file, c.incidents), c.metrics.alertmanager).Broadcast)
	return nil
}

// join tells the others that this replica is there, and lets it send once it has
// heard what they know, or after the time to settle: blind is worse than twice.
func (c *core) join(ctx context.Context) {
	defer c.maintenances.Done()
	ctx, cancel := context.WithTimeout(ctx, c.config.Cluster.Settle)
	defer cancel()
	joined := make(chan error, 1)
	go func() { joined <- c.peer.Join(c.config.Cluster.Reconnect, forgetPeer) }()
	select {
	case err := <-joined:
		if err != nil {
			c.logger.Warn("no other replica answers yet", "peers", c.config.Cluster.Peers, "err", err)
		}
	case <-ctx.Done():
	}
	c.peer.Settle(ctx, c.config.Cluster.GossipInterval)
}

func (c *core) leave() {
	if c.peer == nil {
		return
	}
	if err := c.peer.Leave(clusterLeave); err != nil {
		c.logger.Warn("leave the cluster", "err", err)
	}
}

// settled is the peer as the stage wants it: the nil interface, not a nil
// *cluster.Peer, for the stage asks whether there is a cluster by comparing.
func (c *core) settled() notify.Peer {
	if c.peer == nil {
		return nil
	}
	return c.peer
}

// turn is how long this replica lets the ones before it send.
func (c *core) turn() time.Duration {
	return time.Duration(c.position()) * c.config.Cluster.PeerTimeout
}

// position is how many replicas speak before this one.
func (c *core) position() int {
	if c.peer == nil {
		return 0
	}
	return c.peer.Position()
}

// firesFor reports whether an alert fires that the route of the turn takes. One that
// nobody sends any more has ended, though that is written down a little later.
func (c *core) firesFor(ctx context.Context, fp model.Fingerprint) bool {
	a, err := c.alerts.Get(fp)
	if err != nil || a.Resolved() {
		return false
	}
	id, ok := notify.RouteID(ctx)
	return !ok || slices.ContainsFunc(c.tree.Match(a.Labels), func(r *dispatch.Route) bool { return r.ID() == id })
}

// durableState is a state of Alertmanager's whose merges reach the disk too: the
// state itself tells of the small ones only.
type durableState struct {
	cluster.State
	name  string
	empty func() proto.Message // what a frame holds
	keep  func([]byte)

	mu   sync.Mutex
	seen map[[sha256.Size]byte]bool // frames that are in the file
}

// append writes the frames that are not in the file yet.
func (d *durableState) append(b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var news []byte
	// A torn message is refused by the state that decodes it.
	_ = eachFrame(b, func(frame []byte) error {
		sum, err := d.sum(frame)
		if err == nil && !d.seen[sum] {
			d.seen[sum] = true
			news = appendFrame(news, frame)
		}
		return err
	})
	if len(news) > 0 {
		d.keep(news)
	}
}

// sum is the same for the same content, however its maps were written.
func (d *durableState) sum(frame []byte) ([sha256.Size]byte, error) {
	content := d.empty()
	if err := proto.Unmarshal(frame, content); err != nil {
		return [sha256.Size]byte{}, err
	}
	same, err := proto.MarshalOptions{Deterministic: true}.Marshal(content)
	return sha256.Sum256(same), err
}

// ofNotification says what a frame of the notification log is about, and since when it
// holds.
func ofNotification(frame []byte) (what string, at time.Time) {
	var e nflogpb.MeshEntry
	if err := proto.Unmarshal(frame, &e); err != nil {
		return string(frame), time.Time{} // who loads it says what is wrong
	}
	r := e.GetEntry().GetReceiver()
	return fmt.Sprintf("%q %q %q %d", e.GetEntry().GetGroupKey(), r.GetGroupName(), r.GetIntegration(), r.GetIdx()), e.GetEntry().GetTimestamp().AsTime()
}

// ofSilence does so for a frame of the silences.
func ofSilence(frame []byte) (what string, at time.Time) {
	var s silencepb.MeshSilence
	if err := proto.Unmarshal(frame, &s); err != nil {
		return string(frame), time.Time{}
	}
	return s.GetSilence().GetId(), s.GetSilence().GetUpdatedAt().AsTime()
}

// forget empties the memory after the whole state was written.
func (d *durableState) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.seen)
}

// Merge implements cluster.State.
func (d *durableState) Merge(b []byte) error {
	if err := d.State.Merge(b); err != nil {
		return fmt.Errorf("merge %s of another replica: %w", d.name, err)
	}
	d.append(b)
	return nil
}
