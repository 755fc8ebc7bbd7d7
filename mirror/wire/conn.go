package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// largestAnswer is the most that a broker may answer, in bytes: more is taken
// for a broken stream.
const largestAnswer = 1 << 30

// pending is a request that was sent. Exactly one of the two is called, on the
// connection's reading goroutine, in the order of the requests.
type pending struct {
	correlation int32
	pooled      bool          // the answer's memory is the pool's, which may have to be waited for
	answered    func(*Buffer) // the answer behind its correlation id; it has to be released
	failed      func(error)
}

// Conn is one connection to a broker, logged in. It is safe for concurrent use;
// requests are carried out in the order in which they were sent.
type Conn struct {
	Address string
	Broker  int32 // -1: an address of bootstrap

	conn     *stream
	pool     *Pool
	patience time.Duration // how long the broker may be silent while something is under way
	format   *kmsg.RequestFormatter
	versions map[int16]int16 // by request key: the highest that both speak; absent: none

	trip time.Duration // of the first request

	ctx  context.Context // ends with the connection
	stop context.CancelCauseFunc

	sending     sync.Mutex // held while a request is written
	correlation int32
	login       *login // nil: none

	mu      sync.Mutex
	waiting []pending
	idle    chan struct{} // closed when nothing waits; nil while nobody asks
	err     error         // why it ended
}

// Version returns the version that is spoken of a request, at most limit.
func (c *Conn) Version(req kmsg.Request, least, limit int16) (int16, error) {
	v, ok := c.versions[req.Key()]
	if v = min(v, limit); !ok || v < least {
		return 0, &UnsupportedError{Address: c.Address, Request: kmsg.NameForKey(req.Key()), Least: least}
	}
	return v, nil
}

// Request asks and waits for the answer. The answer does not share memory with
// anything. Errors inside of it are the caller's to look at.
func (c *Conn) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	v, err := c.Version(req, 0, req.MaxVersion())
	if err != nil {
		return nil, err
	}
	req.SetVersion(v)
	return c.roundTrip(ctx, req)
}

func (c *Conn) roundTrip(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return c.ask(ctx, func(o outgoing) error { return c.send(ctx, o) }, req)
}

// framer makes the bytes of a request.
type framer func(correlation int32) net.Buffers

// outgoing is a request that is to be sent.
type outgoing struct {
	pending
	frame framer
	sent  func() // the memory of the frame is the caller's again; nil: nobody wants to know
}

func (c *Conn) ask(ctx context.Context, send func(outgoing) error, req kmsg.Request) (kmsg.Response, error) {
	type result struct {
		resp kmsg.Response
		err  error
	}
	done := make(chan result, 1)
	err := send(outgoing{
		frame: func(correlation int32) net.Buffers {
			return net.Buffers{c.format.AppendRequest(nil, req, correlation)}
		},
		pending: pending{
			answered: func(b *Buffer) {
				resp, err := c.read(req, b.Bytes)
				done <- result{resp, err}
			},
			failed: func(err error) { done <- result{err: err} },
		},
	})
	if err != nil {
		return nil, err
	}
	select {
	case r := <-done:
		return r.resp, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// read makes an answer of its bytes.
func (c *Conn) read(req kmsg.Request, body []byte) (kmsg.Response, error) {
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	body, err := afterHeader(req, body)
	if err == nil {
		err = resp.ReadFrom(body)
	}
	if err != nil {
		return nil, &AnswerError{Address: c.Address, Request: kmsg.NameForKey(req.Key()), Cause: err}
	}
	return resp, nil
}

var errNoTags = errors.New("the header ends too early")

// afterHeader skips the tagged fields of a flexible answer's header (KIP-482).
// That of ApiVersions never has them.
func afterHeader(req kmsg.Request, body []byte) ([]byte, error) {
	if !req.IsFlexible() || req.Key() == int16(kmsg.ApiVersions) {
		return body, nil
	}
	tags, n := binary.Uvarint(body)
	if n <= 0 {
		return nil, errNoTags
	}
	body = body[n:]
	for ; tags > 0; tags-- {
		_, n := binary.Uvarint(body)
		if n <= 0 {
			return nil, errNoTags
		}
		size, m := binary.Uvarint(body[n:])
		if m <= 0 || size > uint64(len(body)-n-m) {
			return nil, errNoTags
		}
		body = body[n+m+int(size):]
	}
	return body, nil
}

// send writes one request. When it returns no error, one of the two functions
// will be called.
func (c *Conn) send(ctx context.Context, o outgoing) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.login.due(time.Now()) {
		if err := c.loginAgain(ctx); err != nil {
			return err
		}
	}
	return c.write(o)
}

func (c *Conn) write(o outgoing) error {
	c.correlation++
	o.correlation = c.correlation
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	if c.waiting = append(c.waiting, o.pending); len(c.waiting) == 1 {
		c.await(true)
	}
	c.mu.Unlock()
	if err := c.conn.write(o.frame(c.correlation), o.sent); err != nil {
		c.end(&BrokenError{Address: c.Address, Cause: fmt.Errorf("sending: %w", err)})
	}
	return nil // a failure is told through failed, like every later one
}

// readAll hands the answers out until the connection ends.
func (c *Conn) readAll() {
	for {
		if err := c.readOne(); err != nil {
			c.end(&BrokenError{Address: c.Address, Cause: err})
			return
		}
	}
}

func (c *Conn) readOne() error {
	var head [8]byte
	if err := c.conn.fill(head[:]); err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	size := int32(binary.BigEndian.Uint32(head[:4]))
	correlation := int32(binary.BigEndian.Uint32(head[4:]))
	if size < 4 || size > largestAnswer {
		return fmt.Errorf("an answer of %d bytes", size)
	}
	b, err := c.room(correlation, int(size)-4)
	if err != nil {
		return err
	}
	if err := c.conn.fill(b.Bytes); err != nil {
		b.Release()
		return fmt.Errorf("reading: %w", err)
	}
	p, ok := c.next(correlation)
	if !ok {
		b.Release()
		return fmt.Errorf("answer %d is to nothing that was asked next", correlation)
	}
	p.answered(b)
	return nil
}

// room is memory for an answer. Only data has to wait for it: what is asked about
// the cluster is the way out of what holds the memory.
func (c *Conn) room(correlation int32, size int) (*Buffer, error) {
	c.mu.Lock()
	pooled := len(c.waiting) > 0 && c.waiting[0].correlation == correlation && c.waiting[0].pooled
	c.mu.Unlock()
	if !pooled {
		return &Buffer{Bytes: make([]byte, size)}, nil
	}
	b, err := c.pool.Get(c.ctx, size)
	c.mu.Lock()
	c.await(true) // waiting for room was not the broker's silence
	c.mu.Unlock()
	return b, err
}

// next takes the request off that has waited longest.
func (c *Conn) next(correlation int32) (pending, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 || c.waiting[0].correlation != correlation {
		return pending{}, false
	}
	p := c.waiting[0]
	c.waiting = c.waiting[1:]
	c.await(len(c.waiting) > 0)
	if len(c.waiting) == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	return p, true
}

// await sets until when the broker has to say something. c.mu is held.
func (c *Conn) await(something bool) {
	var limit time.Time
	if something {
		limit = time.Now().Add(c.patience)
	}
	_ = c.conn.SetReadDeadline(limit) // fails on a closed connection only, which the read tells
}

// end closes the connection and tells everybody who waits, once.
func (c *Conn) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	waiting := c.waiting
	c.waiting = nil
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	c.mu.Unlock()
	c.stop(err)
	_ = c.conn.Close() // it is broken, or nobody wants it any more
	for _, p := range waiting {
		p.failed(err)
	}
}

// RoundTrip is how long the broker took to answer the first request: the way
// there and back, and little else.
func (c *Conn) RoundTrip() time.Duration { return c.trip }

// Close ends the connection. What is under way fails with ErrClosed.
func (c *Conn) Close() { c.end(ErrClosed) }

// Err says why the connection ended; nil while it lasts.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
