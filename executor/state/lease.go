package state

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// kafkaSession is a claim that won, kept alive by heartbeats.
type kafkaSession struct {
	k      *Kafka
	holder Holder
	left   *Holder
	state  State
	epoch  int64
	mark   string // of the claim

	turn   chan struct{} // holds one token: appends are one at a time
	wrote  int
	broken error // a record may or may not be in the log: nothing can follow it

	ctx   context.Context // ends when the lock is lost or let go
	end   context.CancelFunc
	ended chan struct{} // closed when the heartbeats have ended

	mu     sync.Mutex    // guards what follows; never held across the log
	until  time.Duration // the lease, on the clock
	seated bool
	gone   *LeaseLostError
	late   bool // gone because the lease ran out, not because another has it
	over   bool // released
	lost   chan struct{}
}

// A lease ends for its holder a fifth before others may think so: clocks run at
// different rates, and between Check and the effect time passes.
func (k *Kafka) lease(sent time.Duration) time.Duration { return sent + k.o.ttl - k.o.ttl/5 }

func (s *kafkaSession) start(sent time.Duration) {
	s.until = s.k.lease(sent)
	s.ctx, s.end = context.WithCancel(context.Background())
	s.turn <- struct{}{}
	go s.keep()
}

func (s *kafkaSession) State() State          { return s.state }
func (s *kafkaSession) Left() *Holder         { return s.left }
func (s *kafkaSession) Epoch() int64          { return s.epoch }
func (s *kafkaSession) Lost() <-chan struct{} { return s.lost }

// Check compares the lease with the clock. A lease that has run out is lost
// even if nobody else has it: a heartbeat that is still on its way does not
// count.
func (s *kafkaSession) Check() error {
	now := s.k.o.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil && now >= s.until {
		s.late = true
		s.lose("no heartbeat has reached the log in time, because this process or its machine stood still or the brokers do not answer", nil)
	}
	if s.gone != nil {
		return s.gone
	}
	return nil
}

// lose is called with mu held, once.
func (s *kafkaSession) lose(why string, by *Holder) {
	s.gone = &LeaseLostError{Where: s.k.where, Epoch: s.epoch, Why: why, By: by}
	close(s.lost)
	s.end()
}

// follow notices a claim that stands over ours.
func (s *kafkaSession) follow(v *view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil || v.epoch == s.epoch {
		return
	}
	switch {
	case v.holder != nil:
		h := *v.holder
		s.lose("its lease ran out, or somebody unlocked it, and another kplan has taken it", &h)
	case v.by != nil:
		s.lose(fmt.Sprintf("it was released by %s on %s by hand", v.by.Who, v.by.Host), nil)
	default:
		s.lose("the log does not have its claim any more", nil)
	}
}

// look reads on past an offset and fails when the lease is lost.
func (s *kafkaSession) look(ctx context.Context, past int64, f func(v *view)) error {
	err := s.k.look(ctx, past, func(v *view) {
		s.follow(v)
		f(v)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil {
		return s.gone
	}
	return err
}

// during is bounded, and ends with the session: whoever has lost the lock does
// not go on asking a log that does not answer.
func (s *kafkaSession) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := bounded(ctx)
	ctx, end := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, end)
	return ctx, func() {
		stop()
		end()
		cancel()
	}
}

// keep sends heartbeats until the session ends or its lease is lost.
func (s *kafkaSession) keep() {
	defer close(s.ended)
	wait := s.k.o.ttl / 5
	for {
		if pause(s.ctx, wait) != nil {
			return
		}
		wait = s.k.o.ttl / 5
		if err := s.beat(s.ctx); err != nil {
			wait = s.k.o.ttl / 30
			now := s.k.o.clock.Now()
			s.mu.Lock()
			if s.gone == nil && now >= s.until {
				s.late = true
				s.lose("no heartbeat has reached the log in time: "+err.Error(), nil)
			}
			s.mu.Unlock()
		}
	}
}

// beat sends one heartbeat. The lease is counted from just before it was sent,
// and only once it is seen in the log with no other claim before it.
func (s *kafkaSession) beat(ctx context.Context) error {
	s.mu.Lock()
	n := note{Version: logVersion, Kind: kindBeat, Epoch: s.epoch, Seated: s.seated, At: s.k.now().UTC()}
	s.mu.Unlock()
	keys, values, err := n.entry()
	if err != nil {
		return err
	}
	sent := s.k.o.clock.Now()
	ctx, cancel := limited(ctx, s.k.o.ttl/5)
	defer cancel()
	last, err := s.k.log.Append(ctx, keys, values)
	if err != nil {
		return err
	}
	if err := s.look(ctx, last, func(*view) {}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = max(s.until, s.k.lease(sent))
	return nil
}

// Release says good-bye, so that the next holder need not wait. Releasing twice
// is harmless. A holder that has lost its lock says it too: the next one may be
// waiting for its lease to run out.
func (s *kafkaSession) Release() error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return nil
	}
	s.over = true
	lost := s.gone != nil
	if !lost {
		s.lose("it was let go", nil)
	}
	n := note{Version: logVersion, Kind: kindGone, Epoch: s.epoch, Mark: s.mark, Seated: s.seated}
	s.mu.Unlock()
	<-s.ended
	ctx, cancel := limited(context.Background(), s.k.o.ttl/3)
	defer cancel()
	_, err := s.k.send(ctx, always, n.entry)
	if err != nil && !lost {
		return fmt.Errorf("letting go of the lock of %s: %w. Others wait %s for it", s.k.where, err, s.k.o.ttl)
	}
	return nil
}
