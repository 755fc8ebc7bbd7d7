package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
)

const (
	probeDial    = 5 * time.Second
	probeAnswer  = 10 * time.Second
	probeAtOnce  = 16
	unadvertised = -1
)

// Probe asks a listener for its brokers and then speaks to each of them at the
// address that it advertises there, with the listener's TLS and credentials, as
// a client would. It needs no open Client, and one address that does not answer
// hides no other: what is wrong is in the contacts.
func Probe(ctx context.Context, ep endpoint.Endpoint, opts ...Option) cluster.Listening {
	w := newWaits(ep.Name(), func() time.Duration { return 0 }, opts)
	asking := w.begin("speaking to each of its brokers at the address that it advertises")
	defer w.end(asking)
	l := cluster.Listening{Cluster: ep.Cluster, Listener: ep.Listener, TLS: ep.TLS != nil, Client: ep.Client()}
	if ep.SASL != nil {
		l.Mechanism = ep.SASL.Mechanism
	}
	p := &prober{ep: ep, seen: map[string]contacted{}}
	p.ask(ctx, ep.Bootstrap)
	advertised := map[int32]string{}
	for _, address := range ep.Bootstrap {
		meta := p.seen[address].meta
		if meta == nil {
			continue
		}
		for _, b := range meta.Brokers {
			if _, known := advertised[b.ID()]; !known {
				advertised[b.ID()] = b.Addr()
			}
		}
		if l.ClusterID == "" && meta.ClusterID != nil {
			l.ClusterID = *meta.ClusterID
		}
	}
	p.ask(ctx, slices.Collect(maps.Values(advertised)))
	named := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(advertised)) {
		l.Contacts = append(l.Contacts, p.contact(id, advertised[id], l.ClusterID))
		named[advertised[id]] = true
	}
	for _, address := range ep.Bootstrap {
		if !named[address] {
			l.Contacts = append(l.Contacts, p.contact(unadvertised, address, l.ClusterID))
		}
	}
	return l
}

// prober remembers what each address of one listener showed.
type prober struct {
	ep endpoint.Endpoint

	mu   sync.Mutex
	seen map[string]contacted
}

// contacted is what came of one address: meta, or err.
type contacted struct {
	meta  *sarama.MetadataResponse
	certs []cluster.Certificate
	err   *endpoint.UnreachableError
}

// ask speaks to the addresses that have not been asked yet, some at once.
func (p *prober) ask(ctx context.Context, addresses []string) {
	var g errgroup.Group
	g.SetLimit(probeAtOnce)
	asked := map[string]bool{}
	for _, address := range addresses {
		p.mu.Lock()
		_, known := p.seen[address]
		p.mu.Unlock()
		if known || asked[address] {
			continue
		}
		asked[address] = true
		g.Go(func() error {
			c := p.speak(ctx, address)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.seen[address] = c
			return nil
		})
	}
	_ = g.Wait() // what failed is in seen
}

func (p *prober) speak(ctx context.Context, address string) contacted {
	if ctx.Err() != nil {
		return contacted{err: &endpoint.UnreachableError{
			Endpoint: p.ep.Name(), Address: address, Stage: cluster.StageReach, Err: context.Cause(ctx),
			Why: fmt.Sprintf("it was not asked (%v)", context.Cause(ctx)), Do: "Ask again.",
		}}
	}
	c := contacted{certs: p.ep.Presented(ctx, address)}
	var err error
	if c.meta, err = p.introduce(address); hungUp(err) {
		c.meta, err = p.introduce(address) // as at Open
	}
	if err == nil {
		return c
	}
	c.meta = nil
	if c.err = loginRefused(p.ep, address, err); c.err != nil {
		if p.ep.Tokens == nil {
			c.err.Do = "Check username, password and mechanism in its sasl block, and that every broker has the same users."
		}
		return c
	}
	c.err = p.ep.Explain(ctx, address, err)
	return c
}

// introduce connects, logs in and asks who the brokers are.
func (p *prober) introduce(address string) (meta *sarama.MetadataResponse, err error) {
	conf := newConfig(p.ep)
	conf.Net.DialTimeout, conf.Net.ReadTimeout, conf.Net.WriteTimeout = probeDial, probeAnswer, probeAnswer
	b := sarama.NewBroker(address)
	if err := b.Open(conf); err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	defer func() { _ = b.Close() }() // one that failed to open has nothing to close
	if _, err := b.Connected(); err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	req := sarama.NewMetadataRequest(conf.Version, []string{})
	req.Topics, req.AllowAutoTopicCreation = []string{}, false
	if meta, err = b.GetMetadata(req); err != nil {
		return nil, fmt.Errorf("asking %s for the brokers: %w", address, err)
	}
	return meta, nil
}

// contact says what an address showed; id is the cluster that the listener's
// first answer named.
func (p *prober) contact(broker int32, address, id string) cluster.Contact {
	seen := p.seen[address]
	c := cluster.Contact{Broker: broker, Address: address, Certificates: seen.certs}
	switch {
	case seen.err != nil:
		c.Failed, c.Why, c.Do = seen.err.Stage, seen.err.Why, seen.err.Do
	case seen.meta.ClusterID != nil && *seen.meta.ClusterID != id:
		c.Failed = cluster.StageReach
		c.Why = fmt.Sprintf("the broker there belongs to another cluster (id %s instead of %s)", *seen.meta.ClusterID, id)
		c.Do = "Check bootstrap and the brokers' advertised.listeners: they lead to two clusters."
	}
	return c
}
