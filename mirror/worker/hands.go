package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// assign takes what the group gives.
func (w *Worker) assign(added []wire.Partition) {
	w.mu.Lock()
	for _, p := range added {
		w.assigned[p] = true
	}
	w.mu.Unlock()
	poke(w.beatNow)
	w.changed()
}

// own changes what may be written to under a lease. change is called with mu
// held.
func (w *Worker) own(change func(owned map[wire.Partition]bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	owned := maps.Clone(*w.owned.Load())
	change(owned)
	w.owned.Store(&owned)
}

// giveBack lets what is under way of some partitions come to its end, and then
// returns: the group gives them to others.
func (w *Worker) giveBack(gone []wire.Partition) {
	if len(gone) == 0 {
		return
	}
	w.mu.Lock()
	for _, p := range gone {
		delete(w.assigned, p)
	}
	w.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(context.Background(), handOver, fmt.Errorf("the group wants them back within %s", handOver))
	defer cancel()
	w.hands.Lock()
	defer w.hands.Unlock()
	if err := w.drop(ctx, w.heldOf(gone)); err != nil {
		w.conf.Log.Warn("handing partitions over", "err", err)
	}
}

// lose drops partitions that others have, or will have, at once.
func (w *Worker) lose(gone []wire.Partition) {
	w.own(func(owned map[wire.Partition]bool) {
		for _, p := range gone {
			delete(w.assigned, p)
			delete(owned, p)
		}
	})
	if len(gone) == 0 {
		return
	}
	w.conf.Log.Warn("the group has gone on without this worker: its partitions are dropped", "partitions", len(gone))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.hands.Lock()
	defer w.hands.Unlock()
	if err := w.drop(ctx, w.heldOf(gone)); err != nil {
		w.conf.Log.Debug("dropping partitions", "err", err)
	}
}

// end gives everything back, and takes nothing any more.
func (w *Worker) end() {
	w.mu.Lock()
	w.ended = true
	all := make([]wire.Partition, 0, len(w.assigned))
	for p := range w.assigned {
		all = append(all, p)
	}
	w.mu.Unlock()
	w.giveBack(all)
}

// wanted is what this worker is to copy by the directions of that epoch.
func (w *Worker) wanted() (all map[wire.Partition]Topic, epoch int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all, epoch = map[wire.Partition]Topic{}, w.epoch
	if w.ended {
		return all, epoch
	}
	for p := range w.assigned {
		t, ready := w.topics[p.Topic]
		if ready && int(p.Number) < t.Partitions && w.ways.Of(p.Topic) == mirror.Forward {
			all[p] = t
		}
	}
	return all, epoch
}

// reconcile makes what is copied what is wanted, until ctx ends.
func (w *Worker) reconcile(ctx context.Context) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.kick:
		case <-tick.C:
		}
		if err := w.follow(ctx); err != nil && ctx.Err() == nil {
			w.conf.Log.Warn("taking partitions", "err", err)
		}
	}
}

// follow drops what is not wanted any more, and takes what is.
func (w *Worker) follow(ctx context.Context) error {
	w.hands.Lock()
	defer w.hands.Unlock()
	w.share()
	wanted, epoch := w.wanted()
	var surplus []wire.Partition
	for p := range w.held {
		if _, ok := wanted[p]; !ok {
			surplus = append(surplus, p)
		}
	}
	leaving, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), handOver, fmt.Errorf("what was under way has not ended within %s", handOver))
	defer cancel()
	if err := w.drop(leaving, surplus); err != nil {
		return err
	}
	if w.conf.Clock.Now() >= w.wary {
		w.done.Store(epoch)
	}
	for p := range w.held {
		delete(wanted, p)
	}
	if len(wanted) == 0 || w.lease.check() != nil { // without one others may have them by now
		return nil
	}
	ctx, done := context.WithTimeout(ctx, claiming)
	defer done()
	return w.claim(ctx, wanted)
}

// claim takes partitions. hands is held.
func (w *Worker) claim(ctx context.Context, wanted map[wire.Partition]Topic) error {
	var ids []wire.Partition
	sizes := map[string]int{}
	for p, t := range wanted {
		ids = append(ids, p)
		sizes[p.Topic] = t.Partitions
	}
	if w.conf.Latest {
		var err error
		if sizes, err = w.keeper.Sizes(ctx, sizes); err != nil {
			return err
		}
	}
	known, err := w.keeper.Assignments(ctx, ids)
	if err = w.passOver(err, known); err != nil {
		return err
	}
	var settled []wire.Partition
	for p, a := range known {
		t := wanted[p]
		a.MaxBatch, a.Ahead = t.MaxBatch, t.Ahead
		a.Latest = w.conf.Latest && int(p.Number) < sizes[p.Topic]
		known[p] = a
		if a.Settled {
			settled = append(settled, p)
		}
	}
	if len(settled) > 0 { // from here on something may be under way
		if err := w.passOver(w.keeper.Unsettle(ctx, settled), known); err != nil {
			return err
		}
	}
	if err := w.copier.Add(known); err != nil {
		return err
	}
	w.own(func(owned map[wire.Partition]bool) {
		for p := range known {
			w.held[p] = true
			if w.assigned[p] { // else it was lost meanwhile
				owned[p] = true
			}
		}
	})
	w.share()
	return nil
}

// passOver leaves partitions out of known that another worker has taken at the
// same moment: the others are taken all the same, and these looked at again. Any
// other error is returned.
func (w *Worker) passOver(err error, known map[wire.Partition]mirror.Assignment) error {
	var taken *mirror.TakenError
	if !errors.As(err, &taken) {
		return err
	}
	w.conf.Log.Warn("taking partitions", "err", taken)
	for _, p := range taken.Partitions {
		delete(known, p)
	}
	return nil
}

// heldOf are those that the copier has. hands is held.
func (w *Worker) heldOf(ps []wire.Partition) []wire.Partition {
	var held []wire.Partition
	for _, p := range ps {
		if _, ok := w.held[p]; ok {
			held = append(held, p)
		}
	}
	return held
}

// drop ends the copy of partitions. The next owner need not wait when nothing of
// ours is under way, nor can be anything of the owner before us: that is judged
// when the copy has ended, since a request may be lost while it ends. hands is
// held.
func (w *Worker) drop(ctx context.Context, ps []wire.Partition) error {
	if len(ps) == 0 {
		return nil
	}
	left, err := w.copier.Remove(ctx, ps)
	now := w.conf.Clock.Now()
	leased := w.lease.check() == nil // else somebody else may have them by now
	for _, p := range ps {
		delete(w.held, p)
	}
	w.own(func(owned map[wire.Partition]bool) {
		for _, p := range ps {
			delete(owned, p)
		}
	})
	w.share()
	if rest := time.Until(left.Until); rest > 0 {
		w.wary = max(w.wary, now+rest)
	}
	var taken *mirror.TakenError
	switch {
	case errors.As(err, &taken): // the next owner is there already
		w.conf.Log.Warn("ending the copy of partitions", "err", taken)
		left.Settled = slices.DeleteFunc(left.Settled, func(p wire.Partition) bool { return slices.Contains(taken.Partitions, p) })
	case err != nil:
		w.wary = now + w.conf.Wait
		return fmt.Errorf("ending the copy of %d partitions: %w", len(ps), err)
	}
	if len(left.Settled) == 0 || !leased {
		return nil
	}
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), claiming)
	defer cancel()
	if err := w.keeper.Settle(keeping, left.Settled); err != nil {
		return fmt.Errorf("noting that %d partitions were left in order: %w", len(left.Settled), err)
	}
	return nil
}

// share gives this worker its part of the throttle. hands is held.
func (w *Worker) share() {
	rate := w.rate.Load()
	if rate <= 0 {
		w.copier.SetThrottle(0)
		return
	}
	w.mu.Lock()
	all := 0
	for _, t := range w.topics {
		all += t.Partitions
	}
	w.mu.Unlock()
	w.copier.SetThrottle(max(1, rate*int64(max(1, len(w.held)))/int64(max(1, all, len(w.held)))))
}
