package migration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/mirror"
	"kplan/mirror/driver"
	"kplan/mirror/wire"
	"kplan/plan"
)

// The pools of memory for what brokers answer, in bytes.
const (
	sourcePool = 64 << 20
	targetPool = 16 << 20
)

// Mirroring is what opens the mirror of an apply.
type Mirroring struct {
	Plan     *plan.Plan
	Clusters *Clusters
	Session  *Session
	Shelf    mirror.Shelf // which is not closed
	Command  string       // that a person types to start a worker
	Note     func(string) // what people are told
	Log      *slog.Logger
}

// Open opens the mirror, in this process or by workers, with the identity that the
// state gives it. The session's lock is held. end ends what it has begun.
func (o Mirroring) Open(ctx context.Context) (of executor.Mirror, end func() error, err error) {
	m, c, held := o.Plan.Migration.Mirror, o.Clusters, o.Session.Held
	if err := mirror.Govern(ctx, o.Shelf, held.Check); err != nil {
		return nil, nil, err
	}
	local := &driver.Local{
		SourceTopics: c.Source, TargetTopics: c.Target, TargetLogs: c.Target, SourceGroups: c.Source, Shelf: o.Shelf, Keeper: mirror.NewKeeper(o.Shelf), Lease: held.Check,
		Latest: m.Start == "latest", BytesPerSecond: m.BytesPerSecond, Memory: func(ctx context.Context) (time.Duration, error) { return producerMemory(ctx, c.Target, o.Note) }, Log: o.Log,
	}
	local.Keeper.Lease = held.Check
	at, err := dataPaths(o.Plan)
	if err != nil {
		return nil, nil, err
	}
	local.Source, local.Target = wire.New(at[0]), wire.New(at[1])
	driver.NewLocal(c.Source, local)
	closing := local.Close
	defer func() {
		if err != nil {
			err = errors.Join(err, closing())
		}
	}()
	if local.Producer, err = mirror.Identify(ctx, o.Shelf, local.Target, c.Target.ClusterID(), CopyBegun(o.Session.State), nil); err != nil { // workers find it there
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
		workers := driver.NewWorkers(c.Source, &driver.Workers{Shelf: o.Shelf, Keeper: local.Keeper, Target: c.Target, Command: o.Command, Log: o.Log}, boottime.Clock{}.Now, DeadHere)
		tended(workers.Tend)
		return workers, closing, nil
	}
	// Nobody would wait for workers at the end of a copy.
	watch := mirror.NewWatch(boottime.Clock{}.Now, DeadHere)
	if err := driver.Alone(ctx, o.Shelf, watch, "the plan's mirror runs in apply (run = \"worker\" lets workers copy)", o.Note); err != nil {
		return nil, nil, err
	}
	tended(func(ctx context.Context) { driver.Tend(ctx, o.Shelf, watch, o.Log) })
	return local, closing, nil
}

// dataPaths say how the connections that carry batches reach source and target.
func dataPaths(p *plan.Plan) (at [2]wire.Options, err error) {
	if at[0], err = DataPath(p.Dir, p.Migration.Source, sourcePool); err == nil {
		at[1], err = DataPath(p.Dir, p.Migration.Target, targetPool)
	}
	return at, err
}

// DataPath says how the connections that carry batches reach a cluster of the plan
// in dir; pool bounds the memory for its answers, in bytes.
func DataPath(dir string, of *plan.Cluster, pool int64) (wire.Options, error) {
	ep, err := endpoint.Own(dir, of)
	if err != nil {
		return wire.Options{}, err
	}
	mechanism, err := wire.Mechanism(ep)
	if err != nil {
		return wire.Options{}, fmt.Errorf("cluster %q: %w", of.Name, err)
	}
	return wire.Options{Bootstrap: ep.Bootstrap, TLS: ep.TLS, SASL: mechanism, Pool: wire.NewPool(pool)}, nil
}

// DeadHere reports whether a worker ran on this machine and has ended.
func DeadHere(e mirror.Entry) bool {
	return e.PID != os.Getpid() && state.Ended(state.Holder{PID: e.PID, Space: e.Space})
}

// producerMemory asks the target's brokers for how long they know a producer
// (R23), and notes which of them does not answer.
func producerMemory(ctx context.Context, target *kafka.Client, note func(string)) (time.Duration, error) {
	configs, away, err := target.BrokerConfigs(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range slices.Sorted(maps.Keys(away)) {
		note(fmt.Sprintf("Broker %d of the target does not tell its configs: %v. What it leads is copied when it is back; until this mirror is started again, all records count as too old for the brokers to know them (R23), which costs a minute after a broken connection.", id, away[id]))
	}
	return driver.Memory(configs, len(away) == 0), nil
}
