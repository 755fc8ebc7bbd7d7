package kafkatest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
)

// node is one JVM of a cluster: a broker, a controller or ZooKeeper.
type node struct {
	id      int
	name    string
	class   string
	config  string
	data    string
	storage string // log.dirs, which a test may place elsewhere
	heapMB  int
	ports   map[Listener]int
	log     string   // its file
	proc    *process // nil where a keeper has it
}

// Ports that are no client's business.
const (
	controllerPort Listener = "CONTROLLER"
	zooKeeperPort  Listener = "ZOOKEEPER"
)

// brokerClass is the main class of brokers and controllers.
const brokerClass = "kafka.Kafka"

// layOut decides which nodes there are, with folders and ports.
func (c *Cluster) layOut() error {
	o := c.options
	c.nodes, c.extra = nil, nil
	for id := 1; id <= o.Brokers; id++ {
		n := &node{id: id, name: fmt.Sprintf("broker-%d", id), class: brokerClass, heapMB: 512}
		wanted := slices.Clone(o.Listeners)
		for _, l := range o.Named {
			wanted = append(wanted, l.Name)
		}
		if o.Version.kraft() && o.Brokers == 1 {
			wanted = append([]Listener{controllerPort}, wanted...)
		}
		if err := c.place(n, wanted); err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
	}
	switch {
	case !o.Version.kraft():
		zk := &node{id: 0, name: "zookeeper", class: "org.apache.zookeeper.server.quorum.QuorumPeerMain", heapMB: 256}
		c.extra = append(c.extra, zk)
		return c.place(zk, []Listener{zooKeeperPort})
	case o.Brokers > 1:
		n := &node{id: 100, name: "controller", class: brokerClass, heapMB: 512}
		c.extra = append(c.extra, n)
		return c.place(n, []Listener{controllerPort})
	}
	return nil
}

func (c *Cluster) place(n *node, wanted []Listener) error {
	n.config, n.data = filepath.Join(c.dir, n.name+".properties"), filepath.Join(c.dir, n.name)
	// What a failed attempt left has other ports in it.
	err := errors.Join(os.RemoveAll(n.data), os.RemoveAll(filepath.Join(c.dir, n.name+".log")), os.MkdirAll(n.data, 0o755))
	if err != nil {
		return fmt.Errorf("making the folder of %s: %w", n.name, err)
	}
	choose := c.options.choose
	if choose == nil {
		choose = freePorts
	}
	ports, err := choose(len(wanted))
	if err != nil {
		return err
	}
	n.ports = map[Listener]int{}
	for i, l := range wanted {
		n.ports[l] = ports[i]
	}
	return nil
}

// everyNode returns controllers and ZooKeeper first.
func (c *Cluster) everyNode() []*node { return append(append([]*node{}, c.extra...), c.nodes...) }

// launch starts a node's JVM.
func (c *Cluster) launch(n *node) error {
	j := c.jvm
	j.heapMB = n.heapMB
	if c.classes != "" && n.class == brokerClass {
		j.more = append(slices.Clone(j.more), c.classes)
	}
	p, err := c.spawner.run(c.dir, n.name, j.args(n.class, n.config))
	if err != nil {
		return err
	}
	n.proc, n.log = p, p.log
	return nil
}

// Brokers get their ports from below the range from which the kernel hands out
// ports by itself (from 32768 on Linux): every connection and every listener on
// port 0 of the same test run takes one of those.
const (
	lowestPort  = 15000
	highestPort = 32000
	portTries   = 200
)

// freePorts looks for ports that nobody listens on. A broker has to know its
// port before it opens it, so there is a moment in which somebody else can take
// it; Start then tries again with others.
func freePorts(n int) ([]int, error) {
	var ports []int
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close() // nothing was accepted on it
		}
	}()
	for tries := 0; len(ports) < n; tries++ {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			if tries > portTries {
				return nil, fmt.Errorf("looking for a free port between %d and %d: %w", lowestPort, highestPort, err)
			}
			continue
		}
		held = append(held, l)
		ports = append(ports, port)
	}
	return ports, nil
}
