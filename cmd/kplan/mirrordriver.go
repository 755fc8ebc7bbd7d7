package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/kafka"
	"kplan/internal/migration"
	"kplan/mirror"
	"kplan/mirror/driver"
	"kplan/plan"
)

// mirrorOf opens the mirror of a plan, in this process or by workers, with the
// identity that the state gives it. The lock is held by the caller.
func (a *app) mirrorOf(ctx context.Context, p *plan.Plan, c *migration.Clusters, s *migration.Session, log *slog.Logger, stderr io.Writer) (of executor.Mirror, end func() error, err error) {
	m := p.Migration.Mirror
	if m == nil {
		return nil, func() error { return nil }, nil
	}
	shelf, closeShelf, err := a.shelf(ctx, p, p.State)
	if err != nil {
		return nil, nil, err
	}
	closing := closeShelf
	defer func() {
		if err != nil {
			err = errors.Join(err, closing())
		}
	}()
	if err := mirror.Govern(ctx, shelf, s.Held.Check); err != nil {
		return nil, nil, err
	}
	local := &driver.Local{
		SourceTopics: c.Source, TargetTopics: c.Target, TargetLogs: c.Target, SourceGroups: c.Source, Shelf: shelf, Keeper: mirror.NewKeeper(shelf), Lease: s.Held.Check,
		Latest: m.Start == "latest", BytesPerSecond: m.BytesPerSecond, Memory: func(ctx context.Context) (time.Duration, error) { return producerMemory(ctx, c.Target, stderr) }, Log: log,
	}
	local.Keeper.Lease = s.Held.Check
	if local.Source, err = a.dataPath(p.Migration.Source, sourcePool); err != nil {
		return nil, nil, err
	}
	if local.Target, err = a.dataPath(p.Migration.Target, targetPool); err != nil {
		local.Source.Close()
		return nil, nil, err
	}
	driver.NewLocal(c.Source, local)
	closing = func() error { return errors.Join(local.Close(), closeShelf()) }
	if local.Producer, err = mirror.Identify(ctx, shelf, local.Target, c.Target.ClusterID(), migration.CopyBegun(s.State), nil); err != nil { // workers find it there
		return nil, nil, err
	}
	tended := func(tend func(context.Context)) {
		tending, stop := context.WithCancel(context.WithoutCancel(ctx))
		over := make(chan struct{})
		go func() { defer close(over); tend(tending) }()
		before := closing
		closing = func() error { stop(); <-over; return before() }
	}
	if m.Run == "worker" {
		workers := driver.NewWorkers(c.Source, &driver.Workers{Shelf: shelf, Keeper: local.Keeper, Target: c.Target, Command: a.command("mirror"), Log: log}, boottime.Clock{}.Now, deadHere)
		tended(workers.Tend)
		return workers, closing, nil
	}
	// Nobody would wait for workers at the end of a copy.
	watch := mirror.NewWatch(boottime.Clock{}.Now, deadHere)
	if err := driver.Alone(ctx, shelf, watch, "the plan's mirror runs in apply (run = \"worker\" lets workers copy)", func(text string) { note(stderr, "%s", text) }); err != nil {
		return nil, nil, err
	}
	tended(func(ctx context.Context) { driver.Tend(ctx, shelf, watch, log) })
	return local, closing, nil
}

// deadHere reports whether a worker ran on this machine and has ended.
func deadHere(e mirror.Entry) bool {
	return e.PID != os.Getpid() && state.Ended(state.Holder{PID: e.PID, Space: e.Space})
}

// producerMemory asks the target's brokers for how long they know a producer
// (R23), and says which of them does not answer.
func producerMemory(ctx context.Context, target *kafka.Client, stderr io.Writer) (time.Duration, error) {
	configs, away, err := target.BrokerConfigs(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range slices.Sorted(maps.Keys(away)) {
		note(stderr, "Broker %d of the target does not tell its configs: %v. What it leads is copied when it is back; until this mirror is started again, all records count as too old for the brokers to know them (R23), which costs a minute after a broken connection.", id, away[id])
	}
	return driver.Memory(configs, len(away) == 0), nil
}
