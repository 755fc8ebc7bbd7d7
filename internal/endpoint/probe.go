package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// question is Kafka's ApiVersions request, version 0, without a client id: what
// a broker answers to anybody, before any login (KIP-35). Size, key 18, version,
// correlation id, null string.
func question() []byte {
	return []byte("\x00\x00\x00\x0a\x00\x12\x00\x00" + correlation + "\xff\xff")
}

const correlation = "kpln"

var errNoAnswer = errors.New("no answer as from a Kafka broker")

// probe reports whether a Kafka broker answers at the address in plaintext.
func probe(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	return ask(ctx, conn)
}

// ask puts the question and looks whether what comes back belongs to it.
func ask(ctx context.Context, conn net.Conn) error {
	if limit, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(limit); err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		defer conn.SetDeadline(time.Time{}) // of a connection that is closed next
	}
	if _, err := conn.Write(question()); err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	var answer [8]byte // size, correlation id
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if string(answer[4:]) != correlation {
		return errNoAnswer
	}
	return nil
}

// refused reports whether the other end has refused the client's certificate
// or its lack. Go names the alert of the peer in the text only.
func refused(err error) bool {
	if err == nil || !strings.Contains(err.Error(), "remote error: tls:") {
		return false
	}
	for _, alert := range []string{"certificate required", "bad certificate", "unknown certificate"} {
		if strings.Contains(err.Error(), alert) {
			return true
		}
	}
	return false
}
