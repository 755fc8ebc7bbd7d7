package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/mirror"
	"kplan/mirror/driver"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// process is one of the mirror: a worker, or what apply drives.
type process struct {
	workers            bool
	id, topic          string
	partitions         int
	compacted          bool
	source, target     *wire.Client // for data
	sourceAt, targetAt []string     // for everything else
	shelf              mirror.Shelf
	producer           mirror.Producer
	lease              func() error // of apply
	wait               time.Duration
	limits             mirror.Limits
	session            time.Duration
	log                *slog.Logger

	said    time.Time // when it told last how far it is
	stopped atomic.Pointer[map[int32]string]
}

// stops are the partitions that it has stopped, and why.
func (c *process) stops() map[int32]string {
	if told := c.stopped.Load(); told != nil {
		return maps.Clone(*told)
	}
	return nil
}

// run copies until ctx ends, and ends in order.
func (c *process) run(ctx context.Context) error {
	if c.workers {
		return c.runWorker(ctx)
	}
	return c.runApply(ctx)
}

func (c *process) runWorker(ctx context.Context) error {
	w, err := worker.New(worker.Config{
		ID: c.id, Source: c.source, Target: c.target, Producer: c.producer, Shelf: c.shelf, Clock: boottime.Clock{}, MaxAge: time.Hour, Wait: c.wait, Limits: c.limits, Log: c.log,
		Group: worker.Group{Name: "_kplan." + c.topic + ".mirror", At: wire.Options{Bootstrap: c.sourceAt}, Session: c.session},
		Survey: func(context.Context) (map[string]worker.Topic, error) {
			return map[string]worker.Topic{c.topic: {Partitions: c.partitions, Ahead: c.compacted}}, nil
		},
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for {
		all := map[int32]string{}
		for _, s := range w.Standing().Partitions {
			if s.Phase == mirror.Stopped {
				all[s.Number] = s.Why.Error()
			}
		}
		c.stopped.Store(&all)
		c.say(fmt.Sprintf("%d partitions: %s", len(w.Standing().Partitions), standings(w.Standing().Partitions)), w.Standing().NoLease)
		select {
		case err := <-ended:
			return err
		case <-time.After(again):
		}
	}
}

// standings is how far partitions are, for people.
func standings(all []mirror.Standing) (text string) {
	for _, s := range all {
		text += fmt.Sprintf("[%d] %s, read to %d of %d, copied to %d, %d under way: %v; ", s.Number, s.Phase, s.Next, s.Mark, s.Copied, s.Flying, s.Why)
	}
	return text
}

// sayEvery is how often a process tells how far it is.
const sayEvery = 5 * time.Second

func (c *process) say(text string, err error) {
	if now := time.Now(); now.Sub(c.said) > sayEvery {
		c.said = now
		c.log.Info(text, "err", err)
	}
}

// again is the time between two looks, or two tries.
const again = 200 * time.Millisecond

// runApply drives the mirror as apply does, whose step that begins the copy is
// tried again until it passes.
func (c *process) runApply(ctx context.Context) (err error) {
	var at [2]*kafka.Client
	for i, bootstrap := range [][]string{c.sourceAt, c.targetAt} {
		if at[i], err = open(ctx, c.log, bootstrap); at[i] == nil {
			return err // nil: it was ended before
		}
		defer func() { err = errors.Join(err, at[i].Close()) }()
	}
	m := driver.NewLocal(at[0], &driver.Local{
		Source: c.source, Target: c.target, SourceTopics: at[0], TargetTopics: at[1], TargetLogs: at[1], Shelf: c.shelf, Keeper: mirror.NewKeeper(c.shelf),
		Producer: c.producer, Lease: c.lease, Memory: func(context.Context) (time.Duration, error) { return time.Hour, nil }, Wait: c.wait, Limits: c.limits, Log: c.log,
	})
	defer func() { err = errors.Join(err, m.Close()) }()
	for tries := 0; ctx.Err() == nil; {
		err := m.Begin(ctx, []string{c.topic})
		if err == nil {
			break
		}
		tries++
		c.log.Warn("beginning the copy", "tries", tries, "err", err)
		pause(ctx)
	}
	for ctx.Err() == nil {
		if lag, err := m.Lag(ctx, []string{c.topic}); lag.Text != "" { // else nobody could be asked
			all := c.partitionsIn(err)
			c.stopped.Store(&all)
			c.say(fmt.Sprintf("%d records to copy, of %d partitions nothing is known; %s", lag.Records, lag.Unknown, lag.Text), err)
		}
		pause(ctx)
	}
	return nil
}

// partitionsIn takes an error apart that says why partitions are stopped; -1 is
// one that is not named.
func (c *process) partitionsIn(err error) map[int32]string {
	all := map[int32]string{}
	if err == nil {
		return all
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		number := int32(-1)
		for i := range int32(c.partitions) {
			if strings.Contains(line, fmt.Sprintf("%s[%d]", c.topic, i)) {
				number = i
			}
		}
		all[number] = line
	}
	return all
}

// open opens a cluster once some broker answers; nil when ctx has ended before.
func open(ctx context.Context, log *slog.Logger, bootstrap []string) (*kafka.Client, error) {
	for ctx.Err() == nil {
		client, err := kafka.Open(ctx, endpoint.Endpoint{Cluster: "the play's", Bootstrap: bootstrap}, "")
		if err == nil {
			return client, nil
		}
		log.Warn("opening a cluster", "err", err)
		pause(ctx)
	}
	return nil, nil
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(again):
	}
}

// shelfIn opens a state in a topic, once its cluster answers; the function closes
// it.
func shelfIn(ctx context.Context, log *slog.Logger, bootstrap []string, topic string) (state.Shelf, func() error, error) {
	for ctx.Err() == nil {
		client, err := open(ctx, log, bootstrap)
		if client == nil {
			return nil, nil, err
		}
		kept, err := client.StateLog(ctx, topic, kafka.StateLogOptions{Configs: state.ShelfConfigs()})
		if err == nil {
			return state.NewLogShelf(kept, kept.Where()), func() error { return errors.Join(kept.Close(), client.Close()) }, nil
		}
		log.Warn("opening the state", "err", errors.Join(err, client.Close()))
		pause(ctx)
	}
	return nil, nil, context.Cause(ctx)
}
