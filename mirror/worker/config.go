package worker

import (
	"context"
	"log/slog"
	"time"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// Topic is a topic that is to be copied.
type Topic struct {
	Partitions int  // that can be copied: both sides have them; 0: none yet
	MaxBatch   int  // bytes: the target's max.message.bytes
	Ahead      bool // the source is compacted
}

// Group is the consumer group of the workers, on the source cluster.
type Group struct {
	Name    string
	At      wire.Options  // how to reach that cluster
	Session time.Duration // session timeout; 0: 15 s
}

// Clock counts suspended time; see boottime.
type Clock interface{ Now() time.Duration }

// Config is one worker.
type Config struct {
	ID   string // of its own, for good
	Host string
	PID  int
	// Space is where PID means something, and Dead says whether the process of
	// another worker is certain to have ended; "" and nil: nobody can tell.
	Space string
	Dead  func(mirror.Entry) bool

	Source, Target *wire.Client
	Group          Group
	Producer       mirror.Producer
	Shelf          mirror.Shelf
	Limits         mirror.Limits
	MaxAge         time.Duration // see mirror.Config
	Wait           time.Duration // see mirror.Config; 0: 60 s
	Latest         bool          // new copies begin at the source's log end
	BytesPerSecond int64         // of all workers together; 0: no limit
	Once           bool          // end when what was there at the start is copied
	Patience       time.Duration // with Once: for the directions; 0: 10 min

	Positions mirror.Positions // of the source's groups; nil: the offset maps stay as they are

	// Survey looks which topics are to be copied, and which can be now; those
	// that wait for apply are among them. It is called again and again.
	Survey func(context.Context) (map[string]Topic, error)
	Every  time.Duration // between two surveys; 0: 10 s

	Clock Clock
	Log   *slog.Logger // nil: none
}

const (
	DefaultSession = 15 * time.Second
	DefaultWait    = time.Minute
	defaultEvery   = 10 * time.Second
	// defaultPatience is for apply to begin the copy, where the worker is to end
	// by itself: a worker in CI that waits for ever is no help.
	defaultPatience = 10 * time.Minute

	rebalanceTimeout = time.Minute
	// handOver is for how long a partition may take to come to its end when the
	// group wants it back, with what is kept of it. With what may be under way
	// before it is that partition's turn (handOver, and claiming twice) it stays
	// below rebalanceTimeout, behind which the group goes on without asking.
	handOver = 30 * time.Second
	claiming = 10 * time.Second // for reading and writing the shelf about partitions
	pulse    = time.Second      // between two looks at the directions
)

func (c Config) withDefaults() Config {
	set := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.Group.Session, DefaultSession)
	set(&c.Wait, DefaultWait)
	set(&c.Every, defaultEvery)
	set(&c.Patience, defaultPatience)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
