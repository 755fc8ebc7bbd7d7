package kafkatest

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// sink collects what its first connection brings until that ends.
func sink(t *testing.T) (address string, brought <-chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	out := make(chan []byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		all, _ := io.ReadAll(c) // a cut connection ends it too
		out <- all
	}()
	return l.Addr().String(), out
}

func dial(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// What a client has sent arrives after it is gone, also when it went without a
// word, as a killed process does.
func TestProxyDeliversWhatTheDeadHaveSent(t *testing.T) {
	t.Parallel()
	address, brought := sink(t)
	p := NewProxy(t, address, Faults{Stall: 300 * time.Millisecond, Always: true})
	c := dial(t, p)
	want := bytes.Repeat([]byte("request "), 20_000)
	if _, err := c.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-brought; !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d arrived", len(got), len(want))
	}
	if late, by := p.Late(); late == 0 || by == 0 {
		t.Error("nothing arrived after the client was gone: the proxy does not hold back")
	}
}

func TestProxyCutsAndRefuses(t *testing.T) {
	t.Parallel()
	address, brought := sink(t)
	p := NewProxy(t, address, Faults{Delay: time.Hour})
	c := dial(t, p)
	if _, err := c.Write([]byte("never arrives")); err != nil {
		t.Fatal(err)
	}
	for p.Cut() == 0 {
		time.Sleep(time.Millisecond) // until it has been accepted
	}
	if got := <-brought; len(got) != 0 {
		t.Errorf("%q arrived through a cut connection", got)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a cut connection still gives something to read")
	}
	p.Shut(true)
	if _, err := dial(t, p).Read(make([]byte, 1)); err == nil {
		t.Error("a shut proxy lets a client in")
	}
}
