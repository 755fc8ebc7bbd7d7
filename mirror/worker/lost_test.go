package worker_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// losing is a stage whose target does not answer any more what is written, and
// the way to break its connections.
func losing(s *stage, change func(*worker.Config)) (w *worker.Worker, end func() error, lose func()) {
	s.t.Helper()
	s.write(10)
	var mu sync.Mutex
	var open []net.Conn
	target := wire.New(wire.Options{Bootstrap: s.target.Bootstrap(), Pool: wire.NewPool(16 << 20), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			open = append(open, c)
		}
		return c, err
	}})
	s.t.Cleanup(target.Close)
	w, end = s.begin(func(c *worker.Config) {
		c.Target = target
		if change != nil {
			change(c)
		}
	})
	s.copied(10 * partitions)
	s.target.Fake().ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.target.Fake().KeepControl()
		return nil, nil, true // it lies in some buffer, and may come late
	})
	s.write(1)
	s.until("requests of all partitions are under way", func() bool {
		n := 0
		for _, p := range w.Standing().Partitions {
			if p.Flying > 0 {
				n++
			}
		}
		return n == partitions && w.Standing().NoLease == nil
	})
	return w, end, func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close() // some are closed already
		}
	}
}

// What is lost while partitions are handed over is not noted as left in order,
// though nothing was wrong when that began: the next owner has to wait (R23).
func TestLostWhileHandingOver(t *testing.T) {
	t.Parallel()
	s := started(t)
	_, end, lose := losing(s, nil)
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	select {
	case err := <-ended:
		t.Fatal("it did not wait for what is under way", err)
	case <-time.After(time.Second): // it waits by now, or will see the same
	}
	lose()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	notes, err := s.shelf.All(t.Context(), "settled/")
	if err != nil || len(notes) != 0 {
		t.Errorf("%d partitions are noted as left with nothing under way, %v", len(notes), err)
	}
}

// A direction is not carried out while a request that was lost may arrive where
// the target would take it for new.
func TestLostWhileACopyEnds(t *testing.T) {
	t.Parallel()
	s := started(t)
	w, _, lose := losing(s, func(c *worker.Config) { c.MaxAge, c.Wait = time.Nanosecond, time.Hour })
	d := s.direct(mirror.Halted)
	lose()
	s.until("its partitions are left", func() bool { return len(w.Standing().Partitions) == 0 })
	entry := func() mirror.Entry {
		t.Helper()
		all, err := mirror.Entries(t.Context(), s.shelf)
		if err != nil {
			t.Fatal(err)
		}
		return all["w1"]
	}
	from := entry().Serial
	s.until("it had time to say so", func() bool { return entry().Serial >= from+3 })
	if got := entry().Epoch; got >= d.Epoch {
		t.Errorf("it says that the directions of epoch %d are carried out, with nothing under way", got)
	}
}
