package mirror

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
)

// near compares within a hundredth.
func near(got, want float64) bool { return math.Abs(got-want) <= 0.01*math.Abs(want)+1e-9 }

// A copy of 100 records of 10 bytes a second, while the source grows by 20,
// needs 80 seconds for what lags by 6,400; a stop is seen within the window.
func TestRatesFollowTheCounters(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	var m meter
	at := func(second int64) (time.Time, counters) {
		now := start.Add(time.Duration(second) * time.Second)
		return now, counters{records: 100 * second, bytes: 1000 * second, done: 500 + 100*second, mark: 8500 + 20*second, newest: now.Add(-time.Hour).UnixMilli()}
	}
	now, c := at(0)
	m.observe(now, c)
	if p := m.progress(now, c); p.ETA != Unknown || p.LagBytes != Unknown || p.Lag != 8000 {
		t.Errorf("before anything was copied: %+v", p)
	}
	for second := range int64(20) {
		m.observe(at(second + 1))
	}
	now, c = at(20)
	p := m.progress(now, c)
	if !near(p.RecordRate, 100) || !near(p.ByteRate, 1000) || p.Lag != 6400 || p.LagBytes != 64000 || p.LagTime != time.Hour || !near(p.ETA.Seconds(), 80) {
		t.Errorf("after 20 s: %+v", p)
	}
	for second := range 10 { // the copy stands, the source grows
		now, c.mark = now.Add(time.Second), c.mark+20
		m.observe(now, c)
		if second == 0 && m.progress(now, c).ETA == Unknown {
			t.Error("one second without records was taken for a stop")
		}
	}
	p = m.progress(now, c)
	if !near(p.RecordRate, 100/math.E) || p.Lag != 6600 {
		t.Errorf("10 s after it stood still: %+v", p)
	}
	for range 60 {
		now, c.mark = now.Add(time.Second), c.mark+20
		m.observe(now, c)
	}
	if p = m.progress(now, c); p.ETA != Unknown {
		t.Errorf("a source that grows faster: %+v", p)
	}
	c.done = c.mark
	if p = m.progress(now, c); p.Lag != 0 || p.LagBytes != 0 || p.LagTime != 0 || p.ETA != 0 {
		t.Errorf("caught up: %+v", p)
	}
}

func TestWhatLimitsACopy(t *testing.T) {
	short := fmt.Errorf("writing to the target: %w", kerr.NotEnoughReplicas)
	for _, one := range []struct {
		name string
		held held
		want Limit
	}{
		{"caught up", held{phase: Copying}, ByNothing},
		{"reading", held{phase: Copying, lag: 1}, BySource},
		{"much under way", held{phase: Copying, lag: 1, full: true}, ByTarget},
		{"much under way, and throttled", held{phase: Copying, lag: 1, full: true, throttled: true}, ByTarget},
		{"throttled", held{phase: Copying, lag: 1, throttled: true}, ByThrottle},
		{"refused for replicas", held{phase: Resuming, lag: 1, why: short}, ByReplicas},
		{"tried again meanwhile", held{phase: Copying, lag: 1, short: true, why: short}, ByReplicas},
		{"no leader", held{phase: Resuming, why: errors.New("no leader")}, ByTrouble},
		{"stopped for what was no outage", held{phase: Stopped, why: short}, ByTrouble},
	} {
		if got := limiting(one.held); got != one.want {
			t.Errorf("%s: %s, want %s", one.name, got, one.want)
		}
	}
}

// A partition that is being forgotten is none that is stopped.
func TestWhatIsForgottenHasNoStanding(t *testing.T) {
	c := &Copier{throttle: newThrottle()}
	gone, there := &part{}, &part{}
	gone.stop(errForgotten)
	there.stop(errSuperseded)
	c.table.Store(&table{order: []*part{gone, there}})
	if got := c.Status(); len(got) != 1 || !errors.Is(got[0].Why, errSuperseded) {
		t.Errorf("%+v", got)
	}
}

func TestTotalOfPartitions(t *testing.T) {
	standing := func(p Progress) Standing { return Standing{Progress: p} }
	a := standing(Progress{RecordRate: 10, ByteRate: 100, Lag: 50, LagBytes: 500, LagTime: time.Minute, ETA: 5 * time.Second, Limit: ByTarget, pace: 10})
	b := standing(Progress{RecordRate: 5, ByteRate: 50, Lag: 100, LagBytes: 1000, LagTime: time.Hour, ETA: 25 * time.Second, Limit: BySource, pace: 5, growth: 1})
	idle := standing(Progress{Limit: ByNothing})
	stopped := standing(Progress{Lag: 1000, LagBytes: Unknown, LagTime: Unknown, ETA: Unknown, Limit: ByTrouble})
	same := cmp.AllowUnexported(Progress{})
	want := Progress{RecordRate: 15, ByteRate: 150, Lag: 150, LagBytes: 1500, LagTime: time.Hour, ETA: eta(150, 15, 1), Limit: BySource, pace: 15, growth: 1}
	if d := cmp.Diff(want, Total([]Standing{a, b, idle}), same); d != "" {
		t.Error(d)
	}
	want.Lag, want.LagBytes, want.LagTime, want.ETA, want.Limit = 1150, Unknown, Unknown, Unknown, ByTrouble
	if d := cmp.Diff(want, Total([]Standing{stopped, a, b, idle}), same); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Progress{}, Total(nil), same); d != "" {
		t.Error(d)
	}
}

// A partition that waits until the target is read for others does not stand still,
// however long that takes: whoever ended the mirror for it would let all begin anew.
func TestWaitingForALookIsNoStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Copier{inspects: make(chan struct{}, 1)}
		c.inspects <- struct{}{}
		p := &part{phase: Resuming, going: going{moved: time.Now()}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.look(ctx, p, 10) }()
		time.Sleep(time.Hour)
		p.mu.Lock()
		s := Standing{Phase: p.phase, Moved: p.going.moved}
		p.mu.Unlock()
		if err := s.Stalled(time.Now(), time.Minute); err != nil {
			t.Error(err)
		}
		cancel()
		<-ended
	})
}
