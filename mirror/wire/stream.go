package wire

import (
	"io"
	"net"
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

// write writes all of the buffers.
func (s *stream) write(b net.Buffers) error {
	if s.socket != nil {
		return s.socket.write(b)
	}
	_, err := b.WriteTo(s.Conn)
	return err
}
