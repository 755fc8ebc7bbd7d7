package wire_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/embedded"
	"kplan/mirror/wire"
)

// While data has all the memory, questions are asked and answered, also on a
// connection that is opened now; data waits, and that can be seen.
func TestQuestionsDoNotWaitForMemory(t *testing.T) {
	t.Parallel()
	c, err := embedded.Start(embedded.Options{Topics: map[string]int32{"t": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: make([]byte, 100)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w := open(t, wire.Options{Bootstrap: c.Bootstrap(), Pool: wire.NewPool(4 << 10)})
	told, err := w.Metadata(t.Context(), []string{"t"})
	if err != nil {
		t.Fatal(err)
	}
	leader := told.Topics["t"].Leaders[0].Broker
	fetch := func(lane int) (*wire.Answer, error) {
		conn, err := w.Broker(t.Context(), leader, lane)
		if err != nil {
			return nil, err
		}
		return conn.Fetch(t.Context(), wire.Fetch{
			Positions: []wire.Position{{Partition: wire.Partition{Topic: "t"}, LeaderEpoch: -1, LastEpoch: -1, MaxBytes: 1 << 20}}, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second,
		})
	}
	all, err := fetch(0)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		answer, err := fetch(1) // a connection of its own
		if err == nil {
			answer.Release()
		}
		second <- err
	}()
	ctx := t.Context()
	for w.Short() == 0 {
		select {
		case <-ctx.Done():
			t.Fatal("nobody waits for memory")
		case err := <-second:
			t.Fatalf("data did not wait for memory: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	if _, unsettled, err := w.LogEnds(t.Context(), []wire.Partition{{Topic: "t"}}); err != nil || len(unsettled) != 0 {
		t.Errorf("a log end while data has the memory: %v, %v", unsettled, err)
	}
	all.Release()
	if err := <-second; err != nil {
		t.Error(err)
	}
	if w.Short() != 0 {
		t.Error("nobody waits, and memory is said to be short")
	}
}

// A connection that ends in the middle of an answer about the cluster is broken,
// and nothing else.
func TestAnAnswerThatEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 12) // size, key, version, correlation
			if _, err := io.ReadFull(c, request); err == nil {
				c.Write(append([]byte{0, 0, 1, 0}, append(request[8:12], 1, 2, 3)...))
			}
			c.Close()
		}
	}()
	w := open(t, wire.Options{Bootstrap: []string{listener.Addr().String()}})
	var broken *wire.BrokenError
	if _, err := w.Metadata(t.Context(), []string{"t"}); !errors.As(err, &broken) {
		t.Errorf("it says: %v", err)
	}
}
