package embedded

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// listener is a broker's listener that may call its address by another name,
// and that can cut all its connections at once.
type listener struct {
	net.Listener // as accepted from: TCP, or TLS over it
	tcp          net.Listener
	advertised   net.Addr

	mu    sync.Mutex
	dead  bool
	conns map[*conn]struct{}
}

// address is host:port as text; kfake splits it to learn what to advertise.
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

func listen(network, addr, advertise string, server *tls.Config) (*listener, error) {
	tcp, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	l := &listener{tcp: tcp, advertised: tcp.Addr(), conns: map[*conn]struct{}{}}
	l.Listener = tcp
	if server != nil {
		l.Listener = tls.NewListener(tcp, server)
	}
	if advertise != "" {
		_, port, err := net.SplitHostPort(tcp.Addr().String())
		if err != nil {
			return nil, errors.Join(err, tcp.Close())
		}
		l.advertised = address(net.JoinHostPort(advertise, port))
	}
	return l, nil
}

// Addr is what the broker advertises.
func (l *listener) Addr() net.Addr { return l.advertised }

func (l *listener) listening() string { return l.tcp.Addr().String() }

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tracked := &conn{Conn: c, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	l.conns[tracked] = struct{}{}
	return tracked, nil
}

// kill closes the listener and every connection that it accepted.
func (l *listener) kill() error {
	l.mu.Lock()
	l.dead = true
	conns := l.conns
	l.conns = map[*conn]struct{}{}
	l.mu.Unlock()
	var errs []error
	if err := l.tcp.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	for c := range conns {
		// A peer that hung up first is what killing is for.
		_ = c.Conn.Close()
	}
	return errors.Join(errs...)
}

// conn forgets itself when it closes, so that a long-lived cluster does not
// collect connections, and behaves like Kafka where kfake just hangs up.
type conn struct {
	net.Conn
	of      *listener
	auth    handshake
	closing sync.Once
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if watched := c.auth.read(p[:n]); watched != nil {
		return 0, watched
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	// Noted first: as soon as the client has the answer it may send the next
	// request, and that one is not answered yet.
	c.auth.answered()
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.closing.Do(func() {
		if last := c.auth.farewell(); last != nil {
			// Best effort: a client that does not read must not hold the
			// broker up, and one that hung up needs no answer.
			_ = c.Conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = c.Conn.Write(last)
		}
	})
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
