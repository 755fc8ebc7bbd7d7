package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kplan/executor"
	"kplan/internal/boottime"
	"kplan/internal/cluster"
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
	command string // that starts a worker
}

var _ executor.Mirror = (*asking)(nil)

// Begin lets the workers copy the topics.
func (w *asking) Begin(ctx context.Context, topics []string) error {
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
	d, err := mirror.Direct(ctx, w.shelf, ways(topics, mirror.Halted))
	if err != nil {
		return err
	}
	return mirror.Barrier(ctx, w.shelf, d.Epoch, boottime.Clock{}.Now)
}

// silence is how long after its last word a worker is not counted.
const silence = 2 * worker.DefaultSession

// Lag adds up what the workers tell of themselves, whatever the topics.
func (w *asking) Lag(ctx context.Context, _ []string) (executor.CopyLag, error) {
	entries, err := mirror.Entries(ctx, w.shelf)
	if err != nil {
		return executor.CopyLag{}, err
	}
	var lag executor.CopyLag
	var stopped []error
	alive, rate := 0, 0.0
	for _, e := range entries {
		if time.Since(e.WrittenAt) > silence {
			continue
		}
		alive++
		lag.Records += e.Lag
		rate += e.Rate
		for _, why := range e.Stopped {
			stopped = append(stopped, errors.New(why))
		}
	}
	if alive == 0 {
		lag.Text = "no worker gives a sign of life: start one with " + w.command
	} else {
		lag.Text = fmt.Sprintf("%d workers, %.1f MB/s", alive, rate/1e6)
	}
	return lag, errors.Join(stopped...)
}

// Throttle tells the workers what they may copy together.
func (w *asking) Throttle(ctx context.Context, bytesPerSecond int64) error {
	return mirror.SetRate(ctx, w.shelf, bytesPerSecond)
}

// Translate looks positions up in the maps that the workers keep.
func (w *asking) Translate(ctx context.Context, positions map[cluster.TopicPartition]int64) (map[cluster.TopicPartition]int64, error) {
	var partitions []wire.Partition
	for tp := range positions {
		partitions = append(partitions, wire.Partition{Topic: tp.Topic, Number: tp.Partition})
	}
	known, err := w.keeper.Load(ctx, partitions)
	if err != nil {
		return nil, err
	}
	if _, err := w.Lag(ctx, nil); err != nil {
		return nil, err
	}
	return translate(known, positions)
}
