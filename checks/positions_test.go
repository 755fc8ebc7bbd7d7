package checks_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// records says where data records lie; err is what the cluster answers instead,
// unread why what lies there cannot be read.
type records struct {
	at     map[cluster.TopicPartition][]int64
	err    error
	unread string
}

func (r *records) FirstRecord(_ context.Context, tp cluster.TopicPartition, from, before int64) (cluster.Record, bool, error) {
	if from >= before {
		return cluster.Record{}, false, nil
	}
	for _, o := range r.at[tp] {
		if o >= from && o < before {
			return cluster.Record{Offset: o, ProducerID: 4711, Unread: r.unread}, true, r.err
		}
	}
	return cluster.Record{}, false, r.err
}

type sides map[string]cluster.Side

func (s sides) TopicSide(topic string) cluster.Side { return s.side(topic) }
func (s sides) GroupSide(group string) cluster.Side { return s.side(group) }

func (s sides) side(name string) cluster.Side {
	if side, ok := s[name]; ok {
		return side
	}
	return cluster.Source
}

func refs(names ...string) []plan.NamedRef {
	var all []plan.NamedRef
	for _, n := range names {
		all = append(all, plan.NamedRef{Name: n})
	}
	return all
}

func tp(p int32) cluster.TopicPartition { return cluster.TopicPartition{Topic: "t", Partition: p} }

// observed is a finished migration of one group: two partitions with records,
// one that was always empty, everything in order.
func observed() (checks.Observed, *records) {
	ends := func(start, end int64) cluster.LogEnds {
		return cluster.LogEnds{LogStart: start, LogEnd: end, HighWatermark: end, LastStable: end}
	}
	group := func(commits map[cluster.TopicPartition]cluster.Commit) map[string]cluster.Group {
		return map[string]cluster.Group{"g": {ID: "g", Commits: commits}}
	}
	o := checks.Observed{
		Migration: &plan.Migration{
			Source: &plan.Cluster{Listener: plan.Listener{Bootstrap: []string{"old:9092"}}}, Target: &plan.Cluster{Listener: plan.Listener{Bootstrap: []string{"new:9092"}}},
			Services: []*plan.Service{
				{Name: "a", Produces: refs("t")},
				{Name: "c", Consumes: refs("t"), Groups: refs("g")},
				{Name: "d", Consumes: refs("t"), Groups: refs("g")},
			},
		},
		Source: cluster.Snapshot{
			LogEnds: map[cluster.TopicPartition]cluster.LogEnds{tp(0): ends(0, 10), tp(1): ends(5, 12), tp(2): ends(0, 0)},
			Groups:  group(map[cluster.TopicPartition]cluster.Commit{tp(0): {Offset: 10}, tp(1): {Offset: 11}}),
		},
		Target: cluster.Snapshot{
			LogEnds: map[cluster.TopicPartition]cluster.LogEnds{tp(0): ends(0, 3), tp(1): ends(0, 4), tp(2): ends(0, 0)},
			Groups:  group(map[cluster.TopicPartition]cluster.Commit{tp(0): {Offset: 3}, tp(1): {Offset: 0}, tp(2): {Offset: 0}}),
		},
		Sides:    sides{"t": cluster.Target, "g": cluster.Target},
		Boundary: map[cluster.TopicPartition]int64{tp(0): 10, tp(1): 12, tp(2): 0},
	}
	return o, &records{at: map[cluster.TopicPartition][]int64{tp(0): {0, 5, 9}, tp(1): {5, 10}}} // offset 11 is a marker
}

// One thing at a time is wrong, and one check says so; with nothing wrong all
// pass.
func TestPositions(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*checks.Observed, *records)
		check   string
		verdict diff.Verdict
		saw     string
	}{
		"in order": {change: func(*checks.Observed, *records) {}},
		"no offset on the target": {func(o *checks.Observed, _ *records) { delete(o.Target.Groups["g"].Commits, tp(1)) },
			checks.NameOffsets, diff.Fail, "no committed offset on t[1]"},
		"no offset where nothing was ever written": {change: func(o *checks.Observed, _ *records) { delete(o.Target.Groups["g"].Commits, tp(2)) }},
		"beyond the log end": {func(o *checks.Observed, _ *records) { o.Target.Groups["g"].Commits[tp(0)] = cluster.Commit{Offset: 4} },
			checks.NameOffsets, diff.Fail, "t[0] at 4, log end 3"},
		"before the log start": {func(o *checks.Observed, _ *records) {
			o.Target.LogEnds[tp(1)] = cluster.LogEnds{LogStart: 2, LogEnd: 4, HighWatermark: 4, LastStable: 4}
		}, checks.NameOffsets, diff.Fail, "t[1] at 0, log start 2"},
		"at the log start": {change: func(o *checks.Observed, _ *records) {
			o.Target.LogEnds[tp(0)] = cluster.LogEnds{LogStart: 3, LogEnd: 3, HighWatermark: 3, LastStable: 3}
		}},
		"forgotten by the source, read as the journal has it": {change: func(o *checks.Observed, _ *records) {
			o.Final = map[string]map[cluster.TopicPartition]cluster.Commit{"g": o.Source.Groups["g"].Commits}
			delete(o.Source.Groups, "g")
		}},
		"forgotten by the source, unread as the journal has it": {func(o *checks.Observed, _ *records) {
			o.Final = map[string]map[cluster.TopicPartition]cluster.Commit{"g": {tp(0): {Offset: 9}, tp(1): {Offset: 12}}}
			delete(o.Source.Groups, "g")
		}, checks.NameDrained, diff.Fail, "t[0] offset 9 is unread"},
		"forgotten by the source, never committed as the journal has it": {func(o *checks.Observed, _ *records) {
			o.Final = map[string]map[cluster.TopicPartition]cluster.Commit{"g": {}}
			delete(o.Source.Groups, "g")
		}, checks.NameDrained, diff.Fail, "is unread"},
		"forgotten by the source, and by the state": {func(o *checks.Observed, _ *records) { delete(o.Source.Groups, "g") },
			checks.NameDrained, diff.Unknown, "the source has no offsets of the group any more"},
		"what is left cannot be read": {func(o *checks.Observed, r *records) {
			o.Source.Groups["g"].Commits[tp(0)] = cluster.Commit{Offset: 9}
			r.unread = "its checksum is wrong"
		}, checks.NameDrained, diff.Unknown, "t[0] cannot be read at offset 9 (its checksum is wrong)"},
		"what lies behind the boundary cannot be read": {func(o *checks.Observed, r *records) {
			o.Source.LogEnds[tp(0)] = cluster.LogEnds{LogEnd: 12, HighWatermark: 12, LastStable: 12}
			r.at[tp(0)], r.unread = append(r.at[tp(0)], 11), "its checksum is wrong"
		}, checks.NameStray, diff.Unknown, "t[0] cannot be read at offset 11"},
		"unread behind a position": {func(o *checks.Observed, _ *records) { o.Source.Groups["g"].Commits[tp(0)] = cluster.Commit{Offset: 9} },
			checks.NameDrained, diff.Fail, "t[0] offset 9 is unread, before the boundary 10"},
		"position below a marker": {change: func(o *checks.Observed, _ *records) { o.Source.Groups["g"].Commits[tp(1)] = cluster.Commit{Offset: 11} }},
		"never committed, records there": {func(o *checks.Observed, _ *records) { delete(o.Source.Groups["g"].Commits, tp(0)) },
			checks.NameDrained, diff.Fail, "t[0] offset 0 is unread"},
		"never committed, deleted by retention": {change: func(o *checks.Observed, r *records) {
			delete(o.Source.Groups["g"].Commits, tp(0))
			e := o.Source.LogEnds[tp(0)]
			e.LogStart = 10
			o.Source.LogEnds[tp(0)] = e
		}},
		"never committed, latest": {change: func(o *checks.Observed, _ *records) {
			delete(o.Source.Groups["g"].Commits, tp(0))
			o.Migration.Groups.Named = []plan.NamedGroup{{Name: "g", Uncommitted: "latest"}}
		}},
		"a member on the source": {func(o *checks.Observed, _ *records) {
			g := o.Source.Groups["g"]
			g.Members = []cluster.Member{{ID: "x"}}
			o.Source.Groups["g"] = g
		}, checks.NameDrained, diff.Fail, "1 members on the source"},
		"a straggler": {func(o *checks.Observed, r *records) {
			o.Source.LogEnds[tp(0)] = cluster.LogEnds{LogEnd: 12, HighWatermark: 12, LastStable: 12}
			r.at[tp(0)] = append(r.at[tp(0)], 11)
		}, checks.NameStray, diff.Fail, "t[0] has a record at offset 11 of producer id 4711 behind the boundary 10"},
		"a marker behind the boundary": {change: func(o *checks.Observed, _ *records) {
			o.Source.LogEnds[tp(0)] = cluster.LogEnds{LogEnd: 11, HighWatermark: 11, LastStable: 11}
		}},
		"the source does not answer": {func(o *checks.Observed, r *records) {
			o.Source.LogEnds[tp(0)] = cluster.LogEnds{LogEnd: 11, HighWatermark: 11, LastStable: 11}
			o.Source.Groups["g"].Commits[tp(1)] = cluster.Commit{Offset: 12} // nothing to ask about
			r.err = errors.New("no answer")
		}, checks.NameStray, diff.Error, "no answer"},
		"the source does not answer about the drain": {func(o *checks.Observed, r *records) {
			o.Source.Groups["g"].Commits[tp(0)] = cluster.Commit{Offset: 9}
			r.err = errors.New("no answer")
		}, checks.NameDrained, diff.Error, "no answer"},
		"not moved, nothing committed": {func(o *checks.Observed, _ *records) {
			o.Sides, o.Boundary = sides{}, nil
			delete(o.Source.Groups["g"].Commits, tp(0))
		}, checks.NameOffsets, diff.Unknown, "no committed offset on t[0]"},
		"not moved, earliest": {change: func(o *checks.Observed, _ *records) {
			o.Sides, o.Boundary = sides{}, nil
			delete(o.Source.Groups["g"].Commits, tp(0))
			o.Migration.Groups.Named = []plan.NamedGroup{{Name: "g", Uncommitted: "earliest"}}
		}},
		"not moved, still behind": {change: func(o *checks.Observed, _ *records) {
			o.Sides, o.Boundary = sides{}, nil
			o.Source.Groups["g"].Commits[tp(0)] = cluster.Commit{Offset: 1}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o, r := observed()
			c.change(&o, r)
			results := checks.Positions(t.Context(), o, r)
			if len(results) < 2 {
				t.Fatalf("%d results: the group has to be asked about once for each question", len(results))
			}
			failing := checks.Failing(results)
			if c.check == "" {
				for _, f := range failing {
					t.Errorf("%s fails: %s", f.Name, f.Saw)
				}
				return
			}
			if len(failing) != 1 || failing[0].Name != c.check || failing[0].Verdict != c.verdict || !strings.Contains(failing[0].Saw, c.saw) {
				t.Errorf("failing: %+v", failing)
			}
			for _, f := range failing {
				if waivers.MatchString(f.Advice) { // it is none that a plan can waive
					t.Errorf("the plan would refuse what is advised: %s", f.Advice)
				}
				if f.Advice == "" || f.Asked == "" || f.Object.Name == "" {
					t.Errorf("no advice: %+v", f)
				}
			}
		})
	}
}
