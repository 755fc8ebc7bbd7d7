package kafka

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// waits says what a cluster is waited for when that takes long: a broker that
// does not answer, one that says "not now", a quota of kplan's own user. All
// copies of a Client share it. Safe for concurrent use.
type waits struct {
	name         string
	after, again time.Duration
	throttled    func() time.Duration

	tell func(string) // nil: nobody listens

	mu    sync.Mutex
	open  map[*wait]bool
	timer *time.Timer
	looks int // number of the look that is due: an earlier one is too late
}

// wait is one thing that is under way.
type wait struct {
	what  string
	began time.Time
	last  error // of the last try; nil: none has failed
}

func newWaits(name string, throttled func() time.Duration, opts []Option) *waits {
	w := &waits{name: name, after: cluster.SayAfter, again: cluster.SayAgain, throttled: throttled, open: map[*wait]bool{}}
	for _, o := range opts {
		o(w)
	}
	return w
}

// Option changes how a cluster is asked.
type Option func(*waits)

// OnWait lets tell know what the cluster is waited for, in one line each, as
// soon as something takes longer than cluster.SayAfter, and every SayAgain after
// that. It is called from other goroutines, never twice at once for a cluster.
func OnWait(tell func(string)) Option { return func(w *waits) { w.tell = tell } }

// begin notes that something is under way; the end has to be told.
func (w *waits) begin(what string) *wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := &wait{what: what, began: time.Now()}
	w.open[one] = true
	if w.timer == nil {
		w.lookIn(w.after)
	}
	return one
}

func (w *waits) end(one *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, one)
	if len(w.open) == 0 {
		w.timer.Stop()
		w.timer = nil
		w.looks++ // one that waits for mu is not stopped
	}
}

// lookIn looks once more after a while. mu is held.
func (w *waits) lookIn(d time.Duration) {
	w.looks++
	number := w.looks
	w.timer = time.AfterFunc(d, func() { w.look(number) })
}

func (w *waits) failed(one *wait, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one.last = err
}

func (w *waits) look(number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number != w.looks {
		return
	}
	var oldest *wait
	for one := range w.open {
		if oldest == nil || one.began.Before(oldest.began) {
			oldest = one
		}
	}
	if left := w.after - time.Since(oldest.began); left > 0 {
		w.lookIn(left)
		return
	}
	if w.tell != nil {
		w.tell(w.line(oldest))
	}
	w.lookIn(w.again)
}

// line is what a person reads.
func (w *waits) line(oldest *wait) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Waiting for %s, for %s now: %s.", w.name, time.Since(oldest.began).Round(time.Second), oldest.what)
	for one := range w.open {
		if one.last != nil {
			fmt.Fprintf(&b, " The last answer was no use: %v; it is asked again.", one.last)
			break
		}
	}
	if t := w.throttled(); t > 0 {
		fmt.Fprintf(&b, " Its brokers hold answers to kplan back, for up to %s each: a client quota of kplan's user or client id (kafka-configs.sh --describe --entity-type users).", t.Round(time.Millisecond))
	}
	return b.String()
}

// held is the longest time for which a broker has held an answer of late.
func held(conf *sarama.Config) time.Duration {
	var longest int64
	conf.MetricRegistry.Each(func(name string, metric any) {
		if h, ok := metric.(interface{ Max() int64 }); ok && strings.HasPrefix(name, "throttle-time-in-ms-for-broker") {
			longest = max(longest, h.Max())
		}
	})
	return time.Duration(longest) * time.Millisecond
}
