//go:build bench

package mirrorbench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
	"time"

	"kplan/executor/state"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// copying is a mirror in a process of its own: checksums, offset map, state on
// disk and a look at the standing once a second are on.
type copying struct {
	Source, Target []string
	Topic          string
	Partitions     int
	Dir            string
	Profile        string        // a file for a CPU profile
	Limits         mirror.Limits // variants
}

func (c *copying) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if c.Profile != "" {
		f, err := os.Create(c.Profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	source := wire.New(wire.Options{Bootstrap: c.Source, Pool: wire.NewPool(64 << 20)})
	target := wire.New(wire.Options{Bootstrap: c.Target, Pool: wire.NewPool(16 << 20)})
	defer source.Close()
	defer target.Close()
	told, err := target.Metadata(ctx, nil)
	if err != nil {
		return err
	}
	shelf := state.NewFileShelf(c.Dir)
	producer, err := mirror.Identify(ctx, shelf, target, told.ClusterID, false, nil)
	if err != nil {
		return err
	}
	var all []wire.Partition
	for i := range c.Partitions {
		all = append(all, wire.Partition{Topic: c.Topic, Number: int32(i)})
	}
	keeper := mirror.NewKeeper(shelf)
	assigned, err := keeper.Assignments(ctx, all)
	if err != nil {
		return err
	}
	conf := mirror.Config{
		Source: source, Target: target, Producer: producer, Limits: c.Limits, Partitions: assigned, Store: keeper,
		Lease: func(wire.Partition) error { return nil },
		Log:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	copier, err := mirror.New(conf)
	if err != nil {
		return err
	}
	go watch(ctx, copier)
	return copier.Run(ctx)
}

// watch asks for the standing as metrics do, and tells of what is stopped.
func watch(ctx context.Context, c *mirror.Copier) {
	for range time.Tick(time.Second) {
		if ctx.Err() != nil {
			return
		}
		for _, s := range c.Status() {
			if s.Why != nil {
				fmt.Fprintln(os.Stderr, s.Topic, s.Number, s.Phase, s.Why)
			}
		}
	}
}
