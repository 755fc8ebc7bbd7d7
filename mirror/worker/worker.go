package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// Worker copies its share of the partitions. It is made by New and used by one
// Run.
type Worker struct {
	conf   Config
	copier *mirror.Copier
	keeper *mirror.Keeper
	lease  *lease
	fatal  chan error
	kick   chan struct{} // what is to be copied may have changed
	// beatNow asks for a heartbeat before the next is due: partitions were
	// assigned.
	beatNow chan struct{}
	// lookNow asks for a survey before the next is due: the directions have
	// changed, and what they are about was made ready just before.
	lookNow chan struct{}

	mu       sync.Mutex // guards what follows; never held while something is waited for
	assigned map[wire.Partition]bool
	topics   map[string]Topic
	surveyed int64 // epoch of the directions that were known when topics were looked at; -1: they were not yet
	ways     mirror.Directions
	epoch    int64 // of ways; -1: not read yet
	ended    bool  // nothing is taken any more
	others   []mirror.Sign

	hands sync.Mutex              // held while partitions change hands; guards what follows
	held  map[wire.Partition]bool // that the copier has
	wary  time.Duration           // on the clock: until then something that was dropped may be under way

	owned atomic.Pointer[map[wire.Partition]bool] // what may be written to under a lease

	signs  *mirror.Watch
	client atomic.Pointer[kgo.Client] // the member of the group; nil: it has not joined yet

	rate atomic.Int64 // bytes a second of all workers together; 0: no limit
	done atomic.Int64 // epoch of the directions that are carried out, with nothing under way; -1: none
}

// New makes a worker. It does not speak to anybody yet.
func New(conf Config) (*Worker, error) {
	conf = conf.withDefaults()
	w := &Worker{
		conf: conf, keeper: mirror.NewKeeper(conf.Shelf), lease: newLease(conf.Clock, conf.Group.Session), fatal: make(chan error, 1),
		kick: make(chan struct{}, 1), beatNow: make(chan struct{}, 1), lookNow: make(chan struct{}, 1),
		assigned: map[wire.Partition]bool{}, topics: map[string]Topic{}, held: map[wire.Partition]bool{},
	}
	w.keeper.Lease = w.lease.check
	w.signs = mirror.NewWatch(conf.Clock.Now, conf.Dead)
	w.owned.Store(&map[wire.Partition]bool{})
	w.epoch, w.surveyed = -1, -1
	w.done.Store(-1)
	w.rate.Store(conf.BytesPerSecond)
	var err error
	w.copier, err = mirror.New(mirror.Config{
		Source: conf.Source, Target: conf.Target, Producer: conf.Producer, Store: w.keeper, Limits: conf.Limits, Log: conf.Log, Positions: conf.Positions,
		Lease: w.leased, MaxAge: conf.MaxAge, Wait: conf.Wait,
	})
	return w, err
}

// leased is the copier's question before each write.
func (w *Worker) leased(p wire.Partition) error {
	if !(*w.owned.Load())[p] {
		return &LeaseError{Why: fmt.Sprintf("%s[%d] is not assigned to it", p.Topic, p.Number)}
	}
	w.mu.Lock()
	way := w.ways.Of(p.Topic)
	w.mu.Unlock()
	switch way {
	case mirror.Forward:
		return w.lease.check()
	case mirror.Pending:
		return &LeaseError{Why: fmt.Sprintf("the copy of topic %q has not begun yet", p.Topic)}
	default: // read, and not carried out yet
		return &LeaseError{Why: fmt.Sprintf("the copy of topic %q has ended", p.Topic)}
	}
}

// fail ends Run.
func (w *Worker) fail(err error) {
	select {
	case w.fatal <- err:
	default:
	}
}

func (w *Worker) changed() { poke(w.kick) }

// poke wakes who waits for a channel, unless it is to wake already.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// ErrOver is what a survey wraps that will never succeed: the worker ends with
// its error.
var ErrOver = errors.New("this worker cannot go on")

// errDone ends a worker that had to copy only what was there.
var errDone = errors.New("what was there is copied")

// Run copies until ctx ends, and then hands its partitions over, which takes up
// to half a minute. Its error says why it could not go on; that one partition
// cannot be copied is no reason. With Once it returns nil, or a *StoppedError,
// when what was there at the start is copied, by whomever, and a *PendingError
// when nobody has asked for a copy within Patience.
func (w *Worker) Run(ctx context.Context) error {
	copying, stopCopying := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCopying()
	copied := make(chan error, 1)
	go func() {
		err := w.copier.Run(copying)
		if err != nil {
			w.fail(err)
		}
		copied <- err
	}()
	err := w.serve(ctx)
	stopCopying()
	copyErr := <-copied
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), claiming)
	defer cancel()
	w.hands.Lock()
	wary := w.conf.Clock.Now() < w.wary
	w.hands.Unlock()
	if wary { // something that was dropped may be under way: the entry lapses by itself
		w.conf.Log.Warn("not everything under way has come to its end: who waits for this worker waits until that must have happened")
	} else if leaveErr := mirror.Leave(leaving, w.conf.Shelf, w.conf.ID); leaveErr != nil {
		w.conf.Log.Warn("taking this worker's entry away", "err", leaveErr)
	}
	switch {
	case errors.Is(err, errDone):
		return copyErr
	case err == nil, errors.Is(err, copyErr):
		return copyErr
	default:
		return err
	}
}

// serve works until ctx ends or something fails, and gives all partitions back.
func (w *Worker) serve(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	// Heartbeats and entries go on while partitions are handed over.
	living, stopLiving := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLiving()
	var life sync.WaitGroup
	defer life.Wait()
	defer stopLiving()

	life.Go(func() { w.obey(living) })
	life.Go(func() { w.watch(living) })
	g.Go(func() error {
		select {
		case <-gctx.Done():
			return nil
		case err := <-w.fatal:
			return err
		}
	})
	g.Go(func() error { w.reconcile(gctx); return nil })
	g.Go(func() error { return w.take(gctx, living, &life) })
	if w.conf.Once {
		g.Go(func() error { return w.once(gctx) })
	}
	return g.Wait()
}

// take surveys the topics, joins the group for those that can be copied, and
// leaves it at the end.
func (w *Worker) take(ctx, living context.Context, life *sync.WaitGroup) error {
	var client *kgo.Client
	joined := map[string]bool{}
	defer func() {
		w.end()
		if client != nil {
			client.Close() // leaves the group
		}
	}()
	tick := time.NewTicker(w.conf.Every)
	defer tick.Stop()
	for {
		w.mu.Lock()
		epoch := w.epoch
		w.mu.Unlock()
		topics, err := w.conf.Survey(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrOver):
			return err
		case err != nil:
			w.conf.Log.Warn("looking which topics can be copied", "err", err)
		default:
			var fresh []string
			for name, t := range topics {
				if t.Partitions > 0 && !joined[name] {
					joined[name] = true
					fresh = append(fresh, name)
				}
			}
			w.mu.Lock()
			w.topics, w.surveyed = topics, epoch
			w.mu.Unlock()
			w.changed()
			switch {
			case len(fresh) == 0:
			case client == nil:
				if client, err = w.join(fresh); err != nil {
					return err
				}
				w.client.Store(client)
				life.Go(func() { w.beat(living, client) })
			default:
				client.PauseFetchTopics(fresh...)
				client.AddConsumeTopics(fresh...)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-w.lookNow:
		}
	}
}
