package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
)

// Options say how to reach a cluster.
type Options struct {
	Bootstrap []string
	TLS       *tls.Config    // nil: plaintext
	SASL      sasl.Mechanism // nil: none
	Pool      *Pool          // for all answers; a pool of its own for each cluster
	Patience  time.Duration  // how long a broker may be silent while a request is under way; 0: 60 s

	// Dial opens the TCP connection to a broker's address, for those who have to
	// take a detour; nil: straight.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

const defaultPatience = 60 * time.Second

// lane is one of the connections to a broker.
type lane struct {
	broker int32
	number int
}

// Client keeps the connections to the brokers of one cluster. It is safe for
// concurrent use.
type Client struct {
	bootstrap []string
	tls       *tls.Config
	mechanism sasl.Mechanism
	pool      *Pool
	patience  time.Duration
	connect   func(ctx context.Context, network, address string) (net.Conn, error)
	format    *kmsg.RequestFormatter

	mu        sync.Mutex
	addresses map[int32]string // as Metadata told last
	conns     map[lane]*slot
	closed    bool
}

// slot makes sure that one connection is opened at a time.
type slot struct {
	mu   sync.Mutex
	conn *Conn
}

// New returns a client. It connects when it is asked something.
func New(o Options) *Client {
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Client{
		bootstrap: o.Bootstrap, tls: o.TLS, mechanism: o.SASL, pool: o.Pool, patience: o.Patience, connect: o.Dial,
		format:    kmsg.NewRequestFormatter(kmsg.FormatterClientID("kplan-mirror")),
		addresses: map[int32]string{}, conns: map[lane]*slot{},
	}
}

// UnknownBrokerError says that Metadata did not name a broker.
type UnknownBrokerError struct{ Broker int32 }

func (e *UnknownBrokerError) Error() string {
	return fmt.Sprintf("broker %d is not in the cluster's metadata: it is down, or has left the cluster", e.Broker)
}

// Broker returns the connection to a broker on a lane, opening it where there
// is none.
func (c *Client) Broker(ctx context.Context, broker int32, number int) (*Conn, error) {
	c.mu.Lock()
	address, ok := c.addresses[broker]
	c.mu.Unlock()
	if !ok {
		return nil, &UnknownBrokerError{Broker: broker}
	}
	return c.at(ctx, lane{broker, number}, address)
}

func (c *Client) at(ctx context.Context, l lane, address string) (*Conn, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	s := c.conns[l]
	if s == nil {
		s = &slot{}
		c.conns[l] = s
	}
	c.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.Err() == nil && s.conn.Address == address {
		return s.conn, nil
	}
	if s.conn != nil {
		s.conn.Close() // the broker has another address now, or it is broken
		s.conn = nil
	}
	conn, err := c.open(ctx, l.broker, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		conn.Close()
		return nil, ErrClosed
	}
	s.conn = conn
	return conn, nil
}

// Short returns for how long data has had to wait for memory; 0: it has not.
func (c *Client) Short() time.Duration { return c.pool.Short() }

// live returns the connection of a lane if there is one, without waiting.
func (c *Client) live(l lane, address string) *Conn {
	c.mu.Lock()
	s := c.conns[l]
	c.mu.Unlock()
	if s == nil || !s.mu.TryLock() {
		return nil
	}
	defer s.mu.Unlock()
	if s.conn == nil || s.conn.Err() != nil || s.conn.Address != address {
		return nil
	}
	return s.conn
}

// Any returns a connection to some broker: one that is open, before one that
// would have to be opened; one that Metadata named, else one of bootstrap.
func (c *Client) Any(ctx context.Context) (*Conn, error) {
	c.mu.Lock()
	known := make(map[int32]string, len(c.addresses))
	for id, address := range c.addresses {
		known[id] = address
	}
	c.mu.Unlock()
	for id, address := range known {
		if conn := c.live(lane{id, control}, address); conn != nil {
			return conn, nil
		}
	}
	var errs []error
	at := func(l lane, address string) (*Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectLimit) // the next one may be there
		defer cancel()
		return c.at(ctx, l, address)
	}
	for id, address := range known {
		conn, err := at(lane{id, control}, address)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	for i, address := range c.bootstrap {
		conn, err := at(lane{int32(-1 - i), control}, address)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("no broker of the cluster can be asked: %w", errors.Join(errs...))
}

const (
	control      = -1               // the lane for questions that are not data
	connectLimit = 10 * time.Second // for one of several brokers to let us in
)

// Close ends all connections.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	slots := c.conns
	c.conns = map[lane]*slot{}
	c.mu.Unlock()
	for _, s := range slots {
		s.mu.Lock()
		if s.conn != nil {
			s.conn.Close()
		}
		s.mu.Unlock()
	}
}
