package kafkatest

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Faults are what a Proxy does to the connections through it. The zero value is
// a proxy that only passes on.
type Faults struct {
	// Stall holds back what clients send by up to that long, anew for each piece
	// and in order, on half of the connections. What a client has sent arrives
	// also when the client is gone by then: so come requests of dead processes.
	// Small pieces are held back only behind larger ones, so that a client's
	// questions are quicker than its data: that is what makes a log end that was
	// asked for too early look true.
	Stall time.Duration
	// Always stalls all connections instead of half of them.
	Always bool
	// Rate is how much a broker may send on one connection, in bytes per second;
	// 0: as much as it can.
	Rate int
	// Delay is how much later everything arrives, both ways: distance.
	Delay time.Duration
}

// Proxy stands before one address. It is safe for concurrent use and ends with
// its test.
type Proxy struct {
	backend  string
	listener net.Listener
	group    sync.WaitGroup

	mu     sync.Mutex
	late   int64
	lateBy time.Duration
	faults Faults
	shut   bool // refuses
	ended  bool
	links  map[*link]struct{}
}

// link is one connection through a proxy.
type link struct {
	client, broker net.Conn
	once           sync.Once
	done           chan struct{}
}

func (l *link) cut() {
	l.once.Do(func() { close(l.done) })
	// RST, so that nothing that is under way in the kernel arrives.
	for _, c := range []net.Conn{l.client, l.broker} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it may be closed already
		}
		_ = c.Close()
	}
}

// NewProxy starts a proxy before an address, on a port of its own.
func NewProxy(t testing.TB, backend string, f Faults) *Proxy {
	t.Helper()
	return NewProxyAt(t, "127.0.0.1:0", backend, f)
}

// NewProxyAt starts a proxy on an address that a broker advertises as its own
// (NamedListener.Advertise): every client comes that way, whatever it speaks with.
func NewProxyAt(t testing.TB, address, backend string, f Faults) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("kafkatest: opening a proxy's port: %v", err)
	}
	p := &Proxy{backend: backend, listener: l, faults: f, links: map[*link]struct{}{}}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		if err := l.Close(); err != nil {
			t.Errorf("kafkatest: closing a proxy: %v", err)
		}
		p.Cut()
		p.group.Wait()
	})
	return p
}

// Address is where it listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Set changes the faults, for connections that are opened from now on.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// Shut refuses connections from now on, until it is called with false. Those
// that are open stay.
func (p *Proxy) Shut(shut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = shut
}

// Cut ends every connection, in both directions and without a word; what is
// under way is lost. It returns how many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		l.cut()
	}
	return n
}

// Open is how many connections there are; one lasts until all that its client
// has sent has arrived.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Late is how many bytes have gone to the broker after their client was gone,
// and how long after that the last of them were with it.
func (p *Proxy) Late() (bytes int64, by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late, p.lateBy
}

func (p *Proxy) delivered(n int, gone time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late += int64(n)
	p.lateBy = max(p.lateBy, time.Since(gone))
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.group.Go(func() { p.carry(client) })
	}
}

func (p *Proxy) carry(client net.Conn) {
	p.mu.Lock()
	f, shut := p.faults, p.shut
	p.mu.Unlock()
	if shut {
		_ = client.Close()
		return
	}
	broker, err := net.Dial("tcp", p.backend)
	if err != nil {
		_ = client.Close() // as a port that nobody listens on
		return
	}
	l := &link{client: client, broker: broker, done: make(chan struct{})}
	p.mu.Lock()
	p.links[l] = struct{}{}
	if p.ended {
		l.cut()
	}
	p.mu.Unlock()
	var gone atomic.Pointer[time.Time]
	var stall time.Duration
	if f.Always || rand.IntN(2) == 0 {
		stall = f.Stall
	}
	var both sync.WaitGroup
	both.Go(func() {
		queue := newBelated(f.Delay, stall)
		both.Go(func() {
			queue.fill(client)
			now := time.Now()
			gone.Store(&now)
		})
		queue.empty(l.done, broker, func(n int) {
			if since := gone.Load(); since != nil {
				p.delivered(n, *since)
			}
		})
		closeWrite(broker)
	})
	both.Go(func() {
		queue := newBelated(f.Delay, 0)
		both.Go(func() { queue.fill(slowly{broker, f.Rate}) })
		queue.empty(l.done, client, func(int) {})
		closeWrite(client)
	})
	both.Wait()
	l.cut()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// closeWrite tells the other side that nothing follows.
func closeWrite(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // it may be gone
	}
}

// slowly is a reader of so many bytes per second.
type slowly struct {
	io.Reader
	rate int
}

func (s slowly) Read(b []byte) (int, error) {
	if s.rate > 0 {
		b = b[:min(len(b), max(1, s.rate/20))]
	}
	n, err := s.Reader.Read(b)
	if s.rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(s.rate)) // the fault itself
	}
	return n, err
}

// belated holds what was read until it is due. It takes everything at once, so
// that a dead client's bytes are here and not in its socket.
type belated struct {
	delay, stall time.Duration
	pieces       chan piece
}

type piece struct {
	due   time.Time
	bytes []byte
}

// small is a piece of a question, in bytes.
const small = 512

// queued pieces: more than a client has under way; behind them it has to wait.
const mostPieces = 4096

func newBelated(delay, stall time.Duration) *belated {
	return &belated{delay: delay, stall: stall, pieces: make(chan piece, mostPieces)}
}

// fill reads until the end.
func (q *belated) fill(from io.Reader) {
	defer close(q.pieces)
	var last time.Time
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			due := time.Now().Add(q.delay)
			if q.stall > 0 && n > small {
				due = due.Add(rand.N(q.stall))
			}
			if due.Before(last) {
				due = last
			}
			last = due
			q.pieces <- piece{due, append([]byte(nil), buffer[:n]...)}
		}
		if err != nil {
			return
		}
	}
}

// empty writes what is due, and throws the rest away once that fails.
func (q *belated) empty(done <-chan struct{}, to io.Writer, wrote func(int)) {
	var failed error
	for one := range q.pieces {
		if failed != nil {
			continue
		}
		if wait := time.Until(one.due); wait > 0 {
			select {
			case <-done:
				failed = net.ErrClosed
				continue
			case <-time.After(wait):
			}
		}
		n, err := to.Write(one.bytes)
		wrote(n)
		failed = errors.Join(failed, err)
	}
}
