//go:build !linux

package wire

import "net"

// socket is for Linux alone.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) atLeast([]byte, int) (int, error) { return 0, net.ErrClosed }

func (*socket) write(net.Buffers) (net.Buffers, error) { return nil, net.ErrClosed }
