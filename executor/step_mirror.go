package executor

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// copyFacts: up to where topics were copied, and where the target's logs end
// with that.
type copyFacts struct {
	Bounds offsets `json:"bounds"`
	Ends   offsets `json:"ends"`
}

// endFacts: the topics whose copy a step has ended, in all of its runs.
type endFacts struct {
	Topics []string `json:"topics"`
}

// NotMirroredError says that records are on the target that no copy has
// brought there (R1, R14).
type NotMirroredError struct {
	Partition cluster.TopicPartition
	Copied    int64 // where the copy ends on the target
	LogEnd    int64
}

func (e *NotMirroredError) Error() string {
	return fmt.Sprintf("%s: the target's log ends at %d, and the copy at %d: somebody else writes there (R14). Stop and deny whoever it is (what is at offset %d tells), then copy the partition anew", e.Partition, e.LogEnd, e.Copied, e.Copied)
}

// mirrorDrain waits until everything before the boundary is on the target, and
// nothing else: its log end and high watermark are where the copy ends (R4).
func mirrorDrain(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	topics := r.stillCopied(s)
	var bounds offsets
	var err error
	if s.Topic != "" {
		bounds, err = r.boundsOf(topics)
	} else if err = r.samePartitions(ctx, s, topics); err == nil {
		bounds, err = r.stableEnds(ctx, topics)
	}
	if err != nil {
		return nil, "", err
	}
	began := r.Clock.Now()
	for {
		ends, err := r.drainedTo(ctx, s, topics, bounds)
		if err != nil {
			return nil, "", err
		}
		if ends != nil {
			return copyFacts{Bounds: bounds, Ends: ends}, fmt.Sprintf("everything of %s is on the target", topicsOf(s)), nil
		}
		if err := r.tellLag(ctx, s, topics); err != nil {
			return nil, "", err
		}
		if limit := r.limit(s, r.Plan.Migration.Scheme.DrainTimeout); r.Clock.Now().Sub(began) > limit {
			lag, err := r.Mirror.Lag(ctx, topics)
			if err != nil {
				return nil, "", err
			}
			return nil, "", &TimeoutError{What: "the copy of " + topicsOf(s) + " coming to its end", Limit: limit,
				Left: lag.String(),
				Do:   "Look at what limits the mirror (kplan mirror's metrics, the target's replicas, a throttle), then apply again"}
		}
		if err := r.tick(ctx); err != nil {
			return nil, "", err
		}
	}
}

func topicsOf(s *graph.Step) string {
	if s.Topic != "" {
		return s.Topic
	}
	return plural(len(s.Topics), "topic")
}

// drainedTo returns where the target's logs end when all before the bounds is
// copied, nil while something is missing: what the mirror says is proven by the
// target's own log ends (R4, R5). Topics that no service uses may go on to be
// written, and copied, behind the bounds.
func (r *run) drainedTo(ctx context.Context, s *graph.Step, topics []string, bounds offsets) (offsets, error) {
	copied, err := r.Mirror.Translate(ctx, bounds)
	if err != nil || len(copied) < len(bounds) {
		return nil, err
	}
	ends, err := r.Target.LogEnds(ctx, topics)
	if err != nil {
		return nil, err
	}
	proven := offsets{}
	for tp, place := range copied {
		e, told := ends[tp]
		want := place.Latest // all of it was acknowledged
		switch {
		case told && e.LogEnd > want && s.Topic != "":
			return nil, &NotMirroredError{Partition: tp, Copied: want, LogEnd: e.LogEnd}
		case !told || e.LogEnd < want || e.HighWatermark < want:
			return nil, nil
		}
		proven[tp] = want
	}
	return proven, nil
}

// mirrorStop ends the copy. Where it ended must be where it still ends: what
// comes behind is the services'.
func mirrorStop(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	topics := r.stillCopied(s)
	if err := r.endCopy(ctx, s, topics); err != nil {
		return nil, "", err
	}
	text := "nothing is copied to " + topicsOf(s) + " any more"
	if s.Topic == "" { // no hold and no release come behind
		if err := r.stillThere(ctx, topics); err != nil {
			return nil, "", err
		}
		return endFacts{Topics: slices.Concat(slices.Sorted(maps.Keys(r.endedRest())), topics)}, text, r.giveBack(ctx, topics)
	}
	facts, err := r.copyEnds(topics)
	if err != nil {
		return nil, "", err
	}
	ends, err := r.Target.LogEnds(ctx, topics)
	if err != nil {
		return nil, "", err
	}
	for tp, want := range facts.Ends {
		if e := ends[tp].LogEnd; e != want {
			return nil, "", &NotMirroredError{Partition: tp, Copied: want, LogEnd: e}
		}
	}
	return nil, text, nil
}

// LostCopyError says that the target does not have any more what was copied.
type LostCopyError struct {
	Partition cluster.TopicPartition
	Copied    int64 // where the copy ended on the target, at least
	LogEnd    int64
}

func (e *LostCopyError) Error() string {
	return fmt.Sprintf("%s: the target's log ends at %d, and the copy had been there up to %d: records are lost there, as by an unclean election. Copy the partition anew", e.Partition, e.LogEnd, e.Copied)
}

// stillThere looks once more, now that nothing is copied any more, whether the
// target has what the drain of topics without services has seen there.
func (r *run) stillThere(ctx context.Context, topics []string) error {
	var facts copyFacts
	if !r.hasFacts(graph.RestDrain) {
		return nil
	}
	if err := r.decode(graph.RestDrain, &facts); err != nil {
		return err
	}
	ends, err := r.Target.LogEnds(ctx, topics)
	if err != nil {
		return err
	}
	for tp, want := range facts.Ends {
		if e, told := ends[tp]; told && e.LogEnd < want {
			return &LostCopyError{Partition: tp, Copied: want, LogEnd: e.LogEnd}
		}
	}
	return nil
}

// endCopy waits until no process of the mirror writes to the topics any more,
// and says so: services stand still meanwhile.
func (r *run) endCopy(ctx context.Context, s *graph.Step, topics []string) error {
	limit := r.limit(s, r.Plan.Migration.Scheme.DrainTimeout)
	ending, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("nothing was heard for %s", limit))
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.Mirror.End(ending, topics) }()
	for {
		select {
		case err := <-ended:
			return err
		case <-r.Clock.After(r.Poll):
			r.progress(s, StepProgress{Text: "waiting until the mirror writes no more; a worker that was killed is waited for until its lease and its requests have run out"})
		}
	}
}

// stillCopied returns the topics of a step whose copy has not ended before.
func (r *run) stillCopied(s *graph.Step) []string {
	if s.Topic != "" {
		return []string{s.Topic}
	}
	ended := r.endedRest()
	return slices.DeleteFunc(slices.Clone(s.Topics), func(t string) bool { return ended[t] })
}

// translated is where the group has to begin on the target: at the places of
// its final positions, never at the boundary (R9). Positions behind the boundary
// are at the end of the copy, as long as nothing but markers lies between: a
// transaction that wrote nothing may leave one there (R4).
func (r *run) translated(ctx context.Context, s *graph.Step, final map[cluster.TopicPartition]cluster.Commit) (offsets, error) {
	ends, err := r.Source.LogEnds(ctx, s.AllTopics())
	if err != nil {
		return nil, err
	}
	copied, err := r.copyEnds(s.AllTopics())
	if err != nil {
		return nil, err
	}
	inside, behind := offsets{}, offsets{}
	for tp, e := range ends {
		at := e.LogStart
		commit, committed := final[tp]
		bound := copied.Bounds[tp]
		switch {
		case !committed && r.Plan.Migration.Groups.Uncommitted(s.Group) == "latest":
			at = bound
		case committed && commit.Offset > e.LogEnd && r.Plan.Migration.Groups.BeyondEnd(s.Group) == "end":
			at = e.LogEnd
		case committed && commit.Offset > e.LogEnd:
			return nil, &BeyondError{Group: s.Group, Partition: tp, Offset: commit.Offset, LogEnd: e.LogEnd}
		case committed: // also before the log's start: as far back as the copy knows, the target has more
			at = commit.Offset
		}
		if at <= bound {
			inside[tp] = at
			continue
		}
		rec, data, err := r.Source.FirstRecord(ctx, tp, bound, at)
		if err != nil {
			return nil, err
		}
		if data {
			return nil, &StrayWriterError{Partition: tp, Offset: rec.Offset, ProducerID: rec.ProducerID, Side: cluster.Source, After: fmt.Sprintf("the boundary %d was drawn", bound), Command: r.hint(graph.TopicAddress(tp.Topic, "boundary"))}
		}
		behind[tp] = copied.Ends[tp]
	}
	found, err := r.Mirror.Translate(ctx, inside)
	if err != nil {
		return nil, err
	}
	places := offsets{}
	for tp, at := range inside {
		place, ok := found[tp]
		places[tp] = place.Offset
		if !ok {
			return nil, fmt.Errorf("group %q stands at offset %d of %s on the source, before the boundary %d, and the copy of that is not known. Look at the mirror's state, then apply again", s.Group, at, tp, copied.Bounds[tp])
		}
	}
	r.tellRounded(s.Group, inside, found)
	maps.Copy(places, behind)
	return places, nil
}

// tellRounded says which positions are so far back that the copy does not know
// their places exactly any more, and what the group reads again for that.
func (r *run) tellRounded(group string, at offsets, found map[cluster.TopicPartition]CopyPlace) {
	var worst cluster.TopicPartition
	most, sum, n := int64(0), int64(0), 0
	for tp, p := range found {
		again := p.Latest - p.Offset
		if again == 0 {
			continue
		}
		n++
		sum += again
		if again > most || again == most && tp.String() < worst.String() {
			worst, most = tp, again
		}
	}
	if n == 0 {
		return
	}
	r.emit(Noted{Text: fmt.Sprintf("group %s stands on %s before what the copy knows record by record: it begins there a little earlier, misses nothing, and reads up to %s that lie before its positions (most of them in %s: it stands at offset %d, and begins at %d on the target, up to %d before its place)",
		group, plural(n, "partition"), plural(int(sum), "record"), worst, at[worst], found[worst].Offset, most)})
}

// copyEnds collects where the copies of topics have ended.
func (r *run) copyEnds(topics []string) (copyFacts, error) {
	all := copyFacts{Bounds: offsets{}, Ends: offsets{}}
	for _, t := range topics {
		var one copyFacts
		if err := r.decode(graph.MirrorAddress(t, "drain"), &one); err != nil {
			return all, err
		}
		maps.Copy(all.Bounds, one.Bounds)
		maps.Copy(all.Ends, one.Ends)
	}
	return all, nil
}
