package executor_test

import (
	"slices"
	"strings"
	"testing"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// Taken out: the look whether the target takes writes. A producer would be
// started where every write with acks=all fails, and nothing would say so.
func TestNobodyIsStartedWhereNobodyCanWrite(t *testing.T) {
	for name, after := range map[string]string{"before the stop": graph.TopicAddress("t1", "hold"), "before the start": graph.ServiceAddress("a", "stop")} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, plan.ProductionFirst)
				inSync := func(least string) func() {
					return func() {
						s.locked(func() {
							s.target.configs["t1"][cluster.MinInSync] = cluster.Config{Value: least, Source: cluster.SourceTopic}
						})
					}
				}
				s.when(after, inSync("2"))
				r := s.apply()
				err := as[*executor.NotWritableError](t, r.Err)
				if text := err.Error(); !strings.Contains(text, "t1[") || !strings.Contains(text, "Lower min.insync.replicas of the topic to 1") {
					t.Errorf("it says %s", text)
				}
				if s.where("a") != "source" || len(r.Stranded) > 0 {
					t.Errorf("a runs on %q, stranded %v", s.where("a"), r.Stranded)
				}
				if stopped := slices.Contains(s.journal.lines(), graph.ServiceAddress("a", "restore")+" done"); stopped != (name == "before the start") {
					t.Errorf("it was put back: %v", stopped)
				}
				inSync("1")()
				s.mustApply()
				s.settled()
			})
		})
	}
}

// A broker that restarts is waited for.
func TestReplicasThatComeBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.when(graph.TopicAddress("t1", "hold"), func() {
			s.locked(func() {
				s.target.configs["t1"][cluster.MinInSync] = cluster.Config{Value: "2", Source: cluster.SourceTopic}
			})
		})
		asked := 0
		s.onCall = func(op, _ string) {
			if op == "topics" {
				if asked++; asked > 100 {
					s.locked(func() {
						if s.target.configs["t1"] != nil {
							s.target.configs["t1"][cluster.MinInSync] = cluster.Config{Value: "1", Source: cluster.SourceTopic}
						}
					})
				}
			}
		}
		s.mustApply()
		s.settled()
	})
}
