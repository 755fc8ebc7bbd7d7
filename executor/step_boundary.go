package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// settleGrace is how long records may still arrive after a clean stop before
// they count as a stranger's.
const settleGrace = 15 * time.Second

// boundary waits until the topic's writers are gone and its log stands still
// for quiet_for, and notes where it ends (R4, R6).
func boundary(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	quiet := r.quietFor(s)
	last, err := r.quietAll(ctx, s, quiet)
	if err != nil {
		return nil, "", err
	}
	if err := r.stillFenced(ctx, s.Topic); err != nil {
		return nil, "", err
	}
	if err := r.gone(ctx, s.Owners, s.Address); err != nil {
		return nil, "", err
	}
	facts := boundaryFacts{Ends: offsets{}}
	for tp, e := range last {
		facts.Ends[tp] = e.LogEnd
	}
	accepted, err := r.answered(ctx, s.Address)
	if err != nil {
		return nil, "", err
	}
	if accepted {
		r.emit(Noted{Text: fmt.Sprintf("what was written behind the boundary of %s is taken as dealt with, as a person has said", s.Topic)})
	} else if err := r.sameBoundary(ctx, s, facts.Ends); err != nil {
		return nil, "", err
	}
	return facts, fmt.Sprintf("%s ends on the source, quiet for %s", s.Topic, quiet), nil
}

// quietAll waits for the quiet of all partitions that the topic has when it is
// over: the target has as many.
func (r *run) quietAll(ctx context.Context, s *graph.Step, quiet time.Duration) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	for {
		if err := r.samePartitions(ctx, s, []string{s.Topic}); err != nil {
			return nil, err
		}
		last, err := r.quiet(ctx, s, quiet)
		if err != nil {
			return nil, err
		}
		now, err := r.Source.LogEnds(ctx, []string{s.Topic})
		if err != nil || len(now) == len(last) {
			return last, err
		}
	}
}

// quietFor is how long the topic's log has to stand still. A short default
// counts on the fence: a topic that nobody is kept from writing has to be quiet
// for the whole straggler watch (R6).
func (r *run) quietFor(s *graph.Step) time.Duration {
	scheme := r.Plan.Migration.Scheme
	switch fenced := r.Graph.Step(graph.TopicAddress(s.Topic, "fence")) != nil; {
	case r.LeaveOut == Quiet:
		return 0
	case !scheme.QuietStated && !fenced:
		return max(scheme.QuietFor, diff.StragglerWatch)
	}
	return scheme.QuietFor
}

// quiet waits until the log is settled and has not grown for so long. What
// comes in the grace period are the stopped writers' last records; data that
// comes later is a stranger's. A transaction that is open at the stop may end
// later: its marker is no record.
func (r *run) quiet(ctx context.Context, s *graph.Step, quiet time.Duration) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	began := r.Clock.Now()
	since := began
	var last map[cluster.TopicPartition]cluster.LogEnds
	graced := offsets{} // where the log ended when the grace period did
	var asked time.Time // when the brokers were last asked why the log is not settled
	why := ""
	for {
		ends, err := r.Source.LogEnds(ctx, []string{s.Topic})
		if err != nil {
			return nil, err
		}
		now := r.Clock.Now()
		if last == nil || now.Sub(began) <= quiet+settleGrace {
			for tp, e := range ends {
				graced[tp] = max(e.LogEnd, e.LastStable) // asked one after the other: a record may come between
			}
		}
		if last == nil || grown(last, ends) {
			since = now
		}
		stable := offsets{}
		for tp, e := range ends {
			stable[tp] = e.LastStable
		}
		if err := r.dataBehind(ctx, graced, stable, "its writers were stopped", ""); err != nil {
			return nil, err
		}
		last = ends
		limit := r.limit(s, r.Plan.Migration.Scheme.DrainTimeout)
		open, unsettled := firstUnsettled(ends)
		if !unsettled && now.Sub(since) >= quiet {
			return ends, nil
		}
		if waited := now.Sub(began); unsettled && waited > limit || waited > limit+quiet+settleGrace {
			return nil, r.unquiet(ctx, s.Topic, open, ends[open], limit)
		}
		text := fmt.Sprintf("quiet for %s of %s", now.Sub(since).Round(time.Second), quiet)
		if unsettled {
			if now.Sub(asked) >= askEvery {
				asked, why = now, r.whyUnsettled(ctx, s.Topic, open, ends[open])
			}
			text = why
		}
		r.progress(s, StepProgress{Text: text})
		if err := r.tick(ctx); err != nil {
			return nil, err
		}
	}
}

// askEvery is how often brokers are asked who keeps a transaction open.
const askEvery = 5 * time.Second

// whyUnsettled says what keeps a partition from being settled: replicas that are
// behind, or transactions by name.
func (r *run) whyUnsettled(ctx context.Context, topic string, tp cluster.TopicPartition, e cluster.LogEnds) string {
	text := fmt.Sprintf("%s: log end %d, high watermark %d, last stable offset %d", tp, e.LogEnd, e.HighWatermark, e.LastStable)
	if e.HighWatermark < e.LogEnd {
		return text + ": replicas are behind (maybe fewer in sync than min.insync.replicas)"
	}
	switch open, err := r.openOn(ctx, []string{topic}); {
	case err != nil:
		return text + fmt.Sprintf(": a transaction is open, and who has it could not be asked: %v", err)
	case len(open) > 0:
		return text + ": open is " + sayOpen(open, r.Clock.Now())
	}
	return text
}

func (r *run) unquiet(ctx context.Context, topic string, open cluster.TopicPartition, e cluster.LogEnds, limit time.Duration) error {
	if open.Topic == "" {
		return &TimeoutError{What: fmt.Sprintf("topic %q falling quiet", topic), Limit: limit, Left: "transactions go on being written to it",
			Do: "None of them has been committed so far. Find and stop the transactional producer that still writes there, then apply again"}
	}
	left := r.whyUnsettled(ctx, topic, open, e)
	if e.HighWatermark < e.LogEnd {
		return &TimeoutError{What: "replication of " + open.String() + " coming to its end", Limit: limit, Left: left,
			Do: "Bring the brokers back that hold its replicas, then apply again"}
	}
	do := "End the transaction"
	if held, err := r.openOn(ctx, []string{topic}); err == nil && len(held) > 0 {
		do = endOpen(r.Plan.Migration.Source, held)
	}
	return &TimeoutError{What: "the end of open transactions on " + open.String(), Limit: limit, Left: left, Do: do + ". Then apply again"}
}

func grown(before, now map[cluster.TopicPartition]cluster.LogEnds) bool {
	for tp, e := range now {
		if before[tp].LogEnd != e.LogEnd {
			return true
		}
	}
	return false
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
		if _, ok := r.Switches[name]; !ok {
			continue // manual: the quiet log is the proof
		}
		sides, err := r.sides(ctx, name, step)
		if ctx.Err() != nil {
			return context.Cause(ctx) // the program was ended because of that: not its failure
		}
		if err != nil {
			return err
		}
		if slices.Contains(sides, cluster.Source) {
			return &RunningError{Service: name, Side: cluster.Source, After: "after it was stopped there"}
		}
	}
	return nil
}

// sameBoundary refuses a boundary that has moved over records since steps that
// rely on it have passed. Only a person can say what becomes of those.
func (r *run) sameBoundary(ctx context.Context, s *graph.Step, ends offsets) error {
	if !r.hasFacts(s.Address) || !r.reliedOn(s) {
		return nil
	}
	var earlier boundaryFacts
	if err := r.decode(s.Address, &earlier); err != nil {
		return err
	}
	return r.dataBehind(ctx, earlier.Ends, ends, "", r.hint(s.Address))
}

func (r *run) reliedOn(s *graph.Step) bool {
	for _, d := range r.Graph.Dependents(s.Address) {
		if r.status(d) == state.Done {
			return true
		}
	}
	return false
}

// dataBehind names the writer of the first data record behind a boundary.
// Markers and aborted records lie there harmlessly.
func (r *run) dataBehind(ctx context.Context, boundary, now offsets, after, command string) error {
	for tp, end := range now {
		b := boundary[tp] // of a partition that was added since: its beginning
		if end <= b {
			continue
		}
		rec, ok, err := r.Source.FirstRecord(ctx, tp, b, end)
		if err != nil {
			return err
		}
		if ok {
			if after == "" {
				after = drawn(b)
			}
			return &StrayWriterError{Partition: tp, Offset: rec.Offset, ProducerID: rec.ProducerID, Side: cluster.Source, After: after, Command: command}
		}
	}
	return nil
}

func drawn(boundary int64) string { return fmt.Sprintf("the boundary %d was drawn", boundary) }

// watchStragglers looks behind every boundary for as long as apply runs (R6)
// and reports the first record that it finds there. ended is closed when it
// has stopped looking.
func (r *run) watchStragglers(ctx context.Context) (_ <-chan error, ended <-chan struct{}) {
	found, over := make(chan error, 1), make(chan struct{})
	if r.LeaveOut == Quiet {
		close(over)
		return found, over
	}
	go func() {
		defer close(over)
		looked := offsets{}
		for {
			if err := r.lookBehind(ctx, looked); err != nil {
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
	return found, over
}

// lookBehind looks once, at the log ends of all topics in one request. looked is
// how far the looks before have come: markers of a transactional source lie
// behind the boundary for good. A topic that cannot be asked with the others, as
// it has a partition without a leader, is asked alone, so that it hides none.
func (r *run) lookBehind(ctx context.Context, looked offsets) error {
	bounds := map[*graph.Step]offsets{}
	var steps []*graph.Step
	var topics []string
	for _, s := range r.Graph.Steps {
		if s.Kind != graph.Boundary || r.status(s.Address) != state.Done {
			continue
		}
		var facts boundaryFacts
		if err := r.decode(s.Address, &facts); err != nil {
			return err
		}
		steps, topics, bounds[s] = append(steps, s), append(topics, s.Topic), facts.Ends
	}
	if len(steps) == 0 {
		return nil
	}
	all, unasked := r.Source.LogEnds(ctx, topics)
	for _, s := range steps {
		ends, err := all, unasked
		if err != nil {
			ends, err = r.Source.LogEnds(ctx, []string{s.Topic})
		}
		if err == nil {
			err = r.lookBehindOne(ctx, s, bounds[s], ends, looked)
		}
		var stray *StrayWriterError
		switch {
		case err == nil:
		case errors.As(err, &stray):
			// The boundary is a person's business from here on.
			return errors.Join(err, r.mark(s, state.Parked, nil, err))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		default: // a broker that does not answer is no straggler: it is asked again
			r.emit(Noted{Text: fmt.Sprintf("the source could not be watched for stragglers on %s just now: %v", s.Topic, err)})
		}
	}
	return nil
}

func (r *run) lookBehindOne(ctx context.Context, s *graph.Step, boundary offsets, ends map[cluster.TopicPartition]cluster.LogEnds, looked offsets) error {
	from, now := offsets{}, offsets{}
	for tp, e := range ends {
		if tp.Topic != s.Topic {
			continue
		}
		from[tp], now[tp] = boundary[tp], e.LastStable // of a partition that was added since: its beginning
		if looked[tp] <= now[tp] {                     // a log that has become shorter is looked at anew
			from[tp] = max(from[tp], looked[tp])
		}
	}
	err := r.dataBehind(ctx, from, now, "", r.hint(s.Address))
	var stray *StrayWriterError
	if errors.As(err, &stray) {
		stray.After = drawn(boundary[stray.Partition])
	}
	if err != nil {
		return err
	}
	maps.Copy(looked, now)
	return nil
}
