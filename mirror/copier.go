package mirror

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// Producer is what the mirror writes as: one producer id for each target
// cluster, persisted before its first use, and the flip number as its epoch
// (R18).
type Producer struct {
	ID    int64
	Epoch int16
}

// Store remembers where the copies of partitions began: at the first source
// offset, and at the target's log end of that time, which is the start of the
// phase (R24). Begin is durable when it returns, and is called before the first
// record is sent. Keep keeps maps; the newest may be lost, since what is missing
// is found again by reading the source.
type Store interface {
	Begin(wire.Partition, Point) error
	Keep(map[wire.Partition]*Map) error
}

// Config is a copy from one cluster to another.
type Config struct {
	Source, Target *wire.Client
	Producer       Producer
	Partitions     map[wire.Partition]*Map // all that are to be copied; nil: from the beginning
	Store          Store
	Limits         Limits
	Log            *slog.Logger // nil: none

	// MaxAge is the age, by their time stamps, from which on the target's brokers
	// may have forgotten the producer of records (producer.id.expiration.ms, or
	// transactional.id.expiration.ms before 3.5). Wait is how long a request may
	// still be under way after its connection has broken; it is waited out
	// before such records are sent again (R23).
	MaxAge time.Duration
	Wait   time.Duration
}

// Limits bound memory and requests. The zero value is the default of each.
type Limits struct {
	Batch     int           // bytes of a batch that is put together; 0: 1,000,000
	Unpacked  int           // bytes that one batch may unpack to; 0: 64 MiB
	Fetch     int           // bytes of an answer; 0: 4 MiB less a little, so that it fits a buffer of that size
	Partition int           // bytes of a partition in an answer, and that may wait for the target; 0: 1 MiB
	Request   int           // bytes of a produce request; 0: 4 MiB
	Timeout   time.Duration // of a produce request; 0: 30 s
}

const (
	inFlight     = 5   // produce requests of a partition: what the broker's duplicate check remembers
	perLane      = 500 // partitions on a connection, before there is another one
	leastLanes   = 2
	mostLanes    = 8
	keepInterval = time.Second
)

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.Batch, 1_000_000)
	set(&l.Unpacked, 64<<20)
	set(&l.Fetch, 4<<20-64<<10)
	set(&l.Partition, 1<<20)
	set(&l.Request, 4<<20)
	if l.Timeout == 0 {
		l.Timeout = 30 * time.Second
	}
	return l
}

// Copier copies the committed records of partitions, each once and in order. It
// is made by New and used by one Run.
type Copier struct {
	Config
	parts map[wire.Partition]*part
	order []*part
	lanes int

	splicers sync.Pool // *batch.Splicer
	routing  routing

	mu      sync.Mutex
	senders map[route]*sender
	readers map[route]bool
	wake    chan struct{} // tells the resumer
	group   sync.WaitGroup
	loopCtx context.Context
}

// route is one lane to one broker.
type route struct {
	broker int32
	lane   int
}

// New makes a copier. It does not speak to anybody yet.
func New(conf Config) (*Copier, error) {
	conf.Limits = conf.Limits.withDefaults()
	if conf.Log == nil {
		conf.Log = slog.New(slog.DiscardHandler)
	}
	if _, err := batch.NewSplicer(conf.splicing()); err != nil {
		return nil, err
	}
	c := &Copier{
		Config: conf, parts: map[wire.Partition]*part{}, senders: map[route]*sender{}, readers: map[route]bool{},
		wake: make(chan struct{}, 1),
	}
	c.routing.soon = make(chan struct{}, 1)
	for p, known := range conf.Partitions {
		c.parts[p] = newPart(p, known)
	}
	c.order = ordered(c.parts)
	for i, p := range c.order {
		p.number = i
	}
	c.lanes = min(max(leastLanes, (len(c.order)+perLane-1)/perLane), mostLanes)
	return c, nil
}

func (c Config) splicing() batch.Limits {
	return batch.Limits{Batch: c.Limits.Batch, Unpacked: c.Limits.Unpacked}
}

func (c *Copier) splicer() *batch.Splicer {
	if s, ok := c.splicers.Get().(*batch.Splicer); ok {
		s.Reset()
		return s
	}
	s, err := batch.NewSplicer(c.splicing())
	if err != nil { // New has tried
		return nil
	}
	return s
}

// Run copies until ctx ends, then lets what is under way come to its end and
// keeps the offsets. A partition that cannot be copied is stopped with a reason
// (Status); the others go on.
func (c *Copier) Run(ctx context.Context) error {
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	c.loopCtx = loops
	reading, stopReading := context.WithCancelCause(ctx)
	defer stopReading(nil)
	c.group.Go(func() { c.resumeAll(reading) })
	c.group.Go(func() { c.routeAll(reading) })
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	var err error
	for ctx.Err() == nil && err == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			err = c.keep()
		}
	}
	stopReading(err)
	c.settle()
	stop()
	c.group.Wait()
	return errors.Join(err, c.keep())
}

// settle waits until nothing is under way, or the last request must have ended.
func (c *Copier) settle() {
	limit := time.After(c.Limits.Timeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.flying() {
		select {
		case <-tick.C:
		case <-limit:
			return
		}
	}
}

func (c *Copier) flying() bool {
	for _, p := range c.order {
		p.mu.Lock()
		n := len(p.flight)
		p.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return false
}

// keep hands the maps that have changed to the store.
func (c *Copier) keep() error {
	changed := map[wire.Partition]*Map{}
	for _, p := range c.order {
		p.mu.Lock()
		if m := p.changed(); m != nil {
			changed[p.Partition] = m
		}
		p.mu.Unlock()
	}
	if len(changed) == 0 {
		return nil
	}
	return c.Store.Keep(changed)
}
