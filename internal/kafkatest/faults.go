package kafkatest

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// broker returns the node of a broker, numbered from 1.
func (c *Cluster) broker(id int) (*node, error) {
	if id < 1 || id > len(c.nodes) {
		return nil, fmt.Errorf("broker %d: brokers are numbered 1 to %d", id, len(c.nodes))
	}
	n := c.nodes[id-1]
	if n.proc == nil {
		return nil, fmt.Errorf("broker %d is shared by the tests of the whole run: start a cluster of the test's own", id)
	}
	return n, nil
}

// Kill ends a broker with SIGKILL. Its data stays for Restart.
func (c *Cluster) Kill(id int) error {
	n, err := c.broker(id)
	if err != nil {
		return err
	}
	return n.proc.kill()
}

// Stop ends a broker cleanly: it hands its partitions over first.
func (c *Cluster) Stop(id int) error {
	n, err := c.broker(id)
	if err != nil {
		return err
	}
	return n.proc.stop(30 * time.Second)
}

// Restart starts a broker that was killed or stopped, with its data and at its
// addresses, and returns when all brokers that run see each other; resume paused
// ones first, for they see nobody.
func (c *Cluster) Restart(ctx context.Context, id int) error {
	n, err := c.broker(id)
	if err != nil {
		return err
	}
	if n.proc.running() {
		return fmt.Errorf("restarting broker %d: it runs; kill or stop it first", id)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := c.comeBack(ctx, n)
		if err == nil {
			return nil
		}
		// ZooKeeper keeps the place of a killed broker until its session has
		// ended, and the new one gives up when it finds that taken.
		if died := n.death(); died == nil || ctx.Err() != nil || !strings.Contains(died.Error(), "NodeExists") {
			return fmt.Errorf("restarting broker %d: %w", id, err)
		}
	}
}

// comeBack starts a node again and waits until all see each other.
func (c *Cluster) comeBack(ctx context.Context, n *node) error {
	if err := c.launch(n); err != nil {
		return err
	}
	for _, l := range c.options.Listeners {
		// Others may be down on purpose.
		if err := c.unless(ctx, n.death, func() error { return c.complete(ctx, l, "") }); err != nil {
			return err
		}
	}
	return nil
}

// Pause freezes a broker with SIGSTOP: its connections stay open and nothing
// answers.
func (c *Cluster) Pause(id int) error {
	n, err := c.broker(id)
	if err != nil {
		return err
	}
	return n.proc.signal(syscall.SIGSTOP)
}

// Resume lets a paused broker go on, as if no time had passed for it.
func (c *Cluster) Resume(id int) error {
	n, err := c.broker(id)
	if err != nil {
		return err
	}
	return n.proc.signal(syscall.SIGCONT)
}
