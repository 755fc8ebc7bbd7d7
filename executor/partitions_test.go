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

// add gives a topic of a side one more partition, which its consumers find.
func (s *stage) add(side cluster.Side, topic string) {
	l := s.on(side)
	l.topics[topic] = append(l.topics[topic], &partition{})
	for g := range l.groups {
		s.assign(side, g)
	}
}

// Taken out: the look at the partitions before a stop, or at the boundary. The
// producers would start on a target with fewer, and with a mirror the service
// would stand stopped for the whole drain_timeout.
func TestPartitionsAddedWhileApplyRuns(t *testing.T) {
	for name, c := range map[string]struct {
		scheme plan.SchemeKind
		mirror bool
		after  string
	}{
		"before the stop":         {plan.ProductionFirst, false, graph.TopicAddress("t1", "hold")},
		"at the boundary":         {plan.ProductionFirst, false, graph.ServiceAddress("a", "stop")},
		"before the stop, mirror": {plan.ProductionFirst, true, graph.MirrorAddress("", "start")},
		"at the boundary, mirror": {plan.ProductionFirst, true, graph.ServiceAddress("a", "stop")},
		"consumers there already": {plan.ProductionLater, false, graph.GroupAddress("gd", "joined")},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, c.scheme)
				if c.mirror {
					mirrored(s)
				}
				s.when(c.after, func() { s.locked(func() { s.add(cluster.Source, "t1") }) })
				s.onCall = func(op, arg string) {
					if op == "partitions" { // clients hear of new partitions later
						time.AfterFunc(10*time.Second, func() {
							s.locked(func() {
								for g := range s.target.groups {
									s.assign(cluster.Target, g)
								}
							})
						})
					}
				}
				s.mustApply()
				if n := len(s.target.topics["t1"]); n != 3 {
					t.Errorf("t1 has %d partitions on the target", n)
				}
				said := false
				for _, e := range s.events {
					n, ok := e.(executor.Noted)
					said = said || ok && strings.Contains(n.Text, "t1 has got partitions on the source: 3 by now, 2 in the diff")
				}
				if !said {
					t.Error("nothing was said about it")
				}
				s.end()
			})
		})
	}
}

// Taken out: the end before anything is stopped. A topic that kplan has not
// created is not its to grow.
func TestPartitionsOfATopicOfOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		s.locked(func() { s.target.create("t1", 2) })
		s.when(graph.TopicAddress("t1", "hold"), func() { s.locked(func() { s.add(cluster.Source, "t1") }) })
		r := s.apply()
		err := as[*executor.PartitionsError](t, r.Err)
		if err.Source != 3 || err.Target != 2 || !strings.Contains(err.Error(), "--alter --topic t1 --partitions 3") {
			t.Errorf("it says: %v", err)
		}
		if s.where("a") != "source" || len(r.Restored)+len(r.Stranded)+len(r.Stopped) > 0 {
			t.Errorf("a runs on %q, %+v: nothing was to be stopped", s.where("a"), r)
		}
		s.locked(func() { s.target.topics["t1"] = append(s.target.topics["t1"], &partition{}) })
		s.mustApply()
		s.settled()
	})
}

// Taken out: the watch of partitions that a topic gets behind its boundary. What
// somebody writes there is in no drain and on no target.
func TestStragglerInANewPartition(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.onceStopped("a", func() { // the drain of d lasts
			s.worker("d").silent = true
			s.produce(cluster.Source, "t1", 0)
		})
		s.when(graph.TopicAddress("t1", "boundary"), func() {
			time.AfterFunc(3*time.Second, func() {
				s.locked(func() {
					s.add(cluster.Source, "t1")
					s.source.topics["t1"][2].log = []entry{{key: 0, seq: 1 << 20, pid: 4711}}
				})
			})
		})
		err := as[*executor.StrayWriterError](t, s.apply().Err)
		if err.Partition.Partition != 2 || err.Offset != 0 || err.ProducerID != 4711 {
			t.Errorf("it names %+v", err)
		}
	})
}

// What differs in the diff has been seen and is no news.
func TestFewerPartitionsFromTheBeginning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		s.locked(func() { s.target.create("t1", 1) })
		s.mustApply()
		s.settled()
	})
}

// Taken out: the difference between a group that is waited for and one of which no
// member is to be seen. A person would be asked at a step of the producers, which
// may stand stopped.
func TestNobodyIsAskedAboutNewPartitions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionLater, "a: -> t1", "d: t1 (gd)")
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
		s.when(graph.GroupAddress("gd", "joined"), func() { s.locked(func() { s.add(cluster.Source, "t1") }) })
		noted := func(text string) (said bool) {
			for _, e := range s.events {
				n, ok := e.(executor.Noted)
				said = said || ok && strings.Contains(n.Text, text)
			}
			return said
		}
		for range 4 {
			r := s.apply()
			if r.Err != nil || len(r.Stopped) > 0 {
				t.Fatalf("%v, stopped %v", r.Err, r.Stopped)
			}
			for _, p := range r.Parked {
				if a := p.Step.Address; a != graph.GroupAddress("gd", "joined") && a != graph.GroupAddress("gd", "works") {
					t.Fatalf("a person is asked at %s: %s", a, p.Instruction)
				}
				s.inbox.done(p.Step.Address)
			}
		}
		if n := len(s.target.topics["t1"]); n != 3 || !noted(`group "gd" has no member on the target, so nobody reads the partitions there that were added`) {
			t.Errorf("t1 has %d partitions on the target, and of its readers nothing is said", n)
		}
	})
}
