package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// Workers is the mirror that lives in workers: it writes what it wants onto the
// shelf beside the state, and reads there how far they are. It is made by
// NewWorkers, and Tend runs for as long as it is used.
type Workers struct {
	Shelf   mirror.Shelf
	Keeper  *mirror.Keeper
	Target  Logs
	Command string // that starts a worker
	Log     *slog.Logger

	watch *mirror.Watch
	now   func() time.Duration

	directing sync.Mutex // held while directions are changed: that is reading and writing
	lags      *lags
	places    *places

	mu    sync.Mutex // guards what follows
	alive time.Duration
}

var _ executor.Mirror = (*Workers)(nil)

// NewWorkers makes a driver. now is a clock that counts suspended time; dead says
// whether the process of a worker is certain to have ended.
func NewWorkers(source Logs, w *Workers, now func() time.Duration, dead func(mirror.Entry) bool) *Workers {
	w.lags, w.places = newLags(source), newPlaces(w.load)
	w.now, w.watch, w.alive = now, mirror.NewWatch(now, dead), now()
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	return w
}

// Tend looks at the workers until ctx ends, so that the silence of a dead one is
// heard out before services stand still for it, and takes its entry away then.
func (w *Workers) Tend(ctx context.Context) { tend(ctx, w.Shelf, w.look, w.Log) }

// look reads what is known of the workers, and remembers when one lived last.
func (w *Workers) look(ctx context.Context) ([]mirror.Sign, error) {
	signs, err := w.watch.Look(ctx, w.Shelf)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range signs {
		if s.Lives() {
			w.alive = w.now()
		}
	}
	return signs, nil
}

// Begin lets the workers copy the topics.
func (w *Workers) Begin(ctx context.Context, topics []string) error {
	w.directing.Lock()
	defer w.directing.Unlock()
	_, err := mirror.Direct(ctx, w.Shelf, ways(topics, mirror.Forward))
	return err
}

func ways(topics []string, way mirror.Way) map[string]mirror.Way {
	all := map[string]mirror.Way{}
	for _, t := range topics {
		all[t] = way
	}
	return all
}

// End waits until no worker writes to the topics any more, or could (R18).
func (w *Workers) End(ctx context.Context, topics []string) error {
	w.directing.Lock()
	d, err := mirror.Direct(ctx, w.Shelf, ways(topics, mirror.Halted))
	w.directing.Unlock()
	if err != nil {
		return err
	}
	return mirror.Barrier(ctx, w.Shelf, d.Epoch, w.watch, nil)
}

// Lag tells how much the target has not acknowledged, whoever copies, and what the
// workers say of themselves.
func (w *Workers) Lag(ctx context.Context, topics []string) (executor.CopyLag, error) {
	text, stuck, err := w.workers(ctx)
	if err != nil {
		return executor.CopyLag{}, err
	}
	lag, err := w.lags.of(ctx, topics, func(ctx context.Context, topics []string) (map[wire.Partition]int64, error) {
		acked, err := w.acked(ctx, topics)
		at := map[wire.Partition]int64{}
		for p, a := range acked {
			at[p] = a.Source
		}
		return at, err
	})
	if err != nil {
		return lag, err
	}
	w.mu.Lock()
	lag.Unattended = w.now() - w.alive
	w.mu.Unlock()
	lag.Text = text
	return lag, stuck
}

// workers is what they say of themselves; stuck are partitions that cannot be
// copied.
func (w *Workers) workers(ctx context.Context) (text string, stuck, err error) {
	signs, err := w.look(ctx)
	if err != nil {
		return "", nil, err
	}
	var reasons []error
	alive, rate := 0, 0.0
	for _, s := range signs {
		if !s.Lives() {
			continue
		}
		alive++
		rate += s.Rate
		for _, why := range s.Stopped {
			reasons = append(reasons, errors.New(why))
		}
	}
	text = fmt.Sprintf("%d workers, %.1f MB/s", alive, rate/1e6)
	if alive == 0 {
		text = "no worker gives a sign of life: start one with " + w.Command
	}
	return text, errors.Join(reasons...), nil
}

// acked is how far the target has acknowledged. What is not there is not known.
func (w *Workers) acked(ctx context.Context, topics []string) (map[wire.Partition]mirror.Point, error) {
	acked, err := w.Keeper.Acked(ctx, topics)
	if err != nil {
		return nil, err
	}
	at := map[wire.Partition]mirror.Point{}
	for p, a := range acked {
		at[p] = a.Point
	}
	return at, nil
}

// load reads maps as far as the target has acknowledged.
func (w *Workers) load(ctx context.Context, partitions []wire.Partition) (map[wire.Partition]*mirror.Map, error) {
	copied, _, err := w.Keeper.Load(ctx, partitions)
	return copied, err
}

// Throttle tells the workers what they may copy together.
func (w *Workers) Throttle(ctx context.Context, bytesPerSecond int64) error {
	return mirror.SetRate(ctx, w.Shelf, bytesPerSecond)
}

// Translate looks positions up in what the workers keep.
func (w *Workers) Translate(ctx context.Context, positions map[cluster.TopicPartition]int64) (map[cluster.TopicPartition]executor.CopyPlace, error) {
	_, topics := partitionsIn(positions)
	acked, err := w.acked(ctx, topics)
	if err != nil {
		return nil, err
	}
	if err := w.places.prove(ctx, w.Keeper, w.Target, positions, acked); err != nil {
		return nil, err
	}
	places, err := w.places.of(ctx, positions, acked)
	if err != nil || len(places) == len(positions) {
		return places, err
	}
	_, stuck, err := w.workers(ctx)
	return places, errors.Join(stuck, err)
}
