package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// StragglerWatch is how long R6 wants strangers to be watched for: the longest
// time for which a client may hold a record back (delivery.timeout.ms is 2
// minutes by default) with a margin for metadata that is refreshed every five.
const StragglerWatch = 5*time.Minute + 30*time.Second

// settleGrace is how long records may still arrive after a clean stop before
// they count as a stranger's.
const settleGrace = 15 * time.Second

// boundary waits until the topic's writers are gone and its log stands still
// for quiet_for, and notes where it ends (R4, R6).
func boundary(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	quiet := r.Plan.Migration.Scheme.QuietFor
	if r.LeaveOut == Quiet {
		quiet = 0
	}
	began := r.Clock.Now()
	since := began
	var last map[cluster.TopicPartition]cluster.LogEnds
	for {
		ends, err := r.Source.LogEnds(ctx, []string{s.Topic})
		if err != nil {
			return nil, "", err
		}
		now := r.Clock.Now()
		tp, moved := grown(last, ends)
		if moved {
			since = now
			if now.Sub(began) > quiet+settleGrace {
				return nil, "", r.stray(ctx, tp, last[tp].LogEnd, ends[tp].LastStable, "its writers were stopped")
			}
		}
		open, unsettled := firstUnsettled(ends)
		last = ends
		if !unsettled && now.Sub(since) >= quiet {
			break
		}
		if unsettled && now.Sub(began) > r.Plan.Migration.Scheme.DrainTimeout {
			return nil, "", &TimeoutError{What: "the end of open transactions on " + open.String(), Limit: r.Plan.Migration.Scheme.DrainTimeout,
				Left: fmt.Sprintf("log end %d, high watermark %d, last stable offset %d", ends[open].LogEnd, ends[open].HighWatermark, ends[open].LastStable),
				Do:   "A transaction is open or replicas are behind (fewer in sync than min.insync.replicas): end or mend that, then apply again"}
		}
		text := fmt.Sprintf("quiet for %s of %s", now.Sub(since).Round(time.Second), quiet)
		if unsettled {
			text = fmt.Sprintf("%s: log end %d, last stable offset %d", open, ends[open].LogEnd, ends[open].LastStable)
		}
		r.progress(s, StepProgress{Text: text})
		if err := r.tick(ctx); err != nil {
			return nil, "", err
		}
	}
	if err := r.gone(ctx, s.Owners, s.Address); err != nil {
		return nil, "", err
	}
	facts := boundaryFacts{Ends: offsets{}}
	for tp, e := range last {
		facts.Ends[tp] = e.LogEnd
	}
	if err := r.sameBoundary(ctx, s, facts.Ends); err != nil {
		return nil, "", err
	}
	return facts, fmt.Sprintf("%s ends on the source, quiet for %s", s.Topic, quiet), nil
}

func grown(before, now map[cluster.TopicPartition]cluster.LogEnds) (cluster.TopicPartition, bool) {
	for tp, b := range before {
		if now[tp].LogEnd != b.LogEnd {
			return tp, true
		}
	}
	return cluster.TopicPartition{}, before == nil
}

func firstUnsettled(ends map[cluster.TopicPartition]cluster.LogEnds) (cluster.TopicPartition, bool) {
	for tp, e := range ends {
		if !e.Settled() {
			return tp, true
		}
	}
	return cluster.TopicPartition{}, false
}

// gone asks the writers' checks once more: a service that came back would
// write behind the boundary (R28).
func (r *run) gone(ctx context.Context, services []string, step string) error {
	for _, name := range services {
		sw, ok := r.Switches[name]
		if !ok {
			continue // manual: the quiet log is the proof
		}
		sides, err := sw.Check(ctx, step)
		if err != nil {
			return err
		}
		if slices.Contains(sides, cluster.Source) {
			return &RunningError{Service: name, Side: cluster.Source, After: "after it was stopped there"}
		}
	}
	return nil
}

// stray names the writer of the first record in a range. Transaction markers
// move a log end too and are nobody's records.
func (r *run) stray(ctx context.Context, tp cluster.TopicPartition, from, to int64, after string) error {
	rec, ok, err := r.Source.FirstRecord(ctx, tp, from, to)
	if err != nil {
		return err
	}
	if !ok {
		return &StrayWriterError{Partition: tp, Offset: from, ProducerID: -1, Side: cluster.Source, After: after}
	}
	return &StrayWriterError{Partition: tp, Offset: rec.Offset, ProducerID: rec.ProducerID, Side: cluster.Source, After: after}
}

// sameBoundary refuses a boundary that has moved over records since steps that
// rely on it have passed.
func (r *run) sameBoundary(ctx context.Context, s *graph.Step, ends offsets) error {
	if !r.hasFacts(s.Address) || !r.reliedOn(s) {
		return nil
	}
	var earlier boundaryFacts
	if err := r.decode(s.Address, &earlier); err != nil {
		return err
	}
	return r.dataBehind(ctx, earlier.Ends, ends)
}

func (r *run) reliedOn(s *graph.Step) bool {
	for _, d := range r.Graph.Dependents(s.Address) {
		if r.status(d) == state.Done {
			return true
		}
	}
	return false
}

func (r *run) dataBehind(ctx context.Context, boundary, now offsets) error {
	for tp, b := range boundary {
		if now[tp] <= b {
			continue
		}
		rec, ok, err := r.Source.FirstRecord(ctx, tp, b, now[tp])
		if err != nil {
			return err
		}
		if ok {
			return &StrayWriterError{Partition: tp, Offset: rec.Offset, ProducerID: rec.ProducerID, Side: cluster.Source,
				After: fmt.Sprintf("the boundary %d was drawn", b)}
		}
	}
	return nil
}

// watchStragglers looks behind every boundary for as long as apply runs (R6)
// and reports the first record that it finds there.
func (r *run) watchStragglers(ctx context.Context) <-chan error {
	found := make(chan error, 1)
	if r.LeaveOut == Quiet {
		return found
	}
	go func() {
		for {
			if err := r.lookBehind(ctx); err != nil {
				if ctx.Err() == nil {
					found <- err
				}
				return
			}
			for range 5 {
				if r.tick(ctx) != nil {
					return
				}
			}
		}
	}()
	return found
}

func (r *run) lookBehind(ctx context.Context) error {
	for _, s := range r.Graph.Steps {
		if s.Kind != graph.Boundary || r.status(s.Address) != state.Done {
			continue
		}
		var facts boundaryFacts
		if err := r.decode(s.Address, &facts); err != nil {
			return err
		}
		ends, err := r.Source.LogEnds(ctx, []string{s.Topic})
		if err != nil {
			r.emit(Noted{Text: fmt.Sprintf("the source could not be watched for stragglers on %s just now: %v", s.Topic, err)})
			continue
		}
		now := offsets{}
		for tp, e := range ends {
			now[tp] = e.LastStable
		}
		if err := r.dataBehind(ctx, facts.Ends, now); err != nil {
			return err
		}
	}
	return nil
}
