package state_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
)

// simClock goes on while its machine stands still. Machines differ in rate and
// start.
type simClock struct {
	conn   *simConn // of the process that asks; it stands still in the middle of that, too
	began  time.Time
	offset time.Duration
	ppm    int64 // parts per million too fast

	stops   bool // the mutation: it does not count the time of a suspension
	mu      sync.Mutex
	frozen  time.Time
	skipped time.Duration
}

func (c *simClock) Now() time.Duration {
	if c.conn != nil {
		c.conn.alive()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d := time.Since(c.began)
	if c.stops {
		d -= c.skipped
		if !c.frozen.IsZero() {
			d -= time.Since(c.frozen)
		}
	}
	return c.offset + d + d*time.Duration(c.ppm)/1_000_000
}

func (c *simClock) suspend(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		c.frozen = time.Now()
	} else if !c.frozen.IsZero() {
		c.skipped += time.Since(c.frozen)
		c.frozen = time.Time{}
	}
}

// world is one run of the model with what it has seen.
type world struct {
	log    *simLog
	until  time.Time
	stops  bool // see simClock
	mu     sync.Mutex
	wrong  []string
	seat   int64               // the highest epoch that an Acquire returned
	actors map[int64]string    // who has acted under an epoch
	acked  map[string][]string // records of each process, in the order of their acknowledgement
	pids   map[int]*simConn
	seen   tally
}

// tally says that the model did what it is for.
type tally struct{ runs, sessions, effects, records, locked, lost, unlocks, crashes, freezes int }

func (t *tally) add(o tally) {
	t.runs++
	t.sessions += o.sessions
	t.effects += o.effects
	t.records += o.records
	t.locked += o.locked
	t.lost += o.lost
	t.unlocks += o.unlocks
	t.crashes += o.crashes
	t.freezes += o.freezes
}

func (w *world) fault(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// effect is Check and what it protects, in one instant: time passes only where
// everybody waits.
func (w *world) effect(who string, s state.Session) bool {
	err := s.Check()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.seen.lost++
		return false
	}
	w.seen.effects++
	if s.Epoch() < w.seat {
		w.fault("%s acts under epoch %d while epoch %d is taken", who, s.Epoch(), w.seat)
	}
	if other, ok := w.actors[s.Epoch()]; ok && other != who {
		w.fault("%s and %s act under epoch %d", who, other, s.Epoch())
	}
	w.actors[s.Epoch()] = who
	return true
}

func (w *world) seated(s state.Session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.sessions++
	if s.Epoch() <= w.seat {
		w.fault("epoch %d after %d", s.Epoch(), w.seat)
	}
	w.seat = max(w.seat, s.Epoch())
}

func (w *world) processLives(pid int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.pids[pid].isDead()
}

// newProcess starts a process on a machine that has this clock.
func (w *world) newProcess(clock *simClock) (int, *simConn, *state.Kafka) {
	conn := &simConn{log: w.log}
	clock.conn = conn
	w.mu.Lock()
	pid := len(w.pids) + 1
	w.pids[pid] = conn
	w.mu.Unlock()
	wall := func() time.Time { return time.Now().Add(time.Duration(w.log.intn(7200)-3600) * time.Second) } // jumps
	return pid, conn, state.NewKafka(conn, "the model", "kafka model", wall, state.Clock(clock), state.Alive(w.processLives))
}

// machine runs one process after the other.
func (w *world) machine(n int) {
	began, offset, ppm := time.Now(), w.log.upTo(time.Hour), int64(w.log.intn(100_000))-50_000
	for time.Now().Before(w.until) {
		clock := &simClock{began: began, offset: offset, ppm: ppm, stops: w.stops}
		pid, conn, k := w.newProcess(clock)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { w.trouble(conn, clock, stop) })
		w.process(fmt.Sprintf("process %d", pid), state.Holder{
			ID: fmt.Sprint("p", pid), Who: "model", Host: fmt.Sprint(n), PID: pid, Space: fmt.Sprint("machine ", n), Since: time.Now(),
		}, conn, k)
		close(stop)
		wg.Wait()
		time.Sleep(w.log.upTo(5 * time.Second))
	}
}

// trouble freezes the process or cuts it off, for longer than its lease or not.
func (w *world) trouble(conn *simConn, clock *simClock, stop chan struct{}) {
	sleep := func(d time.Duration) bool {
		t := time.NewTimer(w.log.upTo(d))
		defer t.Stop()
		select {
		case <-stop:
			return false
		case <-t.C:
			return true
		}
	}
	for sleep(25 * time.Second) {
		if w.log.one(2) {
			w.mu.Lock()
			w.seen.freezes++
			w.mu.Unlock()
			clock.suspend(true)
			conn.freeze()
			time.Sleep(w.log.upTo(35 * time.Second)) // even beyond stop: nothing moves
			clock.suspend(false)
			conn.thaw()
		} else {
			conn.setCut(true)
			sleep(25 * time.Second)
			conn.setCut(false)
		}
	}
}

// process takes the lock and works for a while.
func (w *world) process(who string, h state.Holder, conn *simConn, k *state.Kafka) {
	ctx, cancel := context.WithTimeout(context.Background(), w.log.upTo(60*time.Second))
	defer cancel()
	if w.log.one(6) {
		w.unlock(ctx, h, k)
	}
	s, err := k.Acquire(ctx, h)
	if err != nil {
		if locked := (*state.LockedError)(nil); errors.As(err, &locked) {
			w.mu.Lock()
			w.seen.locked++
			w.mu.Unlock()
		}
		return
	}
	w.seated(s)
	for i := 0; ; i++ {
		time.Sleep(w.log.upTo(2 * time.Second))
		conn.alive()                                                                     // while frozen nothing is done,
		time.Sleep(w.log.upTo(time.Duration(1+w.log.intn(1000)) * 2 * time.Millisecond)) // and who wakes first is chance
		conn.alive()
		if !w.effect(who, s) {
			break
		}
		if w.log.one(2) {
			text := fmt.Sprintf("%s %d", who, i)
			if _, err := s.Append(state.Record{Owned: &state.Owned{Topic: text}}); err == nil {
				w.mu.Lock()
				w.seen.records++
				w.acked[who] = append(w.acked[who], text)
				w.mu.Unlock()
			} else if w.log.one(2) { // the engine stops here, but it need not
				break
			}
		}
		if w.log.one(20) {
			w.log.compact(w.log.intn(6))
		}
		if time.Now().After(w.until) || w.log.one(25) {
			break
		}
		if w.log.one(25) {
			w.mu.Lock()
			w.seen.crashes++
			w.mu.Unlock()
			conn.die() // without a word
			return
		}
	}
	_ = s.Release() // it may be cut off
}

func (w *world) unlock(ctx context.Context, h state.Holder, k *state.Kafka) {
	if holder, err := k.Holder(ctx); err == nil && holder != nil && k.Unlock(ctx, holder.ID, h) == nil {
		w.mu.Lock()
		w.seen.unlocks++
		w.mu.Unlock()
	}
}

// simulate runs one world and returns what went wrong.
func simulate(t *testing.T, seed uint64, stops bool) (wrong []string, seen tally) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			log: &simLog{rnd: rand.New(rand.NewPCG(seed, 1))}, stops: stops, until: time.Now().Add(100 * time.Second),
			actors: map[int64]string{}, acked: map[string][]string{}, pids: map[int]*simConn{},
		}
		_, _, witness := w.newProcess(&simClock{began: time.Now()})
		var wg sync.WaitGroup
		for n := range 2 + int(seed%2) {
			wg.Go(func() { w.machine(n + 1) })
		}
		wg.Go(func() { // reads along, through compactions
			for time.Now().Before(w.until) {
				if _, err := witness.Records(t.Context()); err != nil {
					w.mu.Lock()
					w.fault("a reader: %v", err)
					w.mu.Unlock()
				}
				time.Sleep(w.log.upTo(10 * time.Second))
			}
		})
		wg.Wait()
		time.Sleep(time.Minute) // until what lies in buffers has arrived
		w.log.calm = true
		w.agree(t, witness)
		wrong, seen = w.wrong, w.seen
	})
	return wrong, seen
}

// agree compares what readers find who read at different times.
func (w *world) agree(t *testing.T, witness *state.Kafka) {
	w.mu.Lock()
	defer w.mu.Unlock()
	along, err := witness.Records(t.Context())
	if err != nil {
		w.fault("the reader: %v", err)
	}
	for what, entries := range map[string][]simEntry{"late": w.log.entries, "after a compaction": compacted(w.log.entries, 0)} {
		got, err := state.NewKafka(simReader(entries), "the model", "kafka model", time.Now).Records(t.Context())
		if err != nil {
			w.fault("a reader who comes %s: %v", what, err)
		}
		if d := cmp.Diff(along, got); d != "" {
			w.fault("who reads along and who comes %s disagree: %s", what, d)
		}
	}
	place := map[string]int{}
	for i, r := range along {
		if _, twice := place[r.Owned.Topic]; twice {
			w.fault("%s is in the journal twice", r.Owned.Topic)
		}
		place[r.Owned.Topic] = i
	}
	for _, texts := range w.acked {
		last := -1
		for _, text := range texts {
			at, ok := place[text]
			if !ok || at <= last {
				w.fault("%q was acknowledged and is not in the journal, in its order", text)
			}
			last = at
		}
	}
}

// Two or three holders, of which each is frozen, cut off or killed at any time:
// nobody acts after somebody else may, and the journal is one. The long form is
// TestLeaseModelCampaign, behind the build tag campaign.
func TestLeaseModel(t *testing.T) {
	t.Parallel()
	leaseModel(t, 4*time.Second)
}

// leaseModel runs the model for so long, and at least fifty times.
func leaseModel(t *testing.T, lasts time.Duration) {
	t.Helper()
	var all tally
	violations := 0
	began := time.Now()
	for seed := uint64(began.UnixNano()); all.runs < 50 || time.Since(began) < lasts; seed++ {
		wrong, seen := simulate(t, seed, false)
		all.add(seen)
		if violations += len(wrong); len(wrong) > 0 {
			t.Errorf("seed %d: %v", seed, wrong)
		}
		if violations > 20 {
			break
		}
	}
	t.Logf("%+v, %d violations, in %s", all, violations, time.Since(began).Round(time.Second))
	if all.sessions < 100 || all.effects < 1000 || all.records < 100 || all.lost == 0 || all.locked == 0 || all.unlocks == 0 || all.crashes == 0 || all.freezes == 0 {
		t.Errorf("the model hardly ran: %+v", all)
	}
}

// Taken out: the clock that counts suspended time (R18).
func TestLeaseModelWithAClockThatStops(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		if wrong, _ := simulate(t, seed, true); len(wrong) > 0 {
			t.Logf("seed %d: %s", seed, wrong[0])
			return
		}
	}
	t.Error("a holder whose clock stops while it is suspended was never caught")
}
