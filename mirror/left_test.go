package mirror_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// cable is connections that can be cut all at once.
type cable struct {
	mu   sync.Mutex // guards what follows
	open []net.Conn
}

func (l *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		l.mu.Lock()
		l.open = append(l.open, c)
		l.mu.Unlock()
	}
	return c, err
}

func (l *cable) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		_ = c.Close() // once more than once is fine
	}
}

// A request that is lost while a partition is handed over may still arrive: the
// partition is not left in order, though nothing was wrong when that began. Where
// the target may not recognise it, whoever relies on the end has to wait.
func TestLostWhileLeaving(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose    bool
		maxAge  time.Duration
		ahead   bool
		settled int
		waits   bool
	}{
		"in order":        {settled: 1},
		"lost":            {lose: true},
		"lost, and old":   {lose: true, maxAge: time.Nanosecond, waits: true},
		"lost, compacted": {lose: true, ahead: true, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaked(t, 1)
			f.write(t, 20)
			var l cable
			target := wire.New(wire.Options{Bootstrap: f.target.Bootstrap(), Pool: wire.NewPool(16 << 20), Dial: l.dial})
			t.Cleanup(target.Close)
			copier, _ := f.run(t, func(conf *mirror.Config) {
				conf.Target, conf.MaxAge, conf.Wait = target, c.maxAge, time.Hour
				conf.Partitions = map[wire.Partition]mirror.Assignment{f.partitions[0]: {Ahead: c.ahead}}
			})
			f.drained(t, copier, f.partitions...)
			if c.lose {
				arrived := make(chan struct{}, 16)
				f.target.Fake().ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
					f.target.Fake().KeepControl()
					arrived <- struct{}{}
					return nil, nil, true // no answer
				})
				f.write(t, 1)
				<-arrived
			}
			left := make(chan mirror.Left, 1)
			go func() {
				l, err := copier.Remove(t.Context(), f.partitions)
				if err != nil {
					t.Error(err)
				}
				left <- l
			}()
			if c.lose {
				select {
				case l := <-left:
					t.Fatalf("it did not wait for what is under way: %+v", l)
				case <-time.After(50 * time.Millisecond): // it waits by now, or will see the same
				}
				l.cut()
			}
			got := <-left
			if len(got.Settled) != c.settled || got.Until.After(time.Now()) != c.waits {
				t.Errorf("left in order: %v; until %v, want a wait: %v", got.Settled, got.Until, c.waits)
			}
		})
	}
}

// stuck is a store that does not come back once it is told to.
type stuck struct {
	mirror.Store
	on   atomic.Bool
	free chan struct{}
}

func (s *stuck) Keep(maps map[wire.Partition]mirror.Kept) error {
	if s.on.Load() {
		<-s.free
	}
	return s.Store.Keep(maps)
}

// The group waits a minute for partitions that it wants back, and goes on without
// asking then: a store that cannot be reached does not make that longer.
func TestRemoveDoesNotWaitForTheStore(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	store := &stuck{Store: f.store, free: make(chan struct{})}
	c, _ := f.run(t, func(conf *mirror.Config) { conf.Store = store })
	f.drained(t, c, f.partitions...)
	store.on.Store(true)
	defer close(store.free)
	f.write(t, 20)
	f.drained(t, c, f.partitions...)
	why := errors.New("the group wants it back")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
	defer cancel()
	if left, err := c.Remove(ctx, f.partitions); !errors.Is(err, why) {
		t.Errorf("it says %v, and leaves %+v", err, left)
	}
	if got := c.Status(); len(got) != 0 {
		t.Errorf("it is still there: %+v", got)
	}
}
