package wire_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"kplan/internal/embedded"
	"kplan/mirror/wire"
)

// A broker that cannot be reached is not tried while another one is connected:
// every question would wait for it.
func TestAnyBrokerIsOneThatIsThere(t *testing.T) {
	t.Parallel()
	c, err := embedded.Start(embedded.Options{Brokers: 3, Topics: map[string]int32{"t": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var tried atomic.Int32
	there := c.Bootstrap()[0]
	w := open(t, wire.Options{Bootstrap: []string{there}, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != there {
			tried.Add(1)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}})
	told, err := w.Metadata(t.Context(), []string{"t"}) // by the address of bootstrap
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range told.Brokers { // the one that is there is connected as what it is
		ctx, cancel := context.WithCancel(t.Context())
		if c.Fake().ListenAddrs()[id] != there {
			cancel()
		}
		_, err := w.MetadataFrom(ctx, id, []string{"t"})
		cancel()
		if err != nil && c.Fake().ListenAddrs()[id] == there {
			t.Fatal(err)
		}
	}
	tried.Store(0)
	for range 30 {
		if _, err := w.Metadata(t.Context(), []string{"t"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := tried.Load(); n > 0 {
		t.Errorf("those that cannot be reached were tried %d times for 30 questions", n)
	}
}
