package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// ahead is what a stream reads at once where little is wanted: an
// acknowledgement with its length, and the beginning of a larger answer.
const ahead = 4 << 10

// stream reads and writes a connection in as few and large steps as it can. One
// goroutine may read and one may write at a time.
type stream struct {
	net.Conn
	socket *socket // of a plain TCP connection; nil: another one, as TLS

	spare    [ahead]byte // read, and not wanted yet, is spare[from:to]
	from, to int

	copied []byte // what was written last, where there is no socket
}

func newStream(conn net.Conn) *stream {
	return &stream{Conn: conn, socket: newSocket(conn)}
}

// fill reads until b is full.
func (s *stream) fill(b []byte) error {
	n := copy(b, s.spare[s.from:s.to])
	s.from += n
	b = b[n:]
	switch {
	case len(b) == 0:
		return nil
	case len(b) >= ahead:
		_, err := s.atLeast(b, len(b))
		return err
	}
	got, err := s.atLeast(s.spare[:], len(b))
	s.from, s.to = copy(b, s.spare[:got]), got
	return err
}

// atLeast reads what is there, at least so many bytes.
func (s *stream) atLeast(b []byte, least int) (int, error) {
	if s.socket != nil {
		return s.socket.atLeast(b, least)
	}
	return io.ReadAtLeast(s.Conn, b, least)
}

// patienceOfBatches is how long what is written may wait in its own memory, which
// others wait for: then it is copied.
const patienceOfBatches = time.Second

// write writes all of the buffers. sent, unless it is nil, is called once when
// their memory is not needed any more, which may be long before they are written.
func (s *stream) write(b net.Buffers, sent func()) error {
	if sent == nil {
		sent = func() {}
	}
	sent = sync.OnceFunc(sent)
	defer sent()
	if s.socket == nil { // TLS takes no second try of a write that was given up, and copies anyway
		s.copied = s.copied[:0]
		for _, one := range b {
			s.copied = append(s.copied, one...)
		}
		sent()
		_, err := s.Conn.Write(s.copied)
		return err
	}
	if err := s.SetWriteDeadline(time.Now().Add(patienceOfBatches)); err != nil {
		return err
	}
	rest, err := s.socket.write(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	rest = net.Buffers{slices.Concat(rest...)}
	sent()
	if err := s.SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
	_, err = s.socket.write(rest)
	return err
}
