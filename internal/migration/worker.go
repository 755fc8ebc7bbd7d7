package migration

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/driver"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// Working is what makes a worker of a migration's mirror.
type Working struct {
	Survey  Survey
	Holder  state.Holder // this process, where it needs the lock for a moment
	ID      string       // of the worker, new for each
	Once    bool         // it ends when what is on the source now is copied
	Session time.Duration
	Wait    time.Duration                                          // zero: the usual one (R23)
	Look    func(context.Context) (map[string]worker.Topic, error) // which topics are to be copied
	Note    func(string)                                           // what people are told
	Log     *slog.Logger
}

// Open makes a worker with the identity that the state gives the mirror. end closes
// its connections, when it has run.
func (o Working) Open(ctx context.Context, st state.State) (w *worker.Worker, end func(), err error) {
	p, c := o.Survey.Plan, o.Survey.Clusters
	at, err := dataPaths(p)
	if err != nil {
		return nil, nil, err
	}
	source, target := wire.New(at[0]), wire.New(at[1])
	closing := func() { source.Close(); target.Close() }
	defer func() {
		if err != nil {
			closing()
		}
	}()
	producer, err := o.identify(ctx, target, st)
	if err != nil {
		return nil, nil, err
	}
	memory, err := producerMemory(ctx, c.Target, o.Note)
	if err != nil {
		return nil, nil, err
	}
	m := p.Migration.Mirror
	w, err = worker.New(worker.Config{
		ID: o.ID, Host: o.Holder.Host, PID: os.Getpid(), Space: state.Space(), Dead: DeadHere, Source: source, Target: target, Producer: producer, Shelf: o.Survey.Shelf, MaxAge: memory, Wait: o.Wait,
		Group:  worker.Group{Name: MirrorGroup(p.Migration.Name), At: at[0], Session: cmp.Or(o.Session, m.SessionTimeout)},
		Latest: m.Start == "latest", BytesPerSecond: m.BytesPerSecond, Once: o.Once, Survey: o.Look, Positions: driver.Positions(c.Source), Clock: boottime.Clock{}, Log: o.Log,
	})
	if err != nil {
		return nil, nil, err
	}
	return w, closing, nil
}

// MirrorGroup is the group through which workers share partitions.
func MirrorGroup(migration string) string { return cluster.OwnPrefix + migration + ".mirror" }

const (
	identifyPatience = time.Minute
	identifyPause    = 250 * time.Millisecond
)

// identify returns the producer id of the mirror. Where there is none yet it is
// made under the migration's lock, for which another worker may be as well.
func (o Working) identify(ctx context.Context, target *wire.Client, st state.State) (mirror.Producer, error) {
	lock := func(ctx context.Context) (func() error, error) {
		brief := o.Holder
		brief.Brief = true
		held, err := o.Survey.State.Acquire(ctx, brief)
		if err != nil {
			return nil, err
		}
		return held.Release, nil
	}
	ctx, cancel := context.WithTimeout(ctx, identifyPatience)
	defer cancel()
	for {
		p, err := mirror.Identify(ctx, o.Survey.Shelf, target, o.Survey.Clusters.Target.ClusterID(), CopyBegun(st), lock)
		var locked *state.LockedError
		if err == nil || !errors.As(err, &locked) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return p, err
		case <-time.After(identifyPause):
		}
	}
}
