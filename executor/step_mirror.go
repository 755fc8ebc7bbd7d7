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
	} else {
		bounds, err = r.stableEnds(ctx, topics)
	}
	if err != nil {
		return nil, "", err
	}
	began := r.Clock.Now()
	for {
		ends, err := r.drainedTo(ctx, topics, bounds)
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
				Left: fmt.Sprintf("%s to copy, %s", plural(int(lag.Records), "record"), lag.Text),
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
// copied, nil while something is missing.
func (r *run) drainedTo(ctx context.Context, topics []string, bounds offsets) (offsets, error) {
	copied, err := r.Mirror.Translate(ctx, bounds)
	if err != nil || len(copied) < len(bounds) {
		return nil, err
	}
	ends, err := r.Target.LogEnds(ctx, topics)
	if err != nil {
		return nil, err
	}
	for tp, want := range copied {
		switch e := ends[tp]; {
		case e.LogEnd > want:
			return nil, &NotMirroredError{Partition: tp, Copied: want, LogEnd: e.LogEnd}
		case e.LogEnd < want || e.HighWatermark < want:
			return nil, nil
		}
	}
	return copied, nil
}

// mirrorStop ends the copy. Where it ended must be where it still ends: what
// comes behind is the services'.
func mirrorStop(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	topics, drain := r.stillCopied(s), graph.RestDrain
	if s.Topic != "" {
		drain = graph.MirrorAddress(s.Topic, "drain")
	}
	if err := r.Mirror.End(ctx, topics); err != nil {
		return nil, "", err
	}
	var facts copyFacts
	if err := r.decode(drain, &facts); err != nil {
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
	if s.Topic == "" { // no hold and no release come behind
		if err := r.giveBack(ctx, topics); err != nil {
			return nil, "", err
		}
	}
	text := "nothing is copied to " + topicsOf(s) + " any more"
	if s.Topic != "" {
		return nil, text, nil
	}
	return endFacts{Topics: slices.Concat(slices.Sorted(maps.Keys(r.endedRest())), topics)}, text, nil
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
// its final positions, never at the boundary (R9).
func (r *run) translated(ctx context.Context, s *graph.Step, final map[cluster.TopicPartition]cluster.Commit) (offsets, error) {
	ends, err := r.Source.LogEnds(ctx, s.AllTopics())
	if err != nil {
		return nil, err
	}
	positions := offsets{}
	for tp, e := range ends {
		commit, committed := final[tp]
		switch {
		case !committed && r.Plan.Migration.Groups.Uncommitted(s.Group) == "latest":
			positions[tp] = e.LogEnd
		case !committed || commit.Offset < e.LogStart:
			positions[tp] = e.LogStart
		case commit.Offset > e.LogEnd:
			return nil, &OutsideError{Group: s.Group, Partition: tp, Offset: commit.Offset, LogStart: e.LogStart, LogEnd: e.LogEnd}
		default:
			positions[tp] = commit.Offset
		}
	}
	places, err := r.Mirror.Translate(ctx, positions)
	if err != nil {
		return nil, err
	}
	for tp, at := range positions {
		if _, ok := places[tp]; !ok {
			return nil, fmt.Errorf("group %q stands at offset %d of %s on the source, and the copy does not reach so far: its end was drawn too early. This is a bug in kplan", s.Group, at, tp)
		}
	}
	return places, nil
}
