package mirror_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/mirror"
)

func TestDirect(t *testing.T) {
	s := newShelf()
	direct := func(ways map[string]mirror.Way, want mirror.Directions) {
		t.Helper()
		got, err := mirror.Direct(t.Context(), s, ways)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
		if read, err := mirror.ReadDirections(t.Context(), s); err != nil || cmp.Diff(got, read) != "" {
			t.Errorf("read back: %+v, %v", read, err)
		}
	}
	if way := (mirror.Directions{}).Of("a"); way != mirror.Pending {
		t.Errorf("nothing was asked for yet, and the way is %q", way)
	}
	want := mirror.Directions{Epoch: 1, Topics: map[string]mirror.Way{"a": mirror.Forward}}
	direct(map[string]mirror.Way{"a": mirror.Forward}, want)
	direct(map[string]mirror.Way{"a": mirror.Forward}, want)
	direct(map[string]mirror.Way{"a": mirror.Halted, "b": mirror.Forward}, mirror.Directions{Epoch: 2, Topics: map[string]mirror.Way{"a": mirror.Halted, "b": mirror.Forward}})
	direct(map[string]mirror.Way{"a": mirror.Halted}, mirror.Directions{Epoch: 2, Topics: map[string]mirror.Way{"a": mirror.Halted, "b": mirror.Forward}})
	direct(map[string]mirror.Way{"c": mirror.Halted}, mirror.Directions{Epoch: 3, Topics: map[string]mirror.Way{"a": mirror.Halted, "b": mirror.Forward, "c": mirror.Halted}})
	direct(map[string]mirror.Way{"a": mirror.Forward}, mirror.Directions{Epoch: 4, Topics: map[string]mirror.Way{"a": mirror.Forward, "b": mirror.Forward, "c": mirror.Halted}})
}

// Nobody passes the barrier while a worker that gives signs of life goes by
// older directions; one that is silent for long enough, or has left, is not
// waited for.
func TestBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		now := func() time.Duration { return time.Since(began) }
		s := newShelf()
		watch := mirror.NewWatch(now, nil)
		enter := func(id string, epoch, serial int64) {
			if err := mirror.Enter(t.Context(), s, mirror.Entry{ID: id, Epoch: epoch, Serial: serial, Silence: 10 * time.Second, Wait: 4 * time.Second}); err != nil {
				t.Error(err)
			}
		}
		var passed atomic.Bool
		pass := func(epoch int64) {
			passed.Store(false)
			go func() {
				if err := mirror.Barrier(t.Context(), s, epoch, watch, nil); err != nil {
					t.Error(err)
				}
				passed.Store(true)
			}()
		}
		waits := func(d time.Duration, want bool) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if passed.Load() != want {
				t.Errorf("after %s: passed %v", now(), !want)
			}
		}
		pass(1)
		waits(0, true) // nobody is there
		enter("slow", 0, 1)
		enter("quick", 1, 1)
		enter("dead", -1, 7)
		pass(1)
		for serial := range int64(4) {
			waits(9*time.Second, false)
			enter("slow", 0, serial+2)
		}
		enter("slow", 1, 9)
		waits(time.Second, true)

		enter("a", 1, 1)
		enter("b", 1, 1)
		pass(2)
		waits(5*time.Second, false)
		for _, id := range []string{"a", "slow", "quick", "dead"} {
			if err := mirror.Leave(t.Context(), s, id); err != nil {
				t.Error(err)
			}
		}
		waits(4*time.Second, false)
		waits(2*time.Second, true) // b is silent
		pass(3)
		waits(0, true) // and not waited for again

		enter("a", 1, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := mirror.Barrier(ctx, s, 2, watch, nil)
		var barrier *mirror.BarrierError
		if !errors.As(err, &barrier) || !errors.Is(err, context.DeadlineExceeded) || len(barrier.Workers) != 1 {
			t.Errorf("gave up with %v", err)
		}
	})
}
