package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// StoppedError says that some partitions cannot be copied.
type StoppedError struct {
	Partitions []string // with why
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("%d partitions cannot be copied:\n%s", len(e.Partitions), strings.Join(e.Partitions, "\n"))
}

// PendingError says that apply has not begun the copy of topics.
type PendingError struct {
	Topics []string
	Waited time.Duration
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("kplan apply has not begun the copy of %s within %s, and nothing is copied before it has looked whether anything is in the way: start kplan apply, then this worker again", strings.Join(e.Topics, ", "), e.Waited)
}

const (
	oncePulse   = 100 * time.Millisecond
	othersPulse = time.Second // between two looks at what other workers have kept
)

// once ends the worker when what was on the source at the start is copied.
func (w *Worker) once(ctx context.Context) error {
	left, err := w.there(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	var stopped []string
	tick := time.NewTicker(oncePulse)
	defer tick.Stop()
	var looked time.Time
	for len(left) > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		stopped = append(stopped, w.reached(left)...)
		if time.Since(looked) < othersPulse {
			continue
		}
		looked = time.Now()
		others, err := w.reachedByOthers(ctx, left)
		if err != nil && ctx.Err() == nil {
			w.conf.Log.Warn("looking how far other workers are", "err", err)
		}
		stopped = append(stopped, others...)
	}
	if len(stopped) > 0 {
		return &StoppedError{Partitions: stopped}
	}
	return errDone
}

// there waits until all topics have a direction, for what apply has not asked for
// yet is not to be left out silently, and returns where the source's logs end. An
// error is a *PendingError, or ctx has ended.
func (w *Worker) there(ctx context.Context) (map[wire.Partition]int64, error) {
	tick := time.NewTicker(oncePulse)
	defer tick.Stop()
	for began := w.conf.Clock.Now(); ; {
		all, pending, known := w.directed()
		switch {
		case known && len(pending) > 0 && w.conf.Clock.Now()-began > w.conf.Patience:
			return nil, &PendingError{Topics: pending, Waited: w.conf.Patience}
		case known && len(pending) == 0:
			ends, failed, err := w.conf.Source.StableEnds(ctx, all)
			if err == nil && len(failed) == 0 {
				return ends, nil
			}
			w.conf.Log.Debug("asking where the source's logs end", "err", err, "failed", failed)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// directed lists the partitions that can be copied and the topics that have no
// direction yet; known: since the directions were read that count now.
func (w *Worker) directed() (all []wire.Partition, pending []string, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, t := range w.topics {
		if w.ways.Of(name) == mirror.Pending {
			pending = append(pending, name)
		}
		for i := range t.Partitions {
			all = append(all, wire.Partition{Topic: name, Number: int32(i)})
		}
	}
	slices.Sort(pending)
	return all, pending, w.epoch >= 0 && w.surveyed == w.epoch
}

// reached takes out of left what this worker has copied or cannot copy, and what
// nobody is to copy; it returns what cannot be copied.
func (w *Worker) reached(left map[wire.Partition]int64) (stopped []string) {
	for _, s := range w.copier.Status() {
		end, ok := left[s.Partition]
		switch {
		case !ok:
		case s.Phase == mirror.Stopped:
			stopped = append(stopped, stoppedText(s))
			delete(left, s.Partition)
		case s.Phase == mirror.Copying && s.Copied >= end:
			delete(left, s.Partition)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range left {
		if w.ways.Of(p.Topic) == mirror.Halted {
			delete(left, p)
		}
	}
	return stopped
}

// reachedByOthers is reached for what other workers have: what the target has
// acknowledged to them. Of a partition of which that is not known nothing is.
func (w *Worker) reachedByOthers(ctx context.Context, left map[wire.Partition]int64) (stopped []string, err error) {
	topics := map[string]bool{}
	for p := range left {
		topics[p.Topic] = true
	}
	copied, err := w.keeper.Acked(ctx, slices.Collect(maps.Keys(topics)))
	if err != nil {
		return nil, err
	}
	for p, end := range left {
		if a, known := copied[p]; known && a.Source >= end {
			delete(left, p)
		}
	}
	entries, err := mirror.Entries(ctx, w.conf.Shelf)
	if err != nil {
		return nil, err
	}
	for id, e := range entries {
		for _, text := range e.Stopped {
			for p := range left {
				if id != w.conf.ID && strings.HasPrefix(text, fmt.Sprintf("%s[%d]: ", p.Topic, p.Number)) {
					stopped = append(stopped, text)
					delete(left, p)
				}
			}
		}
	}
	return stopped, nil
}
