package executor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

func chain(t *testing.T, scheme plan.SchemeKind) *stage {
	s := set(t, scheme, "a: -> t1", "p: t1 (gp) -> t2", "c: t2 (gc)", "d: t1 (gd)")
	time.Sleep(time.Second)
	return s
}

// when calls f once, as soon as the step is done.
func (s *stage) when(address string, f func()) {
	done := false
	s.onEvent = func(e executor.Event) {
		if d, ok := e.(executor.StepDone); ok && d.Step.Address == address && !done {
			done = true
			f()
		}
	}
}

// onceStopped calls f in the world when the service has been told to stop.
func (s *stage) onceStopped(name string, f func()) {
	done := false
	s.onCall = func(op, arg string) {
		if op == "stop on source" && arg == name && !done {
			done = true
			time.AfterFunc(100*time.Millisecond, func() { s.locked(f) })
		}
	}
}

// Taken out: the check for log end = high watermark = last stable offset. The
// boundary would then be drawn under an open transaction. The abort marker
// that ends it a minute later is nobody's record and no stranger's (R4).
func TestBoundaryWaitsForOpenTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		p := s.source.topics["t1"][1]
		var ended time.Time
		s.onceStopped("a", func() {
			p.log = append(p.log, entry{key: 1, seq: 9000, pid: 4000, open: true})
			time.AfterFunc(time.Minute, func() {
				s.locked(func() {
					last := &p.log[len(p.log)-1]
					last.open, last.aborted = false, true
					p.log = append(p.log, entry{marker: true})
					ended = time.Now()
				})
			})
		})
		var drawn time.Time
		s.when(graph.TopicAddress("t1", "boundary"), func() { drawn = time.Now() })
		s.mustApply()
		if ended.IsZero() || drawn.Before(ended) {
			t.Errorf("the boundary was drawn at %s, the transaction ended at %s", drawn, ended)
		}
		bounds, err := executor.Boundaries(s.journal.fold(), []string{"t1"})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bounds[cluster.TopicPartition{Topic: "t1", Partition: 1}], int64(len(p.log)); got != want {
			t.Errorf("boundary %d, the log ends at %d", got, want)
		}
		s.settled()
	})
}

// Taken out: the limit. A transaction that nobody ends, and replicas that stay
// behind, would be waited for for ever.
func TestBoundaryGivesUpOnOpenTransaction(t *testing.T) {
	for name, unsettle := range map[string]func(*partition){
		"transaction": func(p *partition) { p.log = append(p.log, entry{key: 1, pid: 4, open: true}) },
		"replicas":    func(p *partition) { p.unreplicated = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, plan.ProductionFirst)
				s.onceStopped("a", func() { unsettle(s.source.topics["t1"][0]) })
				began := time.Now()
				r := s.apply()
				if err := as[*executor.TimeoutError](t, r.Err); !strings.Contains(err.Error(), "last stable offset") {
					t.Errorf("the message does not tell the offsets: %v", err)
				}
				if waited := time.Since(began); waited < 10*time.Minute || waited > 11*time.Minute {
					t.Errorf("it waited for %s, drain_timeout is 10 minutes", waited)
				}
				if at := s.where("a"); at != "source" {
					t.Errorf("a runs on %q after the failure", at)
				}
			})
		})
	}
}

// Taken out: quiet_for. The boundary would then be drawn before the last
// records of a stopped writer are in (R6).
func TestBoundaryWaitsForQuiet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		var last time.Time
		s.onceStopped("a", func() {
			for i := range 4 { // in flight: their writer is gone already
				time.AfterFunc(time.Duration(i)*time.Second, func() {
					s.locked(func() { s.produce(cluster.Source, "t1", i%keys); last = time.Now() })
				})
			}
		})
		var started time.Time
		s.when(graph.TopicAddress("t1", "boundary"), func() { started = time.Now() })
		s.mustApply()
		if quiet := started.Sub(last); last.IsZero() || quiet < 2*time.Second {
			t.Errorf("the boundary was drawn %s after the last record, quiet_for is 2s", quiet)
		}
		s.settled()
	})
}

// Taken out: the grace. A stranger that goes on writing would keep the boundary
// from being drawn without anybody being told who it is.
func TestStrangerIsNamedWhileWaitingForQuiet(t *testing.T) {
	for name, e := range map[string]entry{"idempotent": {pid: 4711}, "plain": {pid: -1}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, plan.ProductionFirst)
				p := s.source.topics["t1"][0]
				s.onceStopped("a", func() {
					go func() {
						for {
							s.locked(func() { e.seq++; p.log = append(p.log, e) })
							select {
							case <-s.ended:
								return
							case <-time.After(time.Second):
							}
						}
					}()
				})
				began := time.Now()
				r := s.apply()
				err := as[*executor.StrayWriterError](t, r.Err)
				s.locked(func() { // the services go on
					if err.ProducerID != e.pid || err.Partition.Topic != "t1" || p.log[err.Offset].pid != e.pid {
						t.Errorf("it names %+v", err)
					}
				})
				if waited := time.Since(began); waited > 20*time.Second {
					t.Errorf("it took %s to say so", waited)
				}
				if s.where("a") != "source" || len(r.Restored) != 1 {
					t.Errorf("a runs on %q, restored %v", s.where("a"), r.Restored)
				}
			})
		})
	}
}

// Taken out: the watch. A record behind the boundary would be missing on the
// target and nobody would know. The second half: the way out that the message
// names works, and only that.
func TestStragglerIsNamed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.onceStopped("a", func() { // the drain of d lasts
			s.worker("d").silent = true
			s.produce(cluster.Source, "t1", 0)
		})
		p := s.source.topics["t1"][0]
		var at int64
		s.when(graph.TopicAddress("t1", "boundary"), func() {
			time.AfterFunc(3*time.Second, func() {
				s.locked(func() {
					p.log = append(p.log, entry{marker: true}) // nobody's record
					at = int64(len(p.log))
					p.log = append(p.log, entry{key: 0, seq: 1 << 20, pid: 4711})
				})
			})
		})
		r := s.apply()
		err := as[*executor.StrayWriterError](t, r.Err)
		if err.Offset != at || err.ProducerID != 4711 || err.Side != cluster.Source {
			t.Errorf("it names %+v, want offset %d and producer 4711", err, at)
		}
		address := graph.TopicAddress("t1", "boundary")
		if !strings.Contains(err.Error(), "done '"+address+"'") {
			t.Errorf("the message has no way out: %v", err)
		}
		s.locked(func() { s.worker("d").silent = false })
		as[*executor.StrayWriterError](t, s.apply().Err)
		if got := s.journal.fold().Steps[address].Status; got != state.Parked {
			t.Errorf("the boundary is %q, so that nobody can answer", got)
		}
		s.inbox.done(address)
		s.mustApply()
		found := false
		s.locked(func() {
			for _, h := range s.handled["gd/t1"] {
				found = found || h.seq == 1<<20
			}
		})
		if !found {
			t.Error("the group that was still on the source has not read the straggler's record")
		}
	})
}

// Taken out: the distinction between a record and a marker. A marker behind the
// boundary would fail the run (R4).
func TestMarkersBehindTheBoundaryDoNoHarm(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.when(graph.TopicAddress("t1", "boundary"), func() {
			s.locked(func() {
				p := s.source.topics["t1"][0]
				p.log = append(p.log, entry{key: 3, pid: 5, aborted: true}, entry{marker: true})
			})
		})
		s.mustApply()
		s.settled()
	})
}

// Taken out: the patience of the watch. A broker that does not answer for a
// moment would fail the run and move services back.
func TestWatchBearsSilentBrokers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		s.onceStopped("a", func() { // while d drains, nobody but the watch asks for log ends
			s.worker("d").silent = true
			s.produce(cluster.Source, "t1", 0)
		})
		fails := 0
		s.when(graph.TopicAddress("t1", "boundary"), func() {
			s.locked(func() {
				s.failing = func(op, _ string) error {
					if op == "source ends" && fails < 3 {
						fails++
						return errors.New("no answer")
					}
					return nil
				}
			})
			time.AfterFunc(10*time.Second, func() { s.locked(func() { s.worker("d").silent = false }) })
		})
		r := s.apply()
		notes := 0
		for _, e := range s.events {
			if _, ok := e.(executor.Noted); ok {
				notes++
			}
		}
		if r.Err != nil || fails != 3 || notes == 0 {
			t.Errorf("%d failures, %d notes, error %v", fails, notes, r.Err)
		}
	})
}

// Taken out: the last question to the writers' checks (R28).
func TestServiceThatComesBackIsNamed(t *testing.T) {
	for name, kind := range map[string]graph.Kind{"a": graph.Boundary, "c": graph.Start} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, plan.ProductionFirst)
				s.locked(func() { s.worker("a").idle = true }) // its return shows in no log
				if name == "c" {                               // a reader: after its group's positions are final
					s.when(graph.GroupAddress("gc", "place"), func() {
						s.locked(func() { s.worker("c").running[cluster.Source] = true })
					})
				} else {
					s.onceStopped(name, func() { s.enter(s.worker(name), cluster.Source) })
				}
				r := s.apply()
				if err := as[*executor.RunningError](t, r.Err); err.Service != name || err.Side != cluster.Source || r.Failed[0].Step.Kind != kind {
					t.Errorf("%s names %+v", r.Failed[0].Step.Address, err)
				}
				if s.where(name) != "source" {
					t.Errorf("%s runs on %q", name, s.where(name))
				}
			})
		})
	}
}

// Taken out: the one request for all. A selection of thousands of topics would be
// looked behind one after the other, and a straggler be seen minutes later.
func TestStragglersOfAllTopicsAreLookedForAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		p0, _ := tps("t1")
		together, looks := 0, 0
		drawn := map[string]bool{}
		s.onEvent = func(e executor.Event) {
			if d, ok := e.(executor.StepDone); ok && d.Step.Kind == graph.Boundary {
				drawn[d.Step.Topic] = true
				s.locked(func() { // markers lie behind it for good
					for _, p := range s.source.topics[d.Step.Topic] {
						p.log = append(p.log, entry{marker: true})
					}
				})
			}
			if d, ok := e.(executor.StepStarted); ok && d.Step.Kind == graph.Works && d.Step.Group == "gc" {
				time.Sleep(time.Minute) // of the bubble: the watch goes on beside it
			}
		}
		s.onCall = func(op, arg string) {
			switch {
			case op == "ends" && strings.Contains(arg, "t1 t2"):
				together++
			case op == "look" && len(drawn) > 1 && arg == p0.String():
				looks++
			}
		}
		s.mustApply()
		if together < 8 {
			t.Errorf("%d questions about all topics in more than a minute", together)
		}
		if looks > together/2 {
			t.Errorf("%d looks at the same markers in %d rounds", looks, together)
		}
	})
}
