//go:build bench

package mirrorbench

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// proxyBuffer is what one read of the proxy takes at most.
const proxyBuffer = 256 << 10

// proxy moves the bytes of each connection on to an address with plain reads
// and writes: the least that a program between two sockets can do.
func proxy(to string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	for {
		from, err := listener.Accept()
		if err != nil {
			return err
		}
		sink, err := net.Dial("tcp", to)
		if err != nil {
			return err
		}
		go func() {
			defer from.Close()
			defer sink.Close()
			buffer := make([]byte, proxyBuffer)
			for {
				n, err := from.Read(buffer)
				if n == 0 && err != nil {
					return
				}
				if _, err := sink.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// leastProxied is how much goes through the proxy, so that its CPU time is
// large enough to be measured; it is scaled to the case.
const leastProxied = 2_000_000_000

// measureProxy lets as many bytes through a proxy as the case has on the wire.
func measureProxy(t *testing.T, c *loaded) outcome {
	t.Helper()
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	cmd := spawn(t, task{Proxy: sink.Addr().String()})
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer begin(t, cmd).end()
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	in, err := net.Dial("tcp", strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := sink.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	passes := max(1, int64(leastProxied)/c.wire)
	total := passes * c.wire
	before, began := cpu(t, cmd.Process.Pid), time.Now()
	sent := make(chan error, 1)
	go func() { sent <- send(in, total) }()
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{io.LimitReader(out, total)}, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	wall, used := time.Since(began), cpu(t, cmd.Process.Pid)-before
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return outcome{
		bytes: float64(c.bytes * passes), records: float64(c.records * passes), wall: wall, cpu: used, peak: peak(t, cmd.Process.Pid),
	}
}

func send(to io.Writer, total int64) error {
	buffer := make([]byte, 1<<20)
	if _, err := rand.Read(buffer); err != nil {
		return err
	}
	for total > 0 {
		n, err := to.Write(buffer[:min(total, int64(len(buffer)))])
		if err != nil {
			return err
		}
		total -= int64(n)
	}
	return nil
}

// distance is a proxy that keeps all that passes back for a while, each way,
// and never makes the sender wait for it: a long line with large windows.
func distance(t *testing.T, at, to string, each time.Duration) {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			go late(far, near, each)
			go late(near, far, each)
		}
	}()
}

type piece struct {
	bytes []byte
	due   time.Time
}

func late(to, from net.Conn, each time.Duration) {
	line := make(chan piece, 1<<16)
	go func() {
		defer to.Close()
		for p := range line {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.bytes); err != nil {
				from.Close()
			}
		}
	}()
	defer close(line)
	buffer := make([]byte, proxyBuffer)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			line <- piece{append([]byte(nil), buffer[:n]...), time.Now().Add(each)}
		}
		if err != nil {
			return
		}
	}
}
