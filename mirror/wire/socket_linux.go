package wire

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// socket is a TCP connection whose reads and writes do not tell Go's scheduler
// that they might block: the socket never does. Otherwise a step that copies a
// megabyte looks like one that hangs, and the scheduler gives its processor to
// another thread each time (with waiting for all that is wanted: a quarter of the mirror's CPU time).
type socket struct {
	raw   syscall.RawConn
	least int // bytes that have to be there before a wait ends (SO_RCVLOWAT)
}

func newSocket(conn net.Conn) *socket {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil // it is closed: whatever is done next says so
	}
	return &socket{raw: raw, least: 1}
}

// atLeast reads what is there, at least so many bytes.
func (s *socket) atLeast(b []byte, least int) (n int, err error) {
	var failed error
	err = s.raw.Read(func(fd uintptr) bool {
		for n < least {
			got, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&b[n])), uintptr(len(b)-n))
			switch {
			case errno == syscall.EAGAIN:
				failed = s.waitFor(fd, least-n)
				return failed != nil
			case errno == syscall.EINTR:
			case errno != 0:
				failed = os.NewSyscallError("read", errno)
				return true
			case got == 0:
				failed = io.ErrUnexpectedEOF
				if n == 0 {
					failed = io.EOF
				}
				return true
			default:
				n += int(got)
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return n, err
}

// waitFor lets the next wait end when so much is there, or the receive buffer
// is full: waking for every piece of a large answer costs more than copying it.
func (s *socket) waitFor(fd uintptr, least int) error {
	if s.least == least {
		return nil
	}
	s.least = least
	return os.NewSyscallError("setsockopt", syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, least))
}

// mostBuffers is how many pieces one writev takes (IOV_MAX).
const mostBuffers = 1024

// write writes all of the buffers. With an error it returns what is left of
// them.
func (s *socket) write(buffers net.Buffers) (net.Buffers, error) {
	var pieces []syscall.Iovec
	for _, b := range buffers {
		if len(b) > 0 {
			piece := syscall.Iovec{Base: &b[0]}
			piece.SetLen(len(b))
			pieces = append(pieces, piece)
		}
	}
	var failed error
	err := s.raw.Write(func(fd uintptr) bool {
		for len(pieces) > 0 {
			n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&pieces[0])), uintptr(min(len(pieces), mostBuffers)))
			switch {
			case errno == syscall.EAGAIN:
				return false
			case errno == syscall.EINTR:
			case errno != 0:
				failed = os.NewSyscallError("writev", errno)
				return true
			default:
				pieces = behindBytes(pieces, uint64(n))
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	var rest net.Buffers
	for _, p := range pieces {
		rest = append(rest, unsafe.Slice(p.Base, p.Len))
	}
	return rest, err
}

// behindBytes is what is left after n bytes.
func behindBytes(pieces []syscall.Iovec, n uint64) []syscall.Iovec {
	for len(pieces) > 0 && pieces[0].Len <= n {
		n -= pieces[0].Len
		pieces = pieces[1:]
	}
	if n > 0 {
		pieces[0].Base = (*byte)(unsafe.Add(unsafe.Pointer(pieces[0].Base), n))
		pieces[0].Len -= n
	}
	return pieces
}
