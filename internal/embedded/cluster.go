package embedded

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"

	"kplan/internal/embedded/certs"
)

// Cluster is a running embedded cluster. Its methods are safe for concurrent
// use.
type Cluster struct {
	id   string
	fake *kfake.Cluster
	ca   *certs.Authority

	mu      sync.Mutex
	brokers []*listener

	closing sync.Once
}

// ErrNoTLS is returned where certificates of a plaintext cluster are asked
// for.
var ErrNoTLS = errors.New("the cluster has no TLS: start it with Options.TLS")

// Start starts a cluster and returns when its listeners are open. The caller
// closes it.
func Start(o Options) (*Cluster, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("starting an embedded cluster: %w", err)
	}
	if o.ClusterID == "" {
		id, err := randomID()
		if err != nil {
			return nil, fmt.Errorf("starting an embedded cluster: %w", err)
		}
		o.ClusterID = id
	}
	c := &Cluster{id: o.ClusterID}
	var server *tls.Config
	if o.TLS {
		var err error
		if server, err = c.makeTLS(o); err != nil {
			return nil, fmt.Errorf("starting an embedded cluster: %w", err)
		}
	}
	opts, err := o.fake()
	if err != nil {
		return nil, fmt.Errorf("starting an embedded cluster: %w", err)
	}
	// kfake advertises what its listener calls its address, one listener per
	// broker in the brokers' order.
	opts = append(opts, kfake.ListenFn(func(network, address string) (net.Listener, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		l, err := listen(network, address, o.Advertise[len(c.brokers)], server)
		if err != nil {
			return nil, err
		}
		c.brokers = append(c.brokers, l)
		return l, nil
	}))
	if c.fake, err = kfake.NewCluster(opts...); err != nil {
		return nil, fmt.Errorf("starting an embedded cluster: %w", err)
	}
	tellDisk(c.fake, len(o.Topics) > 0)
	if o.Strict {
		beStrict(c.fake)
	}
	return c, nil
}

func (c *Cluster) makeTLS(o Options) (*tls.Config, error) {
	ca, err := certs.NewAuthority("kplan embedded cluster " + o.ClusterID)
	if err != nil {
		return nil, err
	}
	hosts := []string{"localhost", "127.0.0.1"}
	for _, h := range o.Advertise {
		hosts = append(hosts, h)
	}
	pair, err := ca.Issue(certs.Request{CommonName: "broker", Hosts: hosts})
	if err != nil {
		return nil, err
	}
	cert, err := pair.TLS()
	if err != nil {
		return nil, err
	}
	server := o.serverTLS(cert)
	if o.ClientAuth {
		server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	}
	c.ca = ca
	return server, nil
}

// ClusterID is the id that Metadata and DescribeCluster tell.
func (c *Cluster) ClusterID() string { return c.id }

// Bootstrap returns the addresses at which the brokers listen, whatever they
// advertise, in the order of their numbers. Killed brokers stay in the list.
func (c *Cluster) Bootstrap() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	addrs := make([]string, 0, len(c.brokers))
	for _, b := range c.brokers {
		addrs = append(addrs, b.listening())
	}
	return addrs
}

// Kill makes one broker vanish: its listener and its connections close, while
// the others go on advertising it, as a cluster does that has not noticed yet.
// Killing twice is harmless.
func (c *Cluster) Kill(node int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if node < 0 || node >= len(c.brokers) {
		return fmt.Errorf("killing broker %d: brokers are numbered 0 to %d", node, len(c.brokers)-1)
	}
	if err := c.brokers[node].kill(); err != nil {
		return fmt.Errorf("killing broker %d: %w", node, err)
	}
	return nil
}

// Authority returns the authority that signed the brokers' certificates, for
// CA files and client certificates. Without TLS the error is ErrNoTLS.
func (c *Cluster) Authority() (*certs.Authority, error) {
	if c.ca == nil {
		return nil, ErrNoTLS
	}
	return c.ca, nil
}

// Fake gives access to kfake's own controls (faults, moving leaders), for
// tests.
func (c *Cluster) Fake() *kfake.Cluster { return c.fake }

// Close stops all brokers and cuts every connection. Closing twice is
// harmless.
func (c *Cluster) Close() {
	c.closing.Do(func() {
		c.fake.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, b := range c.brokers {
			// kfake closed the listener; what is left are connections, and
			// their errors are of no use to anybody any more.
			_ = b.kill()
		}
	})
}

// randomID has the form of Kafka's own cluster ids: 16 bytes, base64.
func randomID() (string, error) {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("drawing a cluster id: %w", err)
	}
	// A leading dash would read as a flag on a command line.
	raw[0] &= 0x7f
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}
