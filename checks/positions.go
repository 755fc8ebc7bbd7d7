package checks

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// Records looks whether a range of a partition holds data records.
type Records interface {
	FirstRecord(ctx context.Context, tp cluster.TopicPartition, from, before int64) (cluster.Record, bool, error)
}

// Sides is where topics are written and groups read, as the journal has it.
type Sides interface {
	TopicSide(topic string) cluster.Side
	GroupSide(group string) cluster.Side
}

// Observed is what the position checks judge.
type Observed struct {
	Migration *plan.Migration
	Source    cluster.Snapshot
	Target    cluster.Snapshot
	Sides     Sides
	Boundary  map[cluster.TopicPartition]int64 // of the topics whose writers have moved

	// Final is where groups stood that have left the source, as the journal has it;
	// a group that has not is absent.
	Final map[string]map[cluster.TopicPartition]cluster.Commit
}

// Positions asks of every group that a service owns whether it has a valid
// offset on every partition on the side where it reads (R9), whether it left
// anything unread behind (R7), and of every moved topic whether anybody still
// writes on the source (R6).
func Positions(ctx context.Context, o Observed, source Records) []Result {
	var all []Result
	seen := map[string]bool{}
	for _, s := range o.Migration.Services {
		for _, g := range s.Groups {
			if !seen[g.Name] {
				seen[g.Name] = true
				all = append(all, o.placed(g.Name), o.left(ctx, g.Name, source))
			}
		}
	}
	topics := map[string]bool{}
	for tp := range o.Boundary {
		topics[tp.Topic] = true
	}
	names := make([]string, 0, len(topics))
	for t := range topics {
		names = append(names, t)
	}
	sort.Strings(names)
	for _, t := range names {
		all = append(all, o.strays(ctx, t, source))
	}
	return all
}

func (o Observed) cluster(side cluster.Side) *plan.Cluster {
	if side == cluster.Target {
		return o.Migration.Target
	}
	return o.Migration.Source
}

func (o Observed) on(side cluster.Side) cluster.Snapshot {
	if side == cluster.Target {
		return o.Target
	}
	return o.Source
}

// topicsOf are the topics that the group's owners consume.
func (o Observed) topicsOf(group string) map[string]bool {
	topics := map[string]bool{}
	for _, s := range o.Migration.Services {
		for _, g := range s.Groups {
			if g.Name != group {
				continue
			}
			for _, t := range s.Consumes {
				topics[t.Name] = true
			}
		}
	}
	return topics
}

// placed judges the group's offsets on the side where it reads.
func (o Observed) placed(group string) Result {
	side := o.Sides.GroupSide(group)
	snap := o.on(side)
	r := Result{
		Name: NameOffsets, Object: diff.Object{Kind: "group", Name: group},
		Asked: fmt.Sprintf("has the group a valid offset on every partition on the %s?", side), Verdict: diff.Pass,
	}
	topics, commits := o.topicsOf(group), snap.Groups[group].Commits
	var missing, beyond, before []string
	partitions := 0
	for tp, ends := range snap.LogEnds {
		if !topics[tp.Topic] {
			continue
		}
		partitions++
		c, ok := commits[tp]
		switch {
		case !ok && ends.LastStable > ends.LogStart:
			missing = append(missing, tp.String())
		case ok && c.Offset > ends.LogEnd:
			beyond = append(beyond, fmt.Sprintf("%s at %d, log end %d", tp, c.Offset, ends.LogEnd))
		case ok && c.Offset < ends.LogStart:
			before = append(before, fmt.Sprintf("%s at %d, log start %d", tp, c.Offset, ends.LogStart))
		}
	}
	sort.Strings(missing)
	sort.Strings(beyond)
	sort.Strings(before)
	r.Saw = fmt.Sprintf("%d partitions on the %s", partitions, side)
	switch {
	case len(beyond) > 0:
		r.Verdict, r.Saw = diff.Fail, "committed beyond the log end: "+strings.Join(beyond, ", ")
		r.Advice = "The consumers will fall back to auto.offset.reset there. While the group is stopped, reset it: " + diff.ResetToEnd(o.cluster(side), group, diff.Beyond(o.Migration, snap, group))
	case len(before) > 0:
		r.Verdict, r.Saw = diff.Fail, "committed before the log start: "+strings.Join(before, ", ")
		r.Advice = "Records were deleted before the group read them, and its consumers will fall back to auto.offset.reset there: " +
			"while it is stopped, reset it (kafka-consumer-groups.sh --reset-offsets --to-earliest), and look at the topic's retention.ms"
	case len(missing) > 0 && side == cluster.Target:
		r.Verdict, r.Saw = diff.Fail, "no committed offset on "+strings.Join(missing, ", ")
		r.Advice = "Without one, auto.offset.reset decides what is read: commit an offset there"
	case len(missing) > 0 && o.Migration.Groups.Uncommitted(group) == "fail":
		r.Verdict, r.Saw = diff.Unknown, "no committed offset on "+strings.Join(missing, ", ")+", which hold records"
		r.Advice = fmt.Sprintf("If it stays so, the drain fails (R7): groups { group %q { uncommitted = \"earliest\" } } or \"latest\"", group)
	}
	return r
}

// left judges whether a group that has moved left anything unread before the
// boundary, or somebody who still reads.
func (o Observed) left(ctx context.Context, group string, source Records) Result {
	r := Result{
		Name: NameDrained, Object: diff.Object{Kind: "group", Name: group},
		Asked: "is nothing unread and nobody reading on the source?", Verdict: diff.Pass,
	}
	if o.Sides.GroupSide(group) != cluster.Target {
		r.Saw = "it still reads on the source, as recorded"
		return r
	}
	g := o.Source.Groups[group]
	if len(g.Members) > 0 {
		r.Verdict, r.Saw = diff.Fail, fmt.Sprintf("%d members on the source", len(g.Members))
		r.Advice = "Stop whoever reads there: the group has moved"
		return r
	}
	topics := o.topicsOf(group)
	for tp, b := range o.Boundary {
		c, committed := g.Commits[tp]
		if final, left := o.Final[group]; !committed && left {
			c, committed = final[tp] // the source may have forgotten it
		}
		if !topics[tp.Topic] || committed && c.Offset >= b {
			continue
		}
		from := max(c.Offset, o.Source.LogEnds[tp].LogStart)
		if !committed && o.Migration.Groups.Uncommitted(group) == "latest" {
			continue
		}
		rec, found, err := source.FirstRecord(ctx, tp, from, b)
		if err != nil {
			r.Verdict, r.Saw = diff.Error, err.Error()
			r.Advice = "Run verify again when the source answers"
			return r
		}
		if _, left := o.Final[group]; found && !committed && !left && len(g.Commits) == 0 {
			r.Verdict = diff.Unknown
			r.Saw = fmt.Sprintf("the source has no offsets of the group any more (offsets.retention.minutes), and the state none of when it left: whether %s offset %d was read cannot be told", tp, rec.Offset)
			r.Advice = "Nothing is to be done if the group had read everything when it left; its service's own records may tell"
			return r
		}
		if found && rec.Unread != "" {
			return unreadable(r, tp, rec)
		}
		if found {
			r.Verdict, r.Saw = diff.Fail, fmt.Sprintf("%s offset %d is unread, before the boundary %d", tp, rec.Offset, b)
			r.Advice = "These records were not handled by the group: replay them"
			return r
		}
	}
	r.Saw = "everything before the boundary is read, nobody is there"
	return r
}

// strays judges whether records lie behind the boundary of a moved topic.
func (o Observed) strays(ctx context.Context, topic string, source Records) Result {
	r := Result{
		Name: NameStray, Object: diff.Object{Kind: "topic", Name: topic},
		Asked: "does nobody write on the source any more?", Verdict: diff.Pass, Saw: "nothing behind the boundary",
	}
	for tp, b := range o.Boundary {
		if tp.Topic != topic {
			continue
		}
		end := o.Source.LogEnds[tp].LastStable
		if end <= b {
			continue
		}
		rec, found, err := source.FirstRecord(ctx, tp, b, end)
		if err != nil {
			r.Verdict, r.Saw, r.Advice = diff.Error, err.Error(), "Run verify again when the source answers"
			return r
		}
		if found && rec.Unread != "" {
			return unreadable(r, tp, rec)
		}
		if found {
			r.Verdict = diff.Fail
			r.Saw = fmt.Sprintf("%s has a record at offset %d of producer id %d behind the boundary %d", tp, rec.Offset, rec.ProducerID, b)
			r.Advice = "Find and stop the writer; its records are not on the target"
			return r
		}
	}
	return r
}

// unreadable is for a batch that nobody can look into: whether it holds records is
// not known.
func unreadable(r Result, tp cluster.TopicPartition, rec cluster.Record) Result {
	r.Verdict = diff.Unknown
	r.Saw = fmt.Sprintf("%s cannot be read at offset %d (%s)", tp, rec.Offset, rec.Unread)
	r.Advice = "Look at the log on the broker that leads it (kafka-dump-log.sh), and whether consumers get past it"
	return r
}
