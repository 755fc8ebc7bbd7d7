package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kplan/internal/embedded/certs"
)

// startLimit is for starts that hang. A broker that has a busy machine for
// itself only now and then was seen to take more than a minute.
const startLimit = 5 * time.Minute

// Cluster is a running Apache Kafka cluster. Its methods are safe for
// concurrent use, as long as no two of them handle the same broker.
type Cluster struct {
	options   Options
	id        string
	version   string // as the wire tells
	dir       string
	jars      string // their folder
	classes   string // the JVM's flag about the archive of classes; empty: none
	folder    *dataDir
	spawner   *spawner
	jvm       jvm
	authority *certs.Authority
	identity  certs.Pair
	nodes     []*node // the brokers
	extra     []*node // controller or ZooKeeper

	closing sync.Once
	closed  error
}

// Start starts a cluster and returns when every listener works. The cluster
// ends with the test. Whatever goes wrong fails the test. Tests with clusters of
// their own run one after the other where the run has a keeper.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	needsRealName(t)
	if err := takeTurn(t); err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	c, err := start(t.Context(), t.Logf, o)
	if err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs())
		}
		if err := c.close(); err != nil {
			t.Errorf("kafkatest: %v", err)
		}
	})
	return c
}

func start(ctx context.Context, log func(string, ...any), o Options) (*Cluster, error) {
	began := time.Now()
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("starting Kafka: %w", err)
	}
	if err := needProgram(ctx, log, "java"); err != nil {
		return nil, err
	}
	jars, err := fetchedJars(ctx, log, o.Version)
	if err != nil {
		return nil, err
	}
	c := &Cluster{options: o, id: o.ClusterID, jars: jars, classes: o.teach}
	if c.classes == "" {
		path, err := classArchive(ctx, log, o.Version, jars)
		if err != nil {
			return nil, err
		}
		if path != "" {
			c.classes = "-XX:SharedArchiveFile=" + path
		}
	}
	fetched := time.Now()
	c.jvm = jvm{classPath: filepath.Join(jars, "*"), heapMB: 512, system: o.SystemProperties, more: o.JVM}
	if err := c.makeIdentity(); err != nil {
		return nil, err
	}
	if c.folder, err = newDataDir(); err != nil {
		return nil, err
	}
	c.dir = c.folder.path
	c.spawner = newSpawner()
	if err := c.bringUp(ctx, log); err != nil {
		return nil, errors.Join(err, c.close())
	}
	log("kafkatest: Apache Kafka %s (asked over the wire: %s), %d broker(s), cluster id %s, ready in %s (and %s for jars and classes)",
		o.Version, c.version, o.Brokers, c.id, time.Since(fetched).Round(100*time.Millisecond), fetched.Sub(began).Round(time.Millisecond))
	if o.teach != "" {
		return c, nil
	}
	if err := c.report(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *Cluster) makeIdentity() error {
	ca, err := certs.NewAuthority("kafkatest")
	if err != nil {
		return err
	}
	pair, err := ca.Issue(certs.Request{CommonName: "broker", Hosts: []string{"localhost", "127.0.0.1"}, Client: true})
	if err != nil {
		return err
	}
	c.authority, c.identity = ca, pair
	if c.id == "" && c.options.Version.kraft() {
		var raw [16]byte
		if _, err := rand.Read(raw[:]); err != nil {
			return fmt.Errorf("drawing a cluster id: %w", err)
		}
		raw[0] &= 0x7f // a leading dash would read as a flag
		c.id = base64.RawURLEncoding.EncodeToString(raw[:])
	}
	return nil
}

// errPortTaken means that somebody took a port between choosing and opening it.
var errPortTaken = errors.New("a port was taken meanwhile")

// bringUp starts all nodes, with other ports where one was taken.
func (c *Cluster) bringUp(ctx context.Context, log func(string, ...any)) error {
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx)
		if err == nil {
			return nil
		}
		err = errors.Join(err, c.killAll())
		if !errors.Is(err, errPortTaken) || attempt == 4 {
			return fmt.Errorf("starting Apache Kafka %s: %w", c.options.Version, err)
		}
		log("kafkatest: starting again: %v", err)
	}
}

func (c *Cluster) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	prepare := c.prepareKraft
	if !c.options.Version.kraft() {
		prepare = c.prepareZooKeeper
	}
	if err := errors.Join(c.layOut(), prepare()); err != nil {
		return err
	}
	for _, n := range c.everyNode() {
		if err := c.launch(n); err != nil {
			return err
		}
	}
	err := c.awaitReady(ctx)
	if err == nil {
		return nil
	}
	// A broker whose second listener cannot bind answers on the first one for a
	// moment before it ends: its end is the reason, not the answer that failed.
	return errors.Join(c.deathOf(time.Now().Add(deathLimit)), err)
}

// deathLimit is how long a broker that gives up may take to end.
const deathLimit = 5 * time.Second

// deathOf waits until a node has ended, and says why; nil when none has by then.
func (c *Cluster) deathOf(deadline time.Time) error {
	for {
		if dead := c.diagnose(); dead != nil || time.Now().After(deadline) {
			return dead
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// diagnose says why a cluster is not ready, if a node's end or log tells.
func (c *Cluster) diagnose() error {
	for _, n := range c.everyNode() {
		if err := n.death(); err != nil {
			return err
		}
	}
	return nil
}

// death says why a node has ended; nil when it has not.
func (n *node) death() error {
	if n.proc == nil || n.proc.running() {
		return nil
	}
	tail := n.proc.tail()
	if strings.Contains(tail, "Address already in use") || strings.Contains(tail, "BindException") {
		return fmt.Errorf("%s: %w", n.name, errPortTaken)
	}
	return fmt.Errorf("%s ended (%w); its log:\n%s", n.name, n.proc.err, tail)
}

// Bootstrap returns the addresses of one listener, broker 1 first. A listener
// that the cluster does not have yields nothing.
func (c *Cluster) Bootstrap(l Listener) []string {
	var out []string
	for _, n := range c.nodes {
		if port, ok := n.ports[l]; ok {
			out = append(out, fmt.Sprintf("127.0.0.1:%d", port))
		}
	}
	return out
}

// ClusterID is the id that the cluster told over the wire.
func (c *Cluster) ClusterID() string { return c.id }

// Version is what was asked for; that it is true was checked over the wire.
func (c *Cluster) Version() Version { return c.options.Version }

// Evidence says how the version was found over the wire.
func (c *Cluster) Evidence() string { return c.version }

// PIDs are the processes of the brokers that were started last, broker 1 first.
func (c *Cluster) PIDs() []int {
	var all []int
	for _, n := range c.nodes {
		if n.proc != nil {
			all = append(all, n.proc.cmd.Process.Pid)
		}
	}
	return all
}

// Authority signed the brokers' certificates; it also makes clients'.
func (c *Cluster) Authority() *certs.Authority { return c.authority }

// CAFile returns the path of a file with the authority's certificate, which
// lives as long as the cluster.
func (c *Cluster) CAFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(c.dir, "ca.pem")
	if err := c.authority.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Logs returns the end of every node's log.
func (c *Cluster) Logs() string {
	var b strings.Builder
	for _, n := range c.everyNode() {
		if n.log != "" {
			fmt.Fprintf(&b, "--- %s\n%s\n", n.name, logTail(n.log))
		}
	}
	return b.String()
}

// close ends everything by force: the data goes away with it.
func (c *Cluster) close() error {
	c.closing.Do(func() {
		c.closed = c.killAll()
		if c.spawner == nil {
			return // a keeper's: it ends with the keeper
		}
		c.spawner.close()
		c.closed = errors.Join(c.closed, c.folder.remove())
	})
	return c.closed
}

func (c *Cluster) killAll() error {
	var errs []error
	for _, n := range c.everyNode() {
		if n.proc != nil {
			errs = append(errs, n.proc.kill())
		}
	}
	return errors.Join(errs...)
}
