package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// entry makes one log entry of a note.
func (n note) entry() ([]string, [][]byte, error) {
	value, err := json.Marshal(n)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the state: %w", err)
	}
	return []string{n.key(0)}, [][]byte{value}, nil
}

// dead reports whether a holder is certainly dead: it ran where we run, and has
// ended.
func (k *Kafka) dead(h, me Holder) bool {
	return h.Space != "" && h.Space == me.Space && h.PID > 0 && !k.o.alive(h.PID)
}

func processLives(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// Acquire takes the lock. The lease of a holder that gives no sign of life is
// waited out; as soon as it gives one the answer is *LockedError. A
// *MovedAwayError says that the state goes on elsewhere.
func (k *Kafka) Acquire(ctx context.Context, h Holder) (Session, error) {
	s, err := k.acquire(ctx, h, false)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (k *Kafka) acquire(ctx context.Context, h Holder, moving bool) (moverSession, error) {
	if h.ID == "" {
		h.ID = newID()
	}
	if h.Space == "" {
		h.Space = Space()
	}
	if err := k.awaitHolder(ctx, h, moving); err != nil {
		return nil, err
	}
	s, err := k.claim(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := s.takeSeat(ctx, moving); err != nil {
		return nil, errors.Join(err, s.Release())
	}
	return s, nil
}

// awaitHolder returns when the lock may be claimed.
func (k *Kafka) awaitHolder(ctx context.Context, me Holder, moving bool) error {
	var waitsFor int64 // the epoch
	var beats int
	for {
		var left time.Duration
		var t term
		var epoch int64
		var moved error
		limited, cancel := bounded(ctx)
		err := k.look(limited, -1, func(v *view) {
			if !moving {
				moved = movedAway(Replay(v.records), k)
			}
			if c := v.current(); c != nil && !k.dead(c.holder, me) {
				t, epoch = *c, v.epoch
				left = t.seen + k.o.ttl - k.o.clock.Now()
			}
		})
		cancel()
		switch {
		case err != nil || moved != nil:
			return errors.Join(err, moved)
		case left <= 0:
			return nil
		case waitsFor == 0:
			waitsFor, beats = epoch, t.beats
			if k.o.onWait != nil {
				k.o.onWait(t.holder, left)
			}
		case waitsFor != epoch || beats != t.beats:
			return k.locked(&t.holder)
		}
		if err := pause(ctx, min(left, k.o.ttl/15)); err != nil {
			return err
		}
	}
}

func (k *Kafka) locked(h *Holder) error {
	e := &LockedError{Path: k.where, Lease: k.o.ttl}
	if h != nil {
		e.Holder, e.Age = *h, max(0, k.now().Sub(h.Since))
	}
	return e
}

// claim writes a claim and begins the lease when it is the first one after the
// epoch that was seen.
func (k *Kafka) claim(ctx context.Context, h Holder) (*kafkaSession, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	n := note{Version: logVersion, Kind: kindClaim, Mark: newID(), Holder: &h}
	s := &kafkaSession{k: k, holder: h, turn: make(chan struct{}, 1), lost: make(chan struct{}), ended: make(chan struct{})}
	if err := k.look(ctx, -1, func(v *view) {
		n.After, n.Epoch = v.epoch, max(v.epoch, v.top)+1
		for _, t := range v.terms {
			if s.left == nil || t.holder.Epoch > s.left.Epoch {
				h := t.holder
				s.left = &h
			}
		}
	}); err != nil {
		return nil, err
	}
	// The lease counts from the first try: whichever of them is in the log, it
	// was not sent before.
	sent := k.o.clock.Now()
	last, err := k.send(ctx, always, n.entry)
	if err != nil {
		k.renounce(n)
		return nil, fmt.Errorf("claiming the lock: %w", k.writeError(err))
	}
	var winner *Holder
	won := false
	if err := k.look(ctx, last, func(v *view) {
		won = v.mark == n.Mark && v.epoch == n.Epoch
		winner = v.holder
	}); err != nil {
		k.renounce(n)
		return nil, fmt.Errorf("claiming the lock: %w", err)
	}
	if !won {
		return nil, k.locked(winner)
	}
	s.epoch, s.holder.Epoch, s.mark = n.Epoch, n.Epoch, n.Mark
	s.start(sent)
	return s, nil
}

// renounce gives up a claim of which it is not known whether it won.
func (k *Kafka) renounce(claim note) {
	ctx, cancel := context.WithTimeout(context.Background(), k.o.ttl/3)
	defer cancel()
	n := note{Version: logVersion, Kind: kindGone, Epoch: claim.Epoch, Mark: claim.Mark}
	_, _ = k.send(ctx, always, n.entry) // without it the next one waits; the claim's failure is what is told
}

// takeSeat waits until the leases of all who held the lock before have run out,
// as seen from here. Most of that was done before the claim. What is left are
// heartbeats that came into the log just before it: their sender does not know
// of the claim until its next one.
func (s *kafkaSession) takeSeat(ctx context.Context, moving bool) error {
	k := s.k
	for {
		var left time.Duration
		var state State
		bound, cancel := context.WithTimeout(ctx, k.o.ttl)
		err := s.look(bound, -1, func(v *view) {
			for epoch, t := range v.terms {
				if epoch < s.epoch && !k.dead(t.holder, s.holder) {
					left = max(left, t.seen+k.o.ttl-k.o.clock.Now())
				}
			}
			state = Replay(v.records)
		})
		cancel()
		if err != nil {
			return err
		}
		if left <= 0 {
			s.state = state
			break
		}
		if err := pause(ctx, min(left, k.o.ttl/15)); err != nil {
			return err
		}
	}
	if !moving {
		if err := movedAway(s.state, k); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.seated = true
	s.mu.Unlock()
	if err := s.beat(ctx); err != nil {
		return fmt.Errorf("taking the lock: %w", err)
	}
	return s.Check()
}
