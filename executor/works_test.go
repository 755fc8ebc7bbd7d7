package executor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// Taken out: the demand for traffic. Consumers that nobody has seen at work
// would count as working (R10).
func TestWorksWithoutTraffic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		s.locked(func() { s.worker("a").idle = true })
		address := graph.GroupAddress("gd", "works")
		began := time.Time{}
		s.when(graph.ServiceAddress("d", "start"), func() { began = time.Now() })
		r := s.apply()
		if r.Err != nil || len(r.Parked) != 1 || r.Parked[0].Step.Address != address {
			t.Fatalf("parked %v, %v", r.Parked, r.Err)
		}
		if waited := time.Since(began); waited < 30*time.Second || waited > time.Minute {
			t.Errorf("it asked after %s, want 30s", waited)
		}
		if p := r.Parked[0]; p.Command != "kplan done '"+address+"'" || !strings.Contains(p.Instruction, `"gd"`) {
			t.Errorf("it asks %+v", p)
		}
		if st := s.journal.fold(); st.Steps[address].Status != state.Parked || len(st.Overrides) != 1 {
			t.Errorf("status %q, overrides %v: the retention has to be held until somebody has said so", st.Steps[address].Status, st.Overrides)
		}
		s.inbox.done(address)
		s.mustApply()
		if left, err := s.inbox.Requests(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("letters left: %v, %v", left, err)
		}
	})
}

// Taken out: the wait where somebody watches. Traffic that comes while the
// person thinks is seen by the next look, a terminal waits for an answer.
func TestWorksWaitsForAPersonWhoWatches(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		s.waits = true
		s.locked(func() { s.worker("a").idle = true })
		asked := 0
		s.onEvent = func(e executor.Event) {
			if p, ok := e.(executor.StepParked); ok {
				asked++
				s.inbox.done(p.Step.Address)
			}
		}
		s.mustApply()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// Taken out: the count from before the stop. Half of the consumers would be
// enough (R10).
func TestWorksWaitsForAllMembers(t *testing.T) {
	for _, comes := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
			second := cluster.Member{ID: "d-second", ClientID: "second", Host: "/10.0.0.2"}
			s.locked(func() { s.source.group("gd").members = append(s.source.group("gd").members, second) })
			s.onceStopped("d", func() { s.source.group("gd").members = nil })
			time.Sleep(time.Second)
			var joined, works time.Time
			s.onEvent = func(e executor.Event) {
				d, ok := e.(executor.StepDone)
				if !ok {
					return
				}
				switch d.Step.Address {
				case graph.ServiceAddress("d", "start"):
					if comes {
						time.AfterFunc(time.Minute, func() {
							s.locked(func() {
								joined = time.Now()
								s.target.group("gd").members = append(s.target.group("gd").members, second)
							})
						})
					}
				case graph.GroupAddress("gd", "works"):
					works = time.Now()
				}
			}
			r := s.apply()
			if comes {
				if r.Err != nil || joined.IsZero() || works.Before(joined) {
					t.Errorf("works at %s, the second member came at %s, %v", works, joined, r.Err)
				}
				return
			}
			if err := as[*executor.TimeoutError](t, r.Err); err.Left != "1 of 2 members on the target" {
				t.Errorf("it says %q", err.Left)
			}
		})
	}
}

// Taken out: the count of an attempt that died. After a kill in the stop nobody
// is in the group any more, and one member would be enough.
func TestMembersAreRememberedAcrossAKill(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		s.locked(func() {
			s.source.group("gd").members = append(s.source.group("gd").members, cluster.Member{ID: "d-second", ClientID: "second"})
		})
		time.Sleep(time.Second)
		k := &killer{memory: s.journal, n: 1 << 30}
		s.onceStopped("d", func() {
			s.source.group("gd").members = nil
			k.mu.Lock()
			k.gone = true
			k.mu.Unlock()
		})
		s.locked(func() { s.worker("d").linger = time.Second }) // killed in the middle of the stop
		s.applyIn(context.Background(), k, k.dead)
		s.onCall = nil
		if err := as[*executor.TimeoutError](t, s.apply().Err); err.Left != "1 of 2 members on the target" {
			t.Errorf("it says %q", err.Left)
		}
	})
}

// Taken out: the look at the assignments, or at the group's state.
func TestWorksWaitsForEveryPartition(t *testing.T) {
	for name, want := range map[string]string{"assignment": "1 partition without a reader: t1[1]", "state": "the group is PreparingRebalance"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
				time.Sleep(time.Second)
				s.when(graph.ServiceAddress("d", "start"), func() {
					s.locked(func() {
						if name == "state" {
							s.target.group("gd").state = "PreparingRebalance"
							return
						}
						m := &s.target.group("gd").members[0]
						m.Assigned = m.Assigned[:1]
					})
				})
				if err := as[*executor.TimeoutError](t, s.apply().Err); err.Left != want {
					t.Errorf("it says %q, want %q", err.Left, want)
				}
			})
		})
	}
}

// Taken out: the look at positions. Consumers that are assigned and read
// nothing would count as working.
func TestWorksWantsPositionsToMove(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		s.when(graph.ServiceAddress("d", "stop"), func() { s.locked(func() { s.worker("d").silent = true }) })
		err := as[*executor.TimeoutError](t, s.apply().Err)
		if !strings.Contains(err.Left, "looking whether its positions move") {
			t.Errorf("it says %q", err.Left)
		}
		if s.where("d") != "target" {
			t.Errorf("d runs on %q: it runs there, only slowly", s.where("d"))
		}
	})
}

// Taken out: the wait of production_later for consumers before the producers
// stop.
func TestJoinedBeforeProducersStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionLater, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		s.onCall = func(op, arg string) {
			if op == "group" && arg == "gd" {
				s.locked(func() { s.target.group("gd").state = "PreparingRebalance" })
			}
		}
		as[*executor.TimeoutError](t, s.apply().Err)
		if s.where("a") != "source" || s.where("d") != "source target" {
			t.Errorf("a runs on %q, d on %q", s.where("a"), s.where("d"))
		}
	})
}

// Taken out: the look for a record. The marker of a transaction that wrote
// nothing, or was aborted, would count as traffic, and consumers that nobody has
// seen at work as working (R10).
func TestMarkersAreNoTraffic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		s.locked(func() { s.worker("a").idle = true })
		address := graph.GroupAddress("gd", "works")
		s.when(graph.ServiceAddress("d", "start"), func() {
			s.locked(func() {
				p := s.target.topics["t1"][0]
				p.log = append(p.log, entry{aborted: true}, entry{marker: true})
			})
		})
		if r := s.apply(); r.Err != nil || len(r.Parked) != 1 || r.Parked[0].Step.Address != address {
			t.Errorf("parked %v, %v: a person has to say that the consumers work", r.Parked, r.Err)
		}
	})
}

// Taken out: the question, or the plan's word. A group without a member at the
// moment of the switch, as a cron job's, would be waited for for ten minutes and
// fail the run (R10).
func TestMembersThatComeAndGo(t *testing.T) {
	for _, scheme := range schemes() {
		for _, declared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, declared %v", scheme, declared), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					s := set(t, scheme, "a: -> t1", "d: t1 (gd)")
					time.Sleep(time.Second)
					d := s.worker("d")
					s.locked(func() { // it has read everything, and goes
						d.cron = true
						s.source.group("gd").members = nil
						for i, p := range s.source.topics["t1"] {
							s.source.group("gd").commits[cluster.TopicPartition{Topic: "t1", Partition: int32(i)}] = cluster.Commit{Offset: int64(len(p.log))}
						}
						s.worker("a").idle = true
					})
					if none := 0; declared {
						s.migration().Groups.Named = []plan.NamedGroup{{Name: "gd", Members: &none}}
						s.mustApply()
						return
					}
					r := s.apply()
					if r.Err != nil || len(r.Parked) != 1 || !strings.Contains(r.Parked[0].Instruction, `group "gd" { members = 0 }`) {
						t.Fatalf("parked %+v, %v", r.Parked, r.Err)
					}
					for range 3 { // joined and works, with production_later
						if len(r.Parked) == 1 {
							s.inbox.done(r.Parked[0].Step.Address)
							r = s.apply()
						}
					}
					if r.Err != nil || r.Done != r.Total {
						t.Errorf("%d of %d, parked %v, %v", r.Done, r.Total, r.Parked, r.Err)
					}
				})
			})
		}
	}
}

// Taken out: what a restore that was cut off keeps. Nothing would be known any more
// of the members that a group had, and one would be enough.
func TestMembersAreRememberedAcrossARestore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		s.locked(func() {
			s.source.group("gd").members = append(s.source.group("gd").members, cluster.Member{ID: "d-second", ClientID: "second"})
			s.worker("d").broken[cluster.Target] = true
		})
		time.Sleep(time.Second)
		k := &killer{memory: s.journal, n: 1 << 30}
		s.onCall = func(op, arg string) {
			switch {
			case op == "stop on source" && arg == "d":
				time.AfterFunc(100*time.Millisecond, func() { s.locked(func() { s.source.group("gd").members = nil }) })
			case op == "start on source" && arg == "d": // killed in the middle of the restore
				k.mu.Lock()
				k.gone = true
				k.mu.Unlock()
			}
		}
		s.applyIn(context.Background(), k, k.dead)
		if !k.gone {
			t.Fatal("nothing was restored")
		}
		s.onCall = nil
		s.locked(func() { s.worker("d").broken[cluster.Target] = false })
		if err := as[*executor.TimeoutError](t, s.apply().Err); err.Left != "1 of 2 members on the target" {
			t.Errorf("it says %q", err.Left)
		}
	})
}
