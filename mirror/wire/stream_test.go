package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"
)

// line is a TCP connection within this process.
func line(t *testing.T) (near, far net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	near, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	return near, far
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// streams are a stream on a plain connection and one that has no socket, as
// over TLS.
func streams(t *testing.T, try func(t *testing.T, s *stream, far net.Conn)) {
	for name, make := range map[string]func(net.Conn) *stream{
		"socket": newStream,
		"other":  func(c net.Conn) *stream { return &stream{Conn: c} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far := line(t)
			try(t, make(near), far)
		})
	}
}

// What is written in pieces of any size is read in pieces of any other.
func TestStreamReads(t *testing.T) {
	t.Parallel()
	streams(t, func(t *testing.T, s *stream, far net.Conn) {
		all := noise(9 << 20)
		go func() {
			defer far.Close()
			for rest := all; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(200_000))
				if _, err := far.Write(rest[:n]); err != nil {
					return // the reader says what it lacks
				}
				rest = rest[n:]
			}
		}()
		for at := 0; at < len(all); {
			size := 1 + rand.IntN([]int{8, ahead, 2 * ahead, 3 << 20}[rand.IntN(4)])
			got := make([]byte, min(size, len(all)-at))
			if err := s.fill(got); err != nil {
				t.Fatalf("%d bytes at %d: %v", len(got), at, err)
			}
			if !bytes.Equal(got, all[at:at+len(got)]) {
				t.Fatalf("%d bytes at %d are not those that were written", len(got), at)
			}
			at += len(got)
		}
		if err := s.fill(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("behind the end: %v", err)
		}
	})
}

func TestStreamEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	streams(t, func(t *testing.T, s *stream, far net.Conn) {
		if _, err := far.Write(noise(10)); err != nil {
			t.Fatal(err)
		}
		far.Close()
		if err := s.fill(make([]byte, 100_000)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	})
}

// A silent broker is found out by the deadline, also in the middle.
func TestStreamDeadline(t *testing.T) {
	t.Parallel()
	streams(t, func(t *testing.T, s *stream, far net.Conn) {
		if _, err := far.Write(noise(10)); err != nil {
			t.Fatal(err)
		}
		if err := s.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := s.fill(make([]byte, 100_000)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// More pieces than one writev takes, more bytes than fit the socket, empty ones
// among them.
func TestStreamWrites(t *testing.T) {
	t.Parallel()
	streams(t, func(t *testing.T, s *stream, far net.Conn) {
		var all []byte
		var pieces net.Buffers
		for i := range 3000 {
			piece := noise(rand.IntN(4000))
			if i%100 == 0 {
				piece = noise(300_000)
			}
			if i%7 == 0 {
				piece = nil
			}
			pieces, all = append(pieces, piece), append(all, piece...)
		}
		failed := make(chan error, 1)
		go func() {
			failed <- s.write(pieces, nil)
			s.Close()
		}()
		got, err := io.ReadAll(far)
		if err := errors.Join(err, <-failed); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, all) {
			t.Errorf("%d bytes arrived that are not the %d that were written", len(got), len(all))
		}
	})
}

func TestStreamWritesToNobody(t *testing.T) {
	t.Parallel()
	streams(t, func(t *testing.T, s *stream, far net.Conn) {
		far.Close()
		for range 100 {
			if err := s.write(net.Buffers{noise(1 << 20)}, nil); err != nil {
				return
			}
		}
		t.Error("nobody reads, and a hundred megabytes are written")
	})
}

// Somebody who does not read keeps the memory of what is written no longer than
// a moment, and gets it all the same when he reads at last.
func TestStreamLetsGoOfMemory(t *testing.T) {
	t.Parallel()
	streams(t, func(t *testing.T, s *stream, far net.Conn) {
		want := noise(32 << 20) // more than the sockets hold
		piece := bytes.Clone(want)
		let, failed := make(chan struct{}), make(chan error, 1)
		go func() {
			failed <- s.write(net.Buffers{piece[:1000], piece[1000:]}, func() { close(let) })
			s.Close()
		}()
		select {
		case <-let:
		case <-time.After(time.Minute):
			t.Fatal("a minute later the memory is still needed")
		}
		select {
		case err := <-failed:
			t.Fatalf("written before anybody has read: %v", err)
		default:
		}
		clear(piece) // somebody else has it now
		got, err := io.ReadAll(far)
		if err := errors.Join(err, <-failed); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived that are not the %d that were written", len(got), len(want))
		}
	})
}
