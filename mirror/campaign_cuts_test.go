package mirror_test

import (
	"context"
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// until waits for a condition.
func until(t *testing.T, what string, holds func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// lapse lets a fault last, or the copy go on between two.
func lapse(d time.Duration) { <-time.After(d) }

// endure has one mirror copy while the fault happens, and compares.
func (s *scene) endure(t *testing.T, name string, change func(*errand), fault func(m *child) int) {
	t.Helper()
	s.fill(t, 20_000)
	end := s.trickle(t)
	m := s.start(t, change)
	m.await(t, saysMoving)
	times := fault(m)
	end()
	s.between(kafkatest.Faults{}, kafkatest.Faults{})
	stopped := ""
	if err := s.drain(t, m); err != nil {
		stopped = err.Error()
	}
	s.settled(t, name, times, stopped)
}

// settled fails unless both logs are equal.
func (s *scene) settled(t *testing.T, name string, times int, stopped string) {
	t.Helper()
	d := s.judge(t)
	t.Logf("CAMPAIGN %s: %d times: %s", name, times, d)
	if d.any() || d.Missing > 0 || stopped != "" {
		t.Errorf("%s: the copy is damaged, or did not end: %s", name, stopped)
	}
}

var slow = kafkatest.Faults{Rate: 200 << 10}

// A mirror whose connections are cut again and again, on both sides, loses nothing
// and repeats nothing.
func TestConnectionsCutOnRealBrokers(t *testing.T) {
	t.Parallel()
	cutConnections(t, 10)
}

// Connections are cut on both sides, while half of those to the target stall.
func cutConnections(t *testing.T, times int) {
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	target := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	s := newScene(t, source, target, 1, nil, slow, kafkatest.Faults{Stall: stall})
	s.endure(t, "connections cut, both sides", nil, func(*child) int {
		cut := 0
		for i := range times {
			lapse(time.Duration(s.rand.IntN(400)) * time.Millisecond)
			side := append(s.before, s.behind...)
			switch i % 3 {
			case 0:
				side = s.before
			case 1:
				side = s.behind
			}
			for _, p := range side {
				p.Shut(i%10 == 9) // and for a while nobody is let in
				cut += p.Cut()
			}
			if i%10 == 9 {
				lapse(time.Second)
				for _, p := range side {
					p.Shut(false)
				}
			}
		}
		return cut
	})
}
