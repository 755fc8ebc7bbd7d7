package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"kplan/executor"
	"kplan/internal/boottime"
	"kplan/internal/cluster"
	"kplan/internal/kafka"
	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// asking is the mirror that lives in workers, as apply sees it: it writes what
// it wants onto the shelf beside the state, and reads there how far they are
// (R17).
type asking struct {
	shelf   mirror.Shelf
	keeper  *mirror.Keeper
	source  *kafka.Client
	command string // that starts a worker

	mu     sync.Mutex // while directions are changed: that is reading and writing
	silent map[string]int64

	looking sync.Mutex // guards what follows
	looked  time.Time
	known   map[wire.Partition]*mirror.Map
	lag     executor.CopyLag
	lagAt   time.Time
	lagErr  error
}

var _ executor.Mirror = (*asking)(nil)

// Begin lets the workers copy the topics.
func (w *asking) Begin(ctx context.Context, topics []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := mirror.Direct(ctx, w.shelf, ways(topics, mirror.Forward))
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
func (w *asking) End(ctx context.Context, topics []string) error {
	w.mu.Lock()
	d, err := mirror.Direct(ctx, w.shelf, ways(topics, mirror.Halted))
	silent := maps.Clone(w.silent)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	if err := mirror.Barrier(ctx, w.shelf, d.Epoch, silent, boottime.Clock{}.Now); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.silent, silent)
	return nil
}

const (
	// silence is how long after its last word a worker is not counted.
	silence = 2 * worker.DefaultSession
	// lookEvery is how often the shelf is read at most, however many steps wait.
	lookEvery = time.Second
)

// Lag tells how far the maps that the workers keep are behind the source,
// whoever copies, and what the workers say of themselves.
func (w *asking) Lag(ctx context.Context, topics []string) (executor.CopyLag, error) {
	w.looking.Lock()
	defer w.looking.Unlock()
	if time.Since(w.lagAt) < lookEvery {
		return w.lag, w.lagErr
	}
	lag, stopped, err := w.workers(ctx)
	if err != nil {
		return lag, err
	}
	ends, err := w.source.LogEnds(ctx, topics)
	if err != nil {
		return lag, err
	}
	known, err := w.load(ctx, partitionsIn(ends))
	if err != nil {
		return lag, err
	}
	for tp, e := range ends {
		from := e.LogStart
		if m := known[wire.Partition{Topic: tp.Topic, Number: tp.Partition}]; m != nil {
			from = max(from, m.End().Source)
		}
		lag.Records += max(0, e.LastStable-from)
	}
	w.lag, w.lagErr, w.lagAt = lag, stopped, time.Now()
	return w.lag, w.lagErr
}

// workers is what they say of themselves; stopped are partitions that cannot be
// copied.
func (w *asking) workers(ctx context.Context) (lag executor.CopyLag, stopped, err error) {
	entries, err := mirror.Entries(ctx, w.shelf)
	if err != nil {
		return lag, nil, err
	}
	var reasons []error
	alive, rate := 0, 0.0
	for _, e := range entries {
		if time.Since(e.WrittenAt) > silence {
			continue
		}
		alive++
		rate += e.Rate
		for _, why := range e.Stopped {
			reasons = append(reasons, errors.New(why))
		}
	}
	lag.Text = fmt.Sprintf("%d workers, %.1f MB/s", alive, rate/1e6)
	if alive == 0 {
		lag.Text = "no worker gives a sign of life: start one with " + w.command
	}
	return lag, errors.Join(reasons...), nil
}

// load reads the maps of partitions. w.looking is held.
func (w *asking) load(ctx context.Context, partitions []wire.Partition) (map[wire.Partition]*mirror.Map, error) {
	missing := slices.ContainsFunc(partitions, func(p wire.Partition) bool { return w.known[p] == nil })
	if !missing && time.Since(w.looked) < lookEvery {
		return w.known, nil
	}
	known, _, err := w.keeper.Load(ctx, partitions)
	if err != nil {
		return nil, err
	}
	if w.known == nil || time.Since(w.looked) >= lookEvery { // what others asked for is old by now
		w.known, w.looked = map[wire.Partition]*mirror.Map{}, time.Now()
	}
	maps.Copy(w.known, known)
	return w.known, nil
}

func partitionsIn[V any](of map[cluster.TopicPartition]V) []wire.Partition {
	var all []wire.Partition
	for tp := range of {
		all = append(all, wire.Partition{Topic: tp.Topic, Number: tp.Partition})
	}
	return all
}

// Throttle tells the workers what they may copy together.
func (w *asking) Throttle(ctx context.Context, bytesPerSecond int64) error {
	return mirror.SetRate(ctx, w.shelf, bytesPerSecond)
}

// Translate looks positions up in the maps that the workers keep.
func (w *asking) Translate(ctx context.Context, positions map[cluster.TopicPartition]int64) (map[cluster.TopicPartition]int64, error) {
	w.looking.Lock()
	defer w.looking.Unlock()
	known, err := w.load(ctx, partitionsIn(positions))
	if err != nil {
		return nil, err
	}
	places, err := translate(known, positions)
	if err != nil || len(places) == len(positions) {
		return places, err
	}
	_, stopped, err := w.workers(ctx)
	return places, errors.Join(stopped, err)
}
