package worker

import (
	"context"
	"fmt"
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

const (
	oncePulse   = 100 * time.Millisecond
	othersPulse = time.Second // between two looks at what other workers have kept
)

// once ends the worker when what was on the source at the start is copied.
func (w *Worker) once(ctx context.Context) error {
	left, err := w.there(ctx)
	if err != nil {
		return nil // ctx has ended
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

// there waits for the first survey and returns where the source's logs end.
func (w *Worker) there(ctx context.Context) (map[wire.Partition]int64, error) {
	tick := time.NewTicker(oncePulse)
	defer tick.Stop()
	for {
		w.mu.Lock()
		surveyed := w.surveyed && w.epoch >= 0
		var all []wire.Partition
		for name, t := range w.topics {
			for i := range t.Partitions {
				all = append(all, wire.Partition{Topic: name, Number: int32(i)})
			}
		}
		w.mu.Unlock()
		if surveyed {
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
		case s.Phase == mirror.Copying && s.Next >= end && s.Waiting == 0:
			delete(left, s.Partition)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range left {
		if w.ways.Of(p.Topic) != mirror.Forward {
			delete(left, p)
		}
	}
	return stopped
}

// reachedByOthers is reached for what other workers have.
func (w *Worker) reachedByOthers(ctx context.Context, left map[wire.Partition]int64) (stopped []string, err error) {
	var ids []wire.Partition
	for p := range left {
		ids = append(ids, p)
	}
	maps, _, err := w.keeper.Load(ctx, ids)
	if err != nil {
		return nil, err
	}
	for p, m := range maps {
		if m.End().Source >= left[p] {
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
