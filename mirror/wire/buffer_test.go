package wire_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"kplan/mirror/wire"
)

// Who asks for more than there is waits until enough has come back.
func TestPoolWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := wire.NewPool(64 << 10)
		a, err := p.Get(t.Context(), 40<<10) // takes 64 KiB
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan *wire.Buffer, 1)
		go func() {
			b, err := p.Get(t.Context(), 5<<10)
			if err != nil {
				t.Error(err)
			}
			got <- b
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("it did not wait")
		default:
		}
		a.Hold()
		a.Release()
		synctest.Wait()
		if len(got) > 0 {
			t.Fatal("it did not wait for the last holder")
		}
		a.Release()
		b := <-got
		if len(b.Bytes) != 5<<10 || p.Used() != 8<<10 {
			t.Errorf("%d bytes, %d used", len(b.Bytes), p.Used())
		}
		b.Release()
	})
}

// One that is larger than the pool is handed out alone, and not kept.
func TestPoolTakesTheLarge(t *testing.T) {
	p := wire.NewPool(64 << 10)
	b, err := p.Get(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := p.Get(ctx, 1); !errors.Is(err, why) {
		t.Errorf("beside it: %v", err)
	}
	b.Release()
	if p.Used() != 0 {
		t.Errorf("%d used", p.Used())
	}
}

// A buffer that comes back is used again.
func TestPoolReuses(t *testing.T) {
	p := wire.NewPool(64 << 10)
	got := testing.AllocsPerRun(100, func() {
		b, err := p.Get(t.Context(), 9000)
		if err != nil {
			t.Fatal(err)
		}
		b.Release()
	})
	if got > 1 { // the channel that tells those who wait
		t.Errorf("%v allocations", got)
	}
}
