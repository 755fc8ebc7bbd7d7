package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// defaultTTL is for how long a holder that gives no sign of life keeps the
// lock. Every kplan of a migration must use the same.
const defaultTTL = 15 * time.Second

const (
	patience  = 30 * time.Second // with a log that does not answer, where the caller sets no limit
	freshFor  = time.Hour        // far below delete.retention.ms: tombstones older than a day may be missed
	copyBytes = 256 << 10        // of records in one batch
)

const (
	doKafka = "check that the brokers answer and that kplan may write to the topic, then apply again"
	doRead  = "Check that the brokers of the plan's state block answer, and that kplan may read the topic"
)

// Kafka keeps the state of a migration in a compacted topic. See the package's
// documentation for how the lock works.
type Kafka struct {
	log   Log
	where string
	id    string
	now   func() time.Time
	o     options

	turn chan struct{} // holds one token; who has it may touch what follows
	view *view
	read time.Duration // when the view was brought up to date
}

var _ Backend = (*Kafka)(nil)

// NewKafka returns the backend of a log. where names it for people ("the topic
// _kplan.orders of cluster.old"), identity for Moved ("kafka
// CLUSTER-ID/TOPIC"). now dates records. Nothing is read before the first call.
func NewKafka(log Log, where, identity string, now func() time.Time, opts ...Option) *Kafka {
	k := &Kafka{log: log, where: where, id: identity, now: now, o: optionsOf(opts), turn: make(chan struct{}, 1)}
	k.view = newView(where)
	k.turn <- struct{}{}
	return k
}

// Where names the topic.
func (k *Kafka) Where() string { return k.where }

func (k *Kafka) identity() string { return k.id }

// Close closes the log, where it can be closed. Sessions are released before.
func (k *Kafka) Close() error {
	if c, ok := k.log.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// look brings the view up to date, at least past an offset, and calls f with
// it. It asks again until ctx ends.
func (k *Kafka) look(ctx context.Context, past int64, f func(v *view)) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-k.turn:
	}
	defer func() { k.turn <- struct{}{} }()
	for {
		err := k.catchUp(ctx)
		if err == nil && k.view.next > past {
			f(k.view)
			return nil
		}
		if damaged := (*DamagedError)(nil); errors.As(err, &damaged) {
			return err
		}
		if err == nil {
			err = fmt.Errorf("the log ends at offset %d and %d was acknowledged", k.view.next, past)
		}
		if permanent(err) {
			return &ReadError{Path: k.where, Err: err, Do: doRead}
		}
		if pause(ctx, k.o.ttl/100) != nil {
			return &ReadError{Path: k.where, Err: gaveUp(ctx, err), Do: doRead}
		}
	}
}

// peek calls f with the view as it is. Nobody but the holder adds to the
// journal, so what it has read back is all there is.
func (k *Kafka) peek(ctx context.Context, f func(v *view)) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-k.turn:
	}
	f(k.view)
	k.turn <- struct{}{}
	return nil
}

// catchUp reads on. A process that has not looked for long begins again, since
// it may have missed tombstones.
func (k *Kafka) catchUp(ctx context.Context) error {
	v := k.view
	if k.o.clock.Now()-k.read > freshFor {
		v = newView(k.where)
	}
	next, err := k.log.Read(ctx, v.next, func(offset int64, key string, value []byte) error {
		return v.apply(offset, key, value, k.o.clock.Now())
	})
	if err != nil {
		return err
	}
	v.next = max(v.next, next)
	k.view, k.read = v, k.o.clock.Now()
	return nil
}

// bounded limits the patience where the caller does not.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, limited := ctx.Deadline(); limited {
		return ctx, func() {}
	}
	return limited(ctx, patience)
}

// limited is a context whose end says what did not happen.
func limited(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("the brokers did not answer within %s", d))
}

// gaveUp adds why nobody tries any more, such as an interrupt, to the error of
// the last try.
func gaveUp(ctx context.Context, err error) error {
	why := context.Cause(ctx)
	if why == nil || errors.Is(err, why) {
		return err
	}
	return fmt.Errorf("%w: %w", why, err)
}

// send appends notes until it is known that they are in the log, and returns
// the offset of the last one. may is asked before each try. The error of a try
// whose fate is unknown is an *unknownError.
func (k *Kafka) send(ctx context.Context, may func() error, entries func() ([]string, [][]byte, error)) (last int64, err error) {
	var before error
	for {
		if err := may(); err != nil {
			return 0, unknown(before, err)
		}
		keys, values, err := entries()
		if err != nil {
			return 0, err
		}
		try, cancel := limited(ctx, k.o.ttl/3)
		last, err = k.log.Append(try, keys, values)
		cancel()
		if err == nil {
			return last, nil
		}
		if permanent(err) {
			return 0, unknown(before, err)
		}
		before = err
		if pause(ctx, k.o.ttl/60) != nil {
			return 0, &unknownError{gaveUp(ctx, err)}
		}
	}
}

// unknownError says that something was sent and may be in the log.
type unknownError struct{ err error }

func (e *unknownError) Error() string {
	return "whether it was written is not known: " + e.err.Error()
}
func (e *unknownError) Unwrap() error { return e.err }

// unknown keeps in mind that a try before may have reached the log.
func unknown(before, err error) error {
	if before == nil {
		return err
	}
	return &unknownError{errors.Join(before, err)}
}

func always() error { return nil }

func (k *Kafka) writeError(err error) error {
	return &WriteError{Path: k.where, Err: err, Do: doKafka}
}

// Read folds the journal.
func (k *Kafka) Read(ctx context.Context) (State, error) {
	records, err := k.Records(ctx)
	if err != nil {
		return State{}, err
	}
	return Replay(records), nil
}

// Records returns the journal: what valid holders have written.
func (k *Kafka) Records(ctx context.Context) ([]Record, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var records []Record
	err := k.look(ctx, -1, func(v *view) { records = append(records, v.records...) })
	return records, err
}

// Holder says whose claim stands, with its last heartbeat. Whether a holder
// that does not let go still lives only time can tell, unless it ran here.
func (k *Kafka) Holder(ctx context.Context) (*Holder, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var holder *Holder
	here := Holder{Space: Space()}
	err := k.look(ctx, -1, func(v *view) {
		if t := v.current(); t != nil && !k.dead(t.holder, here) {
			h := t.holder
			holder = &h
		}
	})
	return holder, err
}

// Unlock takes the lock away. The holder finds out at its next heartbeat or
// record; until then its lease may be in force, so the next Acquire waits for
// the rest of it.
func (k *Kafka) Unlock(ctx context.Context, id string, by Holder) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for {
		var n note
		var refused error
		if err := k.look(ctx, -1, func(v *view) {
			t := v.current()
			switch {
			case t == nil:
				refused = &UnlockError{Where: k.where, ID: id}
			case t.holder.ID != id:
				h := t.holder
				refused = &UnlockError{Where: k.where, ID: id, Holder: &h}
			}
			n = note{Version: logVersion, Kind: kindClaim, Epoch: max(v.epoch, v.top) + 1, After: v.epoch, Mark: newID(), By: &by}
		}); err != nil || refused != nil {
			return errors.Join(err, refused)
		}
		last, err := k.send(ctx, always, n.entry)
		if err != nil {
			return fmt.Errorf("unlocking: %w", k.writeError(err))
		}
		won := false
		if err := k.look(ctx, last, func(v *view) { won = v.epoch >= n.Epoch && (v.mark == n.Mark || v.epoch > n.Epoch) }); err != nil || won {
			return err
		}
	}
}
