package driver_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kplan/executor/state"
	"kplan/mirror"
	"kplan/mirror/driver"
)

// hour is the lease of the workers here: nobody waits for it on a real clock.
const hour = time.Hour

// workersOf is a shelf with the entry of a worker, a watch on a clock that is set
// by hand, and how the worker gives a sign of life.
func workersOf(t *testing.T) (shelf state.Shelf, watch *mirror.Watch, clock *atomic.Int64, beat func()) {
	t.Helper()
	shelf, clock = state.NewFileShelf(t.TempDir()), &atomic.Int64{}
	var serial int64
	beat = func() {
		serial++
		if err := mirror.Enter(t.Context(), shelf, mirror.Entry{ID: "w1", Host: "h", PID: 7, Serial: serial, Silence: 2 * hour, Wait: hour}); err != nil {
			t.Error(err)
		}
	}
	beat()
	return shelf, mirror.NewWatch(func() time.Duration { return time.Duration(clock.Load()) }, nil), clock, beat
}

// A worker that gives a sign of life is in the way, and named with what is not to
// be done beside it; before that is known it is said what is waited for.
func TestAloneBesideAWorker(t *testing.T) {
	t.Parallel()
	shelf, watch, _, beat := workersOf(t)
	told := ""
	err := driver.Alone(t.Context(), shelf, watch, "the state cannot be moved", func(text string) {
		told += text
		beat()
	})
	var living *driver.WorkersError
	if !errors.As(err, &living) || len(living.Workers) != 1 || living.Workers[0].ID != "w1" {
		t.Fatalf("it says %v", err)
	}
	if text := err.Error(); !strings.HasPrefix(text, "the state cannot be moved, and worker w1 on h (process 7) gave a sign of life") {
		t.Errorf("it says %s", text)
	}
	if told != "Looking whether worker w1 on h (process 7) still lives, or others: up to 1h0m0s." {
		t.Errorf("meanwhile it says %q", told)
	}
	if left, err := mirror.Entries(t.Context(), shelf); err != nil || len(left) != 1 {
		t.Errorf("of a worker that lives is left %v, %v", left, err)
	}
}

// One that is silent for its lease is in nobody's way. Its entry goes when nothing of
// it can arrive any more, and not before.
func TestAloneBesideTheDead(t *testing.T) {
	t.Parallel()
	shelf, watch, clock, _ := workersOf(t)
	alone := func(left int) {
		t.Helper()
		if err := driver.Alone(t.Context(), shelf, watch, "x", func(string) { clock.Add(int64(hour)) }); err != nil {
			t.Errorf("it says %v", err)
		}
		if got, err := mirror.Entries(t.Context(), shelf); err != nil || len(got) != left {
			t.Errorf("left are %v, %v, want %d", got, err, left)
		}
	}
	alone(1)
	clock.Add(int64(hour))
	alone(0)
	alone(0) // nobody is there
}
