package executor_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

func tps(topic string) (a, b cluster.TopicPartition) {
	return cluster.TopicPartition{Topic: topic}, cluster.TopicPartition{Topic: topic, Partition: 1}
}

// Taken out: partitions without a commit, or the metadata string. Every
// partition gets an offset, where what services write begins; what a rehearsal
// left there is overwritten, and is in the journal (R9).
func TestPlacedOnEveryPartition(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		p0, p1 := tps("t1")
		s.locked(func() {
			s.target.create("t1", 2)
			s.target.part(p0).log = make([]entry, 40) // of a rehearsal
			s.target.group("gd").commits[p0] = cluster.Commit{Offset: 77, Metadata: "rehearsal"}
			delete(s.source.group("gd").commits, p1)
			s.worker("a").idle, s.worker("d").silent = true, true
			s.source.group("gd").commits[p0] = cluster.Commit{Offset: 0, Metadata: "as it was"}
		})
		var placed, before map[cluster.TopicPartition]cluster.Commit
		s.when(graph.GroupAddress("gd", "place"), func() {
			s.locked(func() {
				placed = map[cluster.TopicPartition]cluster.Commit{}
				for tp, c := range s.target.group("gd").commits {
					placed[tp] = c
				}
			})
		})
		s.apply() // parks: no traffic
		want := map[cluster.TopicPartition]cluster.Commit{p0: {Offset: 40, Metadata: "as it was"}, p1: {Offset: 0}}
		if d := cmp.Diff(want, placed); d != "" {
			t.Errorf("placed (-want +got):\n%s", d)
		}
		facts := decode(t, s.journal.fold().Steps[graph.GroupAddress("gd", "place")])
		before = facts["before"]
		if d := cmp.Diff(map[cluster.TopicPartition]cluster.Commit{p0: {Offset: 77, Metadata: "rehearsal"}}, before); d != "" {
			t.Errorf("the journal says of what was there (-want +got):\n%s", d)
		}
	})
}

// Taken out: the look for members on the target.
func TestPlacementRefusesMembers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.locked(func() {
			s.target.group("gd").members = []cluster.Member{{ID: "x", ClientID: "somebody", Host: "/10.9.9.9"}}
		})
		err := as[*executor.MembersError](t, s.apply().Err)
		if err.Group != "gd" || err.Side != cluster.Target || err.Members[0].ClientID != "somebody" {
			t.Errorf("it names %+v", err)
		}
	})
}

// Taken out: the second look at the source just before the start, or the look
// at partitions that had no commit.
func TestMovedPositionIsRefused(t *testing.T) {
	p0, p1 := tps("t1")
	for name, move := range map[string]func(*groupState){
		"moved":        func(g *groupState) { g.commits[p0] = cluster.Commit{Offset: g.commits[p0].Offset + 1} },
		"moved back":   func(g *groupState) { g.commits[p0] = cluster.Commit{Offset: 0} },
		"first commit": func(g *groupState) { g.commits[p1] = cluster.Commit{Offset: 0} },
	} {
		for before, fails := range map[string]graph.Kind{"vacate": graph.Place, "place": graph.Start} {
			t.Run(name+" after "+before, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
					s.migration().Groups.Named = []plan.NamedGroup{{Name: "gd", Uncommitted: "latest"}}
					time.Sleep(time.Second)
					s.onceStopped("d", func() { delete(s.source.group("gd").commits, p1) })
					s.when(graph.GroupAddress("gd", before), func() { s.locked(func() { move(s.source.group("gd")) }) })
					r := s.apply()
					if err := as[*executor.MovedError](t, r.Err); err.Group != "gd" || r.Failed[0].Step.Kind != fails {
						t.Errorf("%s names %+v", r.Failed[0].Step.Address, err)
					}
					if s.where("d") != "source" {
						t.Errorf("d runs on %q", s.where("d"))
					}
				})
			})
		}
	}
}

// Taken out: the wait for the commit interval. A last commit that comes late
// would be missed, and with it the proof that the group has drained.
func TestLateCommitIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.migration().Scheme.QuietFor = time.Minute
		p0, _ := tps("t1")
		late := false
		s.onCall = func(op, arg string) {
			if op != "stop on source" || arg != "d" || late {
				return
			}
			late = true
			s.locked(func() {
				final := s.source.group("gd").commits[p0]
				s.worker("d").silent = true
				s.source.group("gd").commits[p0] = cluster.Commit{Offset: final.Offset - 1}
				time.AfterFunc(4*time.Second, func() {
					s.locked(func() { s.source.group("gd").commits[p0], s.worker("d").silent = final, false })
				})
			})
		}
		s.mustApply()
		if !late {
			t.Error("nothing was committed late: the test proves nothing")
		}
		s.settled()
	})
}

// Taken out: the removal of members that went without saying so. A static
// member would be waited for until its session times out, or for ever.
func TestStaticMemberIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		s.locked(func() {
			s.worker("d").static = true
			s.source.group("gd").members[0].InstanceID = "d-0"
		})
		time.Sleep(time.Second)
		s.mustApply()
		if d := cmp.Diff([]string{"d-0"}, s.evicted["gd"]); d != "" {
			t.Errorf("removed (-want +got):\n%s", d)
		}
	})
}

// Taken out: the question to the service before its members are removed, and
// the end of the patience with members that come back.
func TestLivingMemberIsNotRemovedForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		ghost := cluster.Member{ID: "ghost", ClientID: "ghost", Host: "/10.1.1.1"}
		s.onCall = func(op, _ string) {
			if op == "group" {
				s.locked(func() {
					if g := s.source.group("gd"); len(g.members) == 0 {
						g.members = []cluster.Member{ghost}
					}
				})
			}
		}
		err := as[*executor.MembersError](t, s.apply().Err)
		if err.Side != cluster.Source || err.Members[0].ID != "ghost" {
			t.Errorf("it names %+v", err)
		}
	})
}

// Taken out: the memory that the group was started there. What it had read on
// the target before its start was said to have failed would be read again.
func TestNeverRewound(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.locked(func() { s.worker("d").broken[cluster.Target], s.worker("d").late = true, true })
		s.onCall = func(op, arg string) {
			if op == "stop on target" && arg == "d" {
				time.Sleep(2 * time.Second) // it reads meanwhile
			}
		}
		r := s.apply()
		if len(r.Restored) == 0 || len(r.Stranded) != 0 {
			t.Fatalf("restored %v, stranded %v, %v", r.Restored, r.Stranded, r.Err)
		}
		p0, _ := tps("t1")
		if c, _ := s.commit(cluster.Target, "gd", p0); c.Offset == 0 {
			t.Fatal("it has read nothing: the test says nothing")
		}
		s.locked(func() { s.worker("d").broken[cluster.Target] = false })
		s.mustApply()
		s.settled()
	})
}

// Taken out: reading back.
func TestPlacementIsReadBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		p0, _ := tps("t1")
		committed := false
		s.onCall = func(op, arg string) {
			committed = committed || op == "commit" && arg == "gd"
			if committed && op == "commits" && arg == "gd" {
				s.locked(func() { s.target.group("gd").commits[p0] = cluster.Commit{Offset: 999} })
			}
		}
		if err := as[*executor.MovedError](t, s.apply().Err); err.To != 999 {
			t.Errorf("it names %+v", err)
		}
	})
}

// decode reads the positions among a step's facts.
func decode(t testing.TB, s state.StepState) map[string]map[cluster.TopicPartition]cluster.Commit {
	t.Helper()
	var facts map[string]map[cluster.TopicPartition]cluster.Commit
	if err := json.Unmarshal(s.Facts, &facts); err != nil {
		t.Fatal(err)
	}
	return facts
}

// A topic that only the commits of a group tell that it reads is drained and
// placed like the others. Taken out: that, so that the group has no offset there
// and skips what was written meanwhile (R11).
func TestWhatOnlyCommitsTellIsPlaced(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1 t3", "d: t1 t3 (gd)")
		time.Sleep(time.Second)
		d := *s.migration().Service("d")
		d.Consumes = d.Consumes[:1]
		s.migration().Services[1] = &d
		s.plan = s.plan.Reading(map[string][]string{"gd": {"t3"}})
		s.build()
		s.mustApply()
		for p := range int32(2) {
			if _, ok := s.commit(cluster.Target, "gd", cluster.TopicPartition{Topic: "t3", Partition: p}); !ok {
				t.Errorf("no offset on t3[%d]", p)
			}
		}
		s.settled()
	})
}

// A final position beyond the end of the source's log belongs to another log:
// where the group stands nobody can tell. The plan may say that it has read all
// there is; then it goes on at the end (R9).
func TestPositionBeyondTheLogEnd(t *testing.T) {
	for name, copied := range map[string]bool{"mirrored": true, "without a mirror": false} {
		for _, says := range []string{"", "end"} {
			t.Run(name+", "+says, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
					s.migration().Groups.Named = []plan.NamedGroup{{Name: "gc", BeyondEnd: says}}
					if copied {
						mirrored(s)
					}
					p0, _ := tps("t1")
					time.Sleep(time.Second) // of the bubble: something is written
					var end int64
					s.onceStopped("c", func() {
						end = int64(len(s.source.part(p0).log))
						s.source.group("gc").commits[p0] = cluster.Commit{Offset: end + 1000}
					})
					r := s.apply()
					if says == "" {
						err := as[*executor.BeyondError](t, r.Err)
						if err.Group != "gc" || err.Partition != p0 || err.Offset != end+1000 || err.LogEnd != end {
							t.Errorf("it names %+v", err)
						}
						return
					}
					if r.Err != nil {
						t.Fatal(r.Err)
					}
					if got := s.journal.fold().Steps[graph.GroupAddress("gc", "place")]; got.Status != state.Done {
						t.Errorf("place is %s", got.Status)
					}
				})
			})
		}
	}
}
