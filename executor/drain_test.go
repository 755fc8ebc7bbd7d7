package executor_test

import (
	"strings"
	"testing"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// Taken out: the look into the log. A group that stands below a trailing
// marker, as clients do that commit the record plus one, would be waited for
// for ever (R7).
func TestDrainedBelowMarker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		tp := cluster.TopicPartition{Topic: "t1", Partition: 0}
		s.onceStopped("a", func() {
			p := s.source.part(tp)
			p.log = append(p.log, entry{key: 2, seq: 9000, pid: 5, aborted: true}, entry{marker: true})
		})
		s.mustApply()
		if pos, _ := s.commit(cluster.Source, "gd", tp); pos.Offset >= int64(len(s.source.part(tp).log)) {
			t.Fatalf("the group stands at %d: the test says nothing", pos.Offset)
		}
		s.settled()
	})
}

// Taken out: the drain. With one record left, the group would be moved and the
// record lost.
func TestNotDrainedWithOneRecordLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.onceStopped("a", func() { // just before the end: one record that d does not read
			s.worker("d").silent = true
			p := s.source.topics["t1"][0]
			s.source.group("gd").commits[cluster.TopicPartition{Topic: "t1"}] = cluster.Commit{Offset: int64(len(p.log))}
			s.produce(cluster.Source, "t1", 0)
		})
		r := s.apply()
		err := as[*executor.TimeoutError](t, r.Err)
		if !strings.Contains(err.Left, "t1: ") || !strings.Contains(err.What, `"gd"`) {
			t.Errorf("the message names %q, %q", err.What, err.Left)
		}
		if s.where("d") != "source" {
			t.Errorf("d runs on %q", s.where("d"))
		}
		if _, placed := s.commit(cluster.Target, "gd", cluster.TopicPartition{Topic: "t1"}); placed {
			t.Error("offsets were placed for a group that has not drained")
		}
	})
}

// Taken out: what the plan says of partitions without a commit. fail names
// them, latest leaves them behind, earliest waits until they are read.
func TestUncommitted(t *testing.T) {
	tp := cluster.TopicPartition{Topic: "t1", Partition: 1}
	setUp := func(t *testing.T, says string) *stage {
		s := chain(t, plan.ProductionFirst)
		s.migration().Groups.Named = []plan.NamedGroup{{Name: "gd", Uncommitted: says}}
		s.onceStopped("a", func() { // as if gd had never seen this partition
			s.worker("d").silent = true
			delete(s.source.group("gd").commits, tp)
			gone := cluster.TopicPartition{Topic: "t1"}
			s.source.group("gd").commits[gone] = cluster.Commit{Offset: int64(len(s.source.part(gone).log))}
		})
		return s
	}
	t.Run("fail", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			s := setUp(t, "fail")
			err := as[*executor.UncommittedError](t, s.apply().Err)
			if err.Group != "gd" || len(err.Partitions) != 1 || err.Partitions[0] != tp {
				t.Errorf("it names %+v", err)
			}
		})
	})
	t.Run("latest", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			s := setUp(t, "latest")
			s.when(graph.GroupAddress("gd", "drain"), func() { s.locked(func() { s.worker("d").silent = false }) })
			s.mustApply()
		})
	})
	t.Run("earliest", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			s := setUp(t, "earliest")
			var read time.Time
			time.AfterFunc(5*time.Minute, func() {
				s.locked(func() {
					s.source.group("gd").commits[tp] = cluster.Commit{Offset: int64(len(s.source.part(tp).log))}
					s.worker("d").silent = false
					read = time.Now()
				})
			})
			var drained time.Time
			s.when(graph.GroupAddress("gd", "drain"), func() { drained = time.Now() })
			s.mustApply()
			if read.IsZero() || drained.Before(read) {
				t.Errorf("drained at %s, read at %s", drained, read)
			}
		})
	})
}

// Taken out: the measure of inner topics before the placement. What a service
// wrote for itself on its way out would be lost.
func TestInnerTopicIsMeasuredAfterTheStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "s: t1 own (gs) -> own t2", "c: t2 (gc)")
		time.Sleep(time.Second)
		s.onCall = func(op, arg string) {
			if op == "stop on source" && arg == "s" {
				s.locked(func() { s.produce(cluster.Source, "own", 0) })
				s.onCall = nil
			}
		}
		r := s.apply()
		err := as[*executor.NotDrainedError](t, r.Err)
		if err.Group != "gs" || err.Partition.Topic != "own" {
			t.Errorf("it names %+v", err)
		}
		if s.where("s") != "source" {
			t.Errorf("s runs on %q", s.where("s"))
		}
		time.Sleep(time.Second) // it reads on there
		s.mustApply()
		s.settled()
	})
}

// recorder takes the complaints of a proof.
type recorder struct {
	testing.TB
	complaints []string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Errorf(format string, args ...any) { r.complaints = append(r.complaints, format) }

// The proof of these tests notices each safeguard that is left out; with all of
// them it has nothing to say (TestEveryCrashPoint).
func TestProofNoticesLeftOutSafeguards(t *testing.T) {
	for _, leave := range []executor.Safeguard{executor.Placement, executor.DrainWait, executor.Quiet} {
		t.Run(string(leave), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, plan.ProductionFirst)
				s.leaveOut = leave
				switch leave {
				case executor.DrainWait:
					s.onceStopped("a", func() {
						s.worker("d").silent = true
						s.produce(cluster.Source, "t1", 0)
					})
					s.when(graph.ServiceAddress("d", "stop"), func() { s.locked(func() { s.worker("d").silent = false }) })
				case executor.Quiet:
					s.when(graph.TopicAddress("t1", "boundary"), func() {
						time.AfterFunc(20*time.Second, func() { s.locked(func() { s.produce(cluster.Source, "t1", 0) }) })
					})
				case executor.Placement: // latest skips what a wrote meanwhile
				}
				s.apply()
				s.locked(func() { s.worker("a").idle = true })
				time.Sleep(time.Minute)
				s.end()
				r := &recorder{TB: t}
				s.prove(r, true)
				if len(r.complaints) == 0 {
					t.Error("nothing was lost, repeated or out of order")
				}
			})
		})
	}
}

// Taken out: the look at the positions just before the old consumers stop. With
// production_later nothing comes behind it that would notice: what a wrong look
// at the log has overlooked would be read by nobody (R7).
func TestPositionsBeforeTheOldConsumersStop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionLater)
		tp := cluster.TopicPartition{Topic: "t1", Partition: 0}
		var end, stood int64
		s.onEvent = func(e executor.Event) {
			if b, ok := e.(executor.StepStarted); ok && b.Step.Address == graph.ServiceAddress("d", "stop") {
				s.locked(func() { // as if the last records had only now been seen
					end = int64(len(s.source.part(tp).log))
					s.source.group("gd").commits[tp] = cluster.Commit{Offset: end - 5}
				})
			}
		}
		s.onCall = func(op, arg string) {
			if op == "stop on source" && arg == "d" {
				s.locked(func() { stood = s.source.group("gd").commits[tp].Offset })
			}
		}
		s.mustApply()
		if end < 5 || stood < end {
			t.Errorf("d was stopped at %d, and the log ends at %d", stood, end)
		}
	})
}

// A leader that is behind is no proof that nothing is left: the drain waits.
func TestDrainWaitsForALeaderThatIsBehind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
		p0, _ := tps("t1")
		looks := 0
		s.source.behind = func(tp cluster.TopicPartition) bool {
			if tp == p0 {
				looks++
			}
			return tp == p0 && looks < 3
		}
		s.onceStopped("a", func() {
			s.worker("c").silent = true // stands before the boundary, with nothing but a marker to come
			p := s.source.part(p0)
			p.log = append(p.log, entry{marker: true})
			s.source.group("gc").commits[p0] = cluster.Commit{Offset: int64(len(p.log)) - 1}
		})
		s.when(graph.GroupAddress("gc", "drain"), func() { s.locked(func() { s.worker("c").silent = false }) })
		s.mustApply()
		if looks < 3 {
			t.Errorf("%d looks: the test proves nothing", looks)
		}
	})
}

// Taken out: the look at the members. A drain that nobody brings to its end, as
// of a cron job's group, would say how many records are left, and not why.
func TestDrainSaysThatNobodyReads(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		s.locked(func() {
			s.source.group("gd").members = nil
			s.source.group("gd").commits[cluster.TopicPartition{Topic: "t1"}] = cluster.Commit{}
		})
		err := as[*executor.TimeoutError](t, s.apply().Err)
		if !strings.Contains(err.Left, "nobody reads with gd on the source now") {
			t.Errorf("it says %q", err.Left)
		}
	})
}
