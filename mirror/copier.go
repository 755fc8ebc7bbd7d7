package mirror

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
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
// phase (R24), and which topics these were. Begin is durable when it returns,
// and is called before the first record is sent. Keep keeps maps,
// and how far they are acknowledged. Those of partitions that are copied Ahead
// have to be durable when it returns; of the others the newest may be lost, since
// what is missing is found again by reading the source. Begin and Keep are called from several goroutines, for one
// partition never by two at once.
type Store interface {
	Begin(wire.Partition, Beginning) error
	Keep(map[wire.Partition]Kept) error
}

// Config is a copy from one cluster to another.
type Config struct {
	Source, Target *wire.Client
	Producer       Producer
	Partitions     map[wire.Partition]Assignment // those at the start; Add and Remove change them
	Store          Store
	Limits         Limits
	Log            *slog.Logger // nil: none

	// Positions are asked for while the offset maps are larger than Limits.Maps,
	// every Limits.MapsEvery: what all groups have read is kept in less detail.
	// nil: the maps stay as they are.
	Positions Positions

	// Lease says whether a partition may be written to now (R18); nil: always.
	// It is asked before each write, and before the store is told anything. With
	// an error nothing is sent, and what waits is dropped; the copy goes on when
	// there is none any more. It has to be quick, and must not call the Copier.
	Lease func(wire.Partition) error

	// MaxAge is the age, by their time stamps, from which on the target's brokers
	// may have forgotten the producer of records (producer.id.expiration.ms, or
	// transactional.id.expiration.ms before 3.5). Wait is how long a request may
	// still be under way after its connection has broken, or after its process
	// has died; it is waited out before such records are sent, and before any of
	// a partition that is copied Ahead (R23).
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
	Timeout   time.Duration // of a produce request, for which its partitions wait for each other's replicas; 0: 10 s
	InFlight  int           // produce requests of a partition under way; 0, and at most: 5, what the broker's duplicate check remembers
	Apart     bool          // batches are never merged, as small as they may be
	Maps      int           // bytes of the offset maps of all partitions that are not worth asking for positions; 0: 1 MiB
	MapsEvery time.Duration // between two looks at their size; 0: 1 min
}

const (
	mostInFlight = 5
	perLane      = 500 // partitions on a connection, before there is another one
	leastLanes   = 2
	mostLanes    = 8
	keepInterval = time.Second

	settleInterval = 5 * time.Millisecond // between two looks at what is under way
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
	set(&l.InFlight, mostInFlight)
	set(&l.Maps, 1<<20)
	l.InFlight = min(l.InFlight, mostInFlight)
	if l.Timeout == 0 {
		l.Timeout = 10 * time.Second
	}
	if l.MapsEvery == 0 {
		l.MapsEvery = coarsenEvery
	}
	return l
}

// Copier copies the committed records of partitions, each once and in order. It
// is made by New and used by one Run.
type Copier struct {
	Config
	table    atomic.Pointer[table]
	throttle *throttle

	splicers sync.Pool // *batch.Splicer
	loans    sync.Pool // *loan
	patcher  *batch.Patcher
	routing  routing
	keeping  sync.Mutex    // held while the store keeps maps: an older one must not come last
	inspects chan struct{} // has a place for each partition of which the target may be read
	parked   atomic.Int64  // bytes of batches that wait in memory of their own
	sizes    atomic.Pointer[Maps]

	mu      sync.Mutex
	senders map[route]*sender
	readers map[route]bool
	wake    chan struct{} // tells the resumer
	fresh   chan struct{} // tells what begins new copies
	planned chan struct{} // tells keepAhead
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
	spare, err := batch.NewSplicer(conf.splicing())
	if err != nil {
		return nil, err
	}
	c := &Copier{
		Config: conf, patcher: batch.NewPatcher(), throttle: newThrottle(), senders: map[route]*sender{}, readers: map[route]bool{},
		wake: make(chan struct{}, 1), fresh: make(chan struct{}, 1), planned: make(chan struct{}, 1), inspects: make(chan struct{}, mostInspects),
	}
	c.table.Store(&table{})
	c.splicers.New = func() any { return spare.Sibling() }
	c.routing.soon = make(chan struct{}, 1)
	if err := c.Add(conf.Partitions); err != nil {
		return nil, err
	}
	return c, nil
}

func (c Config) splicing() batch.Limits {
	return batch.Limits{Batch: c.Limits.Batch, Unpacked: c.Limits.Unpacked}
}

// splicer returns one that makes batches that the target of a partition takes.
func (c *Copier) splicer(p *part) *batch.Splicer {
	s := c.splicers.Get().(*batch.Splicer)
	s.Reset()
	s.Bound(p.limit, p.most)
	return s
}

// Run copies until ctx ends, then lets what is under way come to its end and
// keeps the offsets. A partition that cannot be copied is stopped with a reason
// (Status); the others go on. What may pass is waited for, however long it
// takes, with a reason in Status: Run ends by ctx alone, and its error is that
// of the last Store.Keep.
func (c *Copier) Run(ctx context.Context) error {
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	c.loopCtx = loops
	reading, stopReading := context.WithCancelCause(ctx)
	defer stopReading(nil)
	c.group.Go(func() { c.resumeAll(reading) })
	c.group.Go(func() { c.beginAll(reading) })
	c.group.Go(func() { c.routeAll(reading) })
	c.group.Go(func() { c.keepAhead(loops) })
	c.group.Go(func() { c.relieveAll(loops) })
	c.group.Go(func() { c.measureAll(loops) })
	c.group.Go(func() { c.coarsenAll(reading) })
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	var failing notice
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			if err := c.keep(c.all()); failing.news(err) {
				c.Log.Warn("the copy goes on; what is not kept is found again by reading", "err", err)
			}
		}
	}
	stopReading(nil)
	c.settle()
	stop()
	c.group.Wait()
	return c.keep(c.all())
}

// settle waits until nothing is under way, or the last request must have ended.
func (c *Copier) settle() {
	ctx, cancel := context.WithTimeout(c.loopCtx, c.Limits.Timeout)
	defer cancel()
	if err := awaitLanding(ctx, c.all()); err != nil {
		c.Log.Warn("ending the copy", "err", err)
	}
}

// notice keeps a failure that goes on from being told again and again.
type notice struct {
	last string
	at   time.Time
}

const again = time.Minute

// news reports whether an error is to be told now: it is another one than the
// last, or that was told long ago.
func (n *notice) news(err error) bool {
	if err == nil {
		n.last = ""
		return false
	}
	now := time.Now()
	if err.Error() == n.last && now.Sub(n.at) < again {
		return false
	}
	n.last, n.at = err.Error(), now
	return true
}
