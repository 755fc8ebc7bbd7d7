package kafkatest

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// client opens a client for one listener; SASL listeners take a mechanism of the
// first user.
func (c *Cluster) client(l Listener, mechanism string, addresses ...string) (*kgo.Client, error) {
	if len(addresses) == 0 {
		addresses = c.Bootstrap(l)
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(addresses...), kgo.RequestRetries(0), kgo.DialTimeout(3 * time.Second),
		kgo.RetryTimeout(3 * time.Second), kgo.RequestTimeoutOverhead(3 * time.Second),
	}
	if l.tls() {
		pair, err := c.identity.TLS()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{RootCAs: c.authority.Pool(), Certificates: []tls.Certificate{pair}}))
	}
	if l.sasl() {
		u := c.options.Users[0]
		switch mechanism {
		case "PLAIN":
			opts = append(opts, kgo.SASL(plain.Auth{User: u.Name, Pass: u.Password}.AsMechanism()))
		case "SCRAM-SHA-256":
			opts = append(opts, kgo.SASL(scram.Auth{User: u.Name, Pass: u.Password}.AsSha256Mechanism()))
		default:
			opts = append(opts, kgo.SASL(scram.Auth{User: u.Name, Pass: u.Password}.AsSha512Mechanism()))
		}
	}
	return kgo.NewClient(opts...)
}

// awaitReady waits until the cluster is complete: every broker in the metadata
// that every listener of every broker tells, a group coordinator, the version
// and id that were asked for, and every SASL mechanism.
func (c *Cluster) awaitReady(ctx context.Context) error {
	if err := c.until(ctx, func() error { return c.complete(ctx, Plaintext, "") }); err != nil {
		return err
	}
	if err := c.identify(ctx); err != nil {
		return err
	}
	sasl := slices.ContainsFunc(c.options.Listeners, Listener.sasl)
	if sasl && !c.options.Version.kraft() {
		if err := c.until(ctx, func() error { return c.createUsers(ctx) }); err != nil {
			return err
		}
	}
	for _, l := range c.options.Listeners[1:] {
		mechanisms := []string{""}
		if l.sasl() {
			mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
		}
		for _, m := range mechanisms {
			if err := c.until(ctx, func() error { return c.complete(ctx, l, m) }); err != nil {
				return fmt.Errorf("listener %s %s: %w", l, m, err)
			}
		}
	}
	return c.until(ctx, func() error { return c.coordinator(ctx) })
}

// until tries again until it works, a node died or the time is up.
func (c *Cluster) until(ctx context.Context, try func() error) error {
	return c.unless(ctx, c.diagnose, try)
}

// unless tries again until it works, something is found dead or the time is up.
func (c *Cluster) unless(ctx context.Context, died, try func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		if dead := died(); dead != nil {
			return dead
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for readiness: %w; the last answer: %w\n%s", ctx.Err(), err, c.Logs())
		case <-tick.C:
		}
	}
}

// complete asks each broker of a listener for the whole cluster.
func (c *Cluster) complete(ctx context.Context, l Listener, mechanism string) error {
	for i, address := range c.Bootstrap(l) {
		if !c.nodes[i].proc.running() {
			continue // killed by the test; the others answer for the rest
		}
		client, err := c.client(l, mechanism, address)
		if err != nil {
			return err
		}
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{}
		resp, err := req.RequestWith(ctx, client)
		client.Close()
		if err != nil {
			return err
		}
		if len(resp.Brokers) != c.running() || resp.ControllerID < 0 {
			return fmt.Errorf("broker at %s sees %d of %d brokers, controller %d", address, len(resp.Brokers), c.running(), resp.ControllerID)
		}
		if resp.ClusterID == nil {
			return errors.New("the broker tells no cluster id yet")
		}
		switch {
		case c.id == "":
			c.id = *resp.ClusterID
		case c.id != *resp.ClusterID:
			return fmt.Errorf("the broker at %s has cluster id %q, want %q", address, *resp.ClusterID, c.id)
		}
	}
	return nil
}

func (c *Cluster) running() int {
	n := 0
	for _, b := range c.nodes {
		if b.proc != nil && b.proc.running() {
			n++
		}
	}
	return n
}

// identify holds every broker to the version that was asked for.
func (c *Cluster) identify(ctx context.Context) error {
	want, err := c.options.Version.family()
	if err != nil {
		return err
	}
	for _, n := range c.nodes {
		client, err := c.client(Plaintext, "", fmt.Sprintf("127.0.0.1:%d", n.ports[Plaintext]))
		if err != nil {
			return err
		}
		got, evidence, err := askVersion(ctx, client)
		client.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		if got != want {
			return fmt.Errorf("%s was started as Apache Kafka %s but is %s (%s)", n.name, c.options.Version, got, evidence)
		}
		c.version = evidence
	}
	return nil
}

// createUsers writes the SCRAM users by the protocol (KIP-554, since 2.7).
func (c *Cluster) createUsers(ctx context.Context) error {
	client, err := c.client(Plaintext, "")
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	const iterations = 4096
	for _, u := range c.options.Users {
		salt := make([]byte, 16)
		if _, err := rand.Read(salt); err != nil {
			return fmt.Errorf("drawing a salt: %w", err)
		}
		short, err := pbkdf2.Key(sha256.New, u.Password, salt, iterations, sha256.Size)
		if err != nil {
			return fmt.Errorf("salting a password: %w", err)
		}
		long, err := pbkdf2.Key(sha512.New, u.Password, salt, iterations, sha512.Size)
		if err != nil {
			return fmt.Errorf("salting a password: %w", err)
		}
		for mechanism, salted := range map[int8][]byte{1: short, 2: long} {
			up := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
			up.Name, up.Mechanism, up.Iterations, up.Salt, up.SaltedPassword = u.Name, mechanism, iterations, salt, salted
			req.Upsertions = append(req.Upsertions, up)
		}
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("creating SCRAM users: %w", err)
	}
	for _, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return fmt.Errorf("creating SCRAM user %q: %w", r.User, err)
		}
	}
	return nil
}

// coordinator makes the cluster create __consumer_offsets, so that the first
// group of a test does not wait for it.
func (c *Cluster) coordinator(ctx context.Context) error {
	client, err := c.client(Plaintext, "")
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorKeys = "kafkatest", []string{"kafkatest"}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("looking for a group coordinator: %w", err)
	}
	code := resp.ErrorCode
	for _, r := range resp.Coordinators {
		code = r.ErrorCode
	}
	if err := kerr.ErrorForCode(code); err != nil {
		return fmt.Errorf("looking for a group coordinator: %w", err)
	}
	return nil
}
