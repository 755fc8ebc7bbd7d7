package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// commitInterval is the longest pause between commits that clients have by
// default (Java's auto.commit.interval.ms). A position that stands still for
// longer is final.
const commitInterval = 5 * time.Second

// evictAfter is how long members that went without saying so may stay before
// they are removed; a clean client is out at once.
const evictAfter = 3 * time.Second

// vacate waits until nobody is in the group on the source, removes members
// that went without saying so, and notes the final positions (R9).
func vacate(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	removed, err := r.empty(ctx, s)
	if err != nil {
		return nil, "", err
	}
	if err := r.undecided(ctx, s); err != nil {
		return nil, "", err
	}
	topics, err := r.allPartitions(ctx, s.AllTopics())
	if err != nil {
		return nil, "", err
	}
	final, err := r.Source.StableCommits(ctx, s.Group, topics)
	if err != nil {
		return nil, "", err
	}
	settle := min(r.Plan.Migration.Scheme.QuietFor, commitInterval)
	for since := r.Clock.Now(); r.Clock.Now().Sub(since) < settle; {
		if err := r.tick(ctx); err != nil {
			return nil, "", err
		}
		now, err := r.Source.StableCommits(ctx, s.Group, topics)
		if err != nil {
			return nil, "", err
		}
		for tp, c := range now {
			if c.Offset != final[tp].Offset {
				since = r.Clock.Now()
			}
		}
		final = now
	}
	if r.status(graph.GroupAddress(s.Group, "place")) == state.Done {
		if err := r.flip("", s.Group, cluster.Target); err != nil { // production_later
			return nil, "", err
		}
	}
	text := fmt.Sprintf("nobody reads with %s on the source", s.Group)
	if removed > 0 {
		text += fmt.Sprintf("; %s that had not said goodbye removed", plural(removed, "member"))
	}
	return vacateFacts{Final: final}, text, nil
}

// undecided waits until no open transaction holds the group's offsets: one that
// has only announced them does not show in the committed position and may still
// move it (R9). A producer that died leaves one until its timeout.
func (r *run) undecided(ctx context.Context, s *graph.Step) error {
	for began := r.Clock.Now(); ; {
		open, err := r.Source.OffsetTransactions(ctx, s.Group)
		if errors.Is(err, cluster.ErrTransactionsUnknown) {
			r.emit(Noted{Text: fmt.Sprintf("whether a transaction still holds offsets of group %s cannot be asked: %v", s.Group, err)})
			return nil
		}
		if err != nil || len(open) == 0 {
			return err
		}
		text := "transactions that hold its offsets are open: " + strings.Join(open, ", ")
		if limit := r.limit(s, r.Plan.Migration.Scheme.DrainTimeout); r.Clock.Now().Sub(began) > limit {
			return &TimeoutError{What: fmt.Sprintf("the end of the transactions of group %q", s.Group), Limit: limit, Left: text,
				Do: "End or abort them (kafka-transactions.sh), then apply again"}
		}
		r.progress(s, StepProgress{Text: text})
		if err := r.tick(ctx); err != nil {
			return err
		}
	}
}

// empty waits until the group has no members on the source.
func (r *run) empty(ctx context.Context, s *graph.Step) (removed int, err error) {
	began := r.Clock.Now()
	for {
		group, err := r.Source.Group(ctx, s.Group)
		if err != nil {
			return removed, err
		}
		if len(group.Members) == 0 {
			return removed, nil
		}
		if waited := r.Clock.Now().Sub(began); waited > evictAfter {
			if removed > 0 && waited > 2*evictAfter+settleGrace {
				return removed, &MembersError{Group: s.Group, Side: cluster.Source, Members: group.Members}
			}
			if err := r.gone(ctx, s.Owners, s.Address); err != nil {
				return removed, err
			}
			if err := r.Source.RemoveMembers(context.WithoutCancel(ctx), s.Group, group.Members); err != nil {
				return removed, err
			}
			removed = max(removed, len(group.Members))
		}
		r.progress(s, StepProgress{Text: fmt.Sprintf("%s still in the group", plural(len(group.Members), "member"))})
		if err := r.tick(ctx); err != nil {
			return removed, err
		}
	}
}

// allPartitions lists the partitions of topics on the source.
func (r *run) allPartitions(ctx context.Context, topics []string) (map[string][]int32, error) {
	ends, err := r.Source.LogEnds(ctx, topics)
	if err != nil {
		return nil, err
	}
	return partitionsOf(ends), nil
}

// place gives the group an offset on every partition on the target, where what
// services write begins: without one, auto.offset.reset decides, and latest
// loses what was written meanwhile (R9).
func place(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	if r.LeaveOut == Placement {
		return nil, "left out", nil
	}
	final, err := r.finalPositions(ctx, s)
	if err != nil {
		return nil, "", err
	}
	facts := placeFacts{}
	if facts.Placed, err = r.wanted(ctx, s, final); err != nil {
		return nil, "", err
	}
	group, err := r.Target.Group(ctx, s.Group)
	if err != nil {
		return nil, "", err
	}
	if len(group.Members) > 0 {
		return nil, "", &MembersError{Group: s.Group, Side: cluster.Target, Members: group.Members}
	}
	parts := partitionsOf(facts.Placed)
	if facts.Before, err = r.Target.StableCommits(ctx, s.Group, parts); err != nil {
		return nil, "", err
	}
	if r.wasStarted(s.Owners) {
		keepAhead(facts.Placed, facts.Before)
	}
	if err := r.mark(s, state.Running, facts, nil); err != nil {
		return nil, "", err
	}
	if r.status(graph.GroupAddress(s.Group, "vacate")) == state.Done {
		if err := r.flip("", s.Group, cluster.Target); err != nil {
			return nil, "", err
		}
	}
	if err := r.Target.Commit(context.WithoutCancel(ctx), s.Group, facts.Placed); err != nil {
		return nil, "", err
	}
	now, err := r.Target.StableCommits(ctx, s.Group, parts)
	if err != nil {
		return nil, "", err
	}
	for tp, want := range facts.Placed {
		if got, ok := now[tp]; !ok || got.Offset != want.Offset {
			return nil, "", &MovedError{Group: s.Group, Partition: tp, Side: cluster.Target, From: want.Offset, To: got.Offset}
		}
	}
	return facts, fmt.Sprintf("offsets of %s placed on %s", s.Group, plural(len(facts.Placed), "partition")), nil
}

// wanted is where the group has to begin on the target: where the services'
// records begin, or with a mirror where its final positions are there. A partition that the topic has got since the hold is read from
// its start. An offset outside the log would make the consumer fall back to
// auto.offset.reset, so it is refused.
func (r *run) wanted(ctx context.Context, s *graph.Step, final map[cluster.TopicPartition]cluster.Commit) (map[cluster.TopicPartition]cluster.Commit, error) {
	base := offsets{}
	if r.Mirror != nil {
		var err error
		if base, err = r.translated(ctx, s, final); err != nil {
			return nil, err
		}
	}
	for _, t := range s.AllTopics() {
		if r.Mirror != nil {
			break
		}
		var held holdFacts
		if err := r.decode(graph.TopicAddress(t, "hold"), &held); err != nil {
			return nil, err
		}
		for tp, at := range held.Base {
			base[tp] = at
		}
	}
	ends, err := r.Target.LogEnds(ctx, s.AllTopics())
	if err != nil {
		return nil, err
	}
	placed := map[cluster.TopicPartition]cluster.Commit{}
	for tp, e := range ends {
		at, held := base[tp]
		if !held {
			at = e.LogStart
		}
		if at < e.LogStart || at > e.LogEnd {
			return nil, &OutsideError{Group: s.Group, Partition: tp, Offset: at, LogStart: e.LogStart, LogEnd: e.LogEnd}
		}
		placed[tp] = cluster.Commit{Offset: at, Metadata: final[tp].Metadata}
	}
	return placed, nil
}

// stillPlaced places the group's offsets again where the cluster has forgotten
// them before the first start: a start that waits for a person may wait longer
// than offsets.retention.minutes (R9).
func (r *run) stillPlaced(ctx context.Context, group string) error {
	if r.LeaveOut == Placement {
		return nil
	}
	var facts placeFacts
	if err := r.decode(graph.GroupAddress(group, "place"), &facts); err != nil {
		return err
	}
	now, err := r.Target.StableCommits(ctx, group, partitionsOf(facts.Placed))
	if err != nil {
		return err
	}
	forgotten := map[cluster.TopicPartition]cluster.Commit{}
	for tp, want := range facts.Placed {
		if _, ok := now[tp]; !ok {
			forgotten[tp] = want
		}
	}
	if len(forgotten) == 0 {
		return nil
	}
	r.emit(Noted{Text: fmt.Sprintf("the target has forgotten %s of group %s; they are placed again", plural(len(forgotten), "offset"), group)})
	return r.Target.Commit(context.WithoutCancel(ctx), group, forgotten)
}

// wasStarted reports whether any of the services was ever started on the
// target, in this attempt or one that was undone: what its groups have read
// there is not read again.
func (r *run) wasStarted(services []string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range services {
		if r.state.Steps[startOf(name)].Attempt > 0 {
			return true
		}
	}
	return false
}

// keepAhead never rewinds: where a group that has read on the target stands
// further than what would be placed, its own position stays.
func keepAhead(placed, before map[cluster.TopicPartition]cluster.Commit) {
	for tp, want := range placed {
		if had, ok := before[tp]; ok && had.Offset > want.Offset {
			placed[tp] = had
		}
	}
}

// finalPositions reads where the group stands on the source and, where it has
// stopped there, proves that everything before the boundary has been read.
func (r *run) finalPositions(ctx context.Context, s *graph.Step) (map[cluster.TopicPartition]cluster.Commit, error) {
	topics := s.AllTopics()
	if r.status(graph.GroupAddress(s.Group, "vacate")) != state.Done {
		parts, err := r.allPartitions(ctx, topics) // production_later: it reads on
		if err != nil {
			return nil, err
		}
		return r.Source.StableCommits(ctx, s.Group, parts)
	}
	if err := r.unmoved(ctx, s.Group); err != nil {
		return nil, err
	}
	var facts vacateFacts
	if err := r.decode(graph.GroupAddress(s.Group, "vacate"), &facts); err != nil {
		return nil, err
	}
	if r.LeaveOut == DrainWait {
		return facts.Final, nil
	}
	if err := r.withinLog(ctx, s.Group, topics, facts.Final); err != nil {
		return nil, err
	}
	return facts.Final, r.readBefore(ctx, s.Group, topics, facts.Final)
}

// readBefore proves that a group has read everything before the boundaries of
// topics, or names the first record that it has not.
func (r *run) readBefore(ctx context.Context, group string, topics []string, final map[cluster.TopicPartition]cluster.Commit) error {
	bounds, err := r.boundsOf(topics)
	if err != nil {
		return err
	}
	for tp, b := range bounds {
		commit, committed := final[tp]
		if committed && commit.Offset >= b || !committed && r.Plan.Migration.Groups.Uncommitted(group) == "latest" {
			continue
		}
		from := commit.Offset
		if !committed {
			ends, err := r.Source.LogEnds(ctx, []string{tp.Topic})
			if err != nil {
				return err
			}
			from = ends[tp].LogStart
		}
		rec, ok, err := r.Source.FirstRecord(ctx, tp, from, b)
		if err != nil {
			return err
		}
		if ok {
			return &NotDrainedError{Group: group, Partition: tp, Position: from, Record: rec.Offset, Boundary: b}
		}
	}
	return nil
}

// withinLog refuses final positions beyond the end of the source's log, unless
// the plan says that such a group has read everything.
func (r *run) withinLog(ctx context.Context, group string, topics []string, final map[cluster.TopicPartition]cluster.Commit) error {
	if r.Plan.Migration.Groups.BeyondEnd(group) == "end" {
		return nil
	}
	ends, err := r.Source.LogEnds(ctx, topics)
	if err != nil {
		return err
	}
	for tp, c := range final {
		if e, known := ends[tp]; known && c.Offset > e.LogEnd {
			return &BeyondError{Group: group, Partition: tp, Offset: c.Offset, LogEnd: e.LogEnd}
		}
	}
	return nil
}
