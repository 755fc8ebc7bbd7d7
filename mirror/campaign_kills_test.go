package mirror_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// stall is the longest time by which a request comes late; outwait is more than
// that by what busy cores add.
const (
	stall   = 500 * time.Millisecond
	spare   = 1500 * time.Millisecond
	outwait = stall + spare
)

// killing is a mirror that is killed again and again, and begun again at once.
type killing struct {
	name  string
	kills int
	old   bool // year old records, and brokers that forget their producer
	// sabotage is the first control, hasty the second: it does not wait for what
	// may still be under way of old records.
	sabotage, hasty bool
	until           func(*testing.T, *scene) bool // ends it early, asked after each kill; nil: never
	stall           time.Duration                 // of all connections; 0: stall, of half of them
	forget          bool                          // lose the maps each time, instead of every fourth
}

// outcome is what a killing has done.
type outcome struct {
	damage  damage
	kills   int
	late    int64         // bytes that came to the target after their process was dead
	lateBy  time.Duration // and how long after
	stopped string        // why the mirror did not go on; a control's
}

func (k killing) run(t *testing.T, source, target *kafkatest.Cluster) outcome {
	t.Helper()
	const backlog = 3000 // records a kill
	from, to := kafkatest.Faults{Rate: 400 << 10}, kafkatest.Faults{Stall: cmp.Or(k.stall, stall), Always: k.stall > 0}
	s := newScene(t, source, target, 1, nil, from, to)
	s.old = k.old
	s.fill(t, 3000+backlog*min(k.kills, 20)/2)
	if k.forget {
		s.prepare(t, k, from, to)
	}
	end := s.trickle(t)
	var done outcome
	for done.kills < k.kills && done.stopped == "" {
		m := s.start(t, k.change)
		k.strike(t, s, m)
		done.kills++
		if !k.sabotage { // the next one of these knows nothing of it
			done.stopped = m.whyStopped()
		}
		if k.forget || s.rand.IntN(4) == 0 {
			s.forget(t)
		}
		if k.until != nil && k.until(t, s) {
			break
		}
		if k.kills > 20 && done.kills%20 == 0 {
			t.Logf("%s: %d kills", k.name, done.kills)
		}
		if done.kills%10 == 0 {
			s.fill(t, backlog)
		}
	}
	end()
	s.between(kafkatest.Faults{}, kafkatest.Faults{}) // what is under way still comes late
	if done.stopped == "" {
		if err := s.drain(t, s.start(t, k.change)); err != nil {
			done.stopped = err.Error()
		}
	}
	for _, p := range s.behind {
		until(t, "all that was sent has arrived", func(context.Context) bool { return p.Open() == 0 })
		late, by := p.Late()
		done.late, done.lateBy = done.late+late, max(done.lateBy, by)
	}
	done.damage = s.judge(t)
	return done
}

// prepare copies all that there is, in peace, and leaves something to be copied.
func (s *scene) prepare(t *testing.T, k killing, from, to kafkatest.Faults) {
	t.Helper()
	s.between(kafkatest.Faults{}, kafkatest.Faults{})
	if err := s.drain(t, s.start(t, k.change)); err != nil {
		t.Fatal(err)
	}
	s.forget(t)
	s.between(from, to)
	s.fill(t, 20_000)
}

// between sets the faults for connections that are opened from now on.
func (s *scene) between(from, to kafkatest.Faults) {
	for _, p := range s.before {
		p.Set(from)
	}
	for _, p := range s.behind {
		p.Set(to)
	}
}

func (k killing) change(e *errand) {
	e.Sabotage = k.sabotage
	if !k.hasty {
		e.MaxAge, e.Wait = time.Hour, cmp.Or(k.stall, stall)+spare
	}
}

// strike kills at a random instant: at the start, or while it copies.
func (k killing) strike(t *testing.T, s *scene, m *child) {
	t.Helper()
	span := 600 * time.Millisecond
	switch n := s.rand.IntN(10); {
	case k.sabotage || k.hasty: // a control has to come to something soon
		m.reach(t, saysSending)
		span /= 4
	case n < 2:
	case n < 4:
		m.reach(t, saysCopying)
	default:
		m.reach(t, saysMoving)
		span = 300 * time.Millisecond
	}
	select {
	case <-time.After(time.Duration(s.rand.Int64N(int64(span)))): // the instant is what is tried, not waited for
	case <-m.exited:
		t.Fatalf("the mirror ended by itself: %v\n%s", m.err, m.tail())
	}
	m.kill(t)
}

// reach waits until the child has said something, or why it will not.
func (m *child) reach(t *testing.T, what string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for m.whyStopped() == "" {
		select {
		case <-m.said[what]:
			return
		case <-m.exited:
			t.Fatalf("the mirror ended by itself: %v\n%s", m.err, m.tail())
		case <-t.Context().Done():
			t.Fatalf("the mirror is never %s", what)
		case <-tick.C:
		}
	}
}

// forget loses the newest of the store, which Store allows.
func (s *scene) forget(t *testing.T) {
	t.Helper()
	for _, p := range s.partitions {
		if err := os.Remove(filepath.Join(s.folder, fmt.Sprintf("map-%d", p.Number))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// clean fails unless every record is on the target once, in its place.
func (o outcome) clean(t *testing.T, name string) {
	t.Helper()
	t.Logf("CAMPAIGN %s: %d kills, %d KB came up to %s after their process was dead: %s", name, o.kills, o.late>>10, o.lateBy.Round(time.Millisecond), o.damage)
	if o.damage.any() || o.damage.Missing > 0 || o.stopped != "" {
		t.Errorf("%s: the copy is damaged, or did not end: %s", name, o.stopped)
	}
	if o.late == 0 {
		t.Errorf("%s: no request came late: this has tried nothing", name)
	}
}

// broken fails unless the comparator has found damage: a control.
func (o outcome) broken(t *testing.T, name string) {
	t.Helper()
	t.Logf("CAMPAIGN control %s: %d kills, %d KB came up to %s after their process was dead: %s; %s", name, o.kills, o.late>>10, o.lateBy.Round(time.Millisecond), o.damage, o.stopped)
	if !o.damage.any() {
		t.Errorf("%s: a copy that has to be damaged looks sound: the test proves nothing", name)
	}
}

// damaged ends a control as soon as it has shown what it is for.
func damaged(t *testing.T, s *scene) bool { return s.judge(t).any() }

// A mirror that is killed at any instant, with its requests still under way,
// loses nothing and repeats nothing (R24). The control that takes a new producer
// id each time does, and is found out by the same comparison.
func TestKillsOnRealBrokers(t *testing.T) {
	t.Parallel()
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	target := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	killing{name: "short", kills: 8}.run(t, source, target).clean(t, "short")
	// On a busy machine a process takes longer to begin than requests usually
	// stall: nothing would come late.
	killing{name: "short", kills: 40, sabotage: true, stall: 3 * time.Second, until: damaged}.run(t, source, target).broken(t, "a new producer id each time")
}
