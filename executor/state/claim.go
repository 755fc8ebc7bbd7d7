package state

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Ended reports whether the process of a holder is certain to have ended: it ran
// where this one runs, and there is none of its number.
func Ended(h Holder) bool {
	return h.Space != "" && h.Space == Space() && h.PID > 0 && !processLives(h.PID)
}

// dead reports whether a holder is certainly dead: it ran where we run, and has
// ended.
func (k *Kafka) dead(h, me Holder) bool {
	return h.Space != "" && h.Space == me.Space && h.PID > 0 && !k.o.alive(h.PID)
}

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
	var s *kafkaSession
	for s == nil {
		free, err := k.awaitHolder(ctx, h, moving)
		if err != nil {
			return nil, err
		}
		if s, err = k.claim(ctx, h, free); err != nil {
			return nil, err
		}
	}
	if err := s.takeSeat(ctx, moving); err != nil {
		return nil, errors.Join(err, s.Release())
	}
	return s, nil
}

// vacancy is a lock that was seen to be free. A claim follows just what was
// seen: whoever has claimed the lock meanwhile is not the one that was waited
// for, and keeps it.
type vacancy struct {
	after int64   // the epoch that stands
	epoch int64   // for the claim
	left  *Holder // who ended without letting go; nil: none
}

func (v *view) vacancy() vacancy {
	free := vacancy{after: v.epoch, epoch: max(v.epoch, v.top) + 1}
	for _, t := range v.terms {
		if free.left == nil || t.holder.Epoch > free.left.Epoch {
			h := t.holder
			free.left = &h
		}
	}
	return free
}

// awaitHolder returns when the lock may be claimed.
func (k *Kafka) awaitHolder(ctx context.Context, me Holder, moving bool) (vacancy, error) {
	var waitsFor int64 // the epoch
	var beats int
	for {
		var left time.Duration
		var t term
		var epoch int64
		var moved error
		var free vacancy
		bound, cancel := bounded(ctx)
		err := k.look(bound, -1, func(v *view) {
			free = v.vacancy()
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
			return vacancy{}, errors.Join(err, moved)
		case left <= 0:
			return free, nil
		case waitsFor == 0:
			waitsFor, beats = epoch, t.beats
			if k.o.onWait != nil {
				k.o.onWait(t.holder, left)
			}
		case waitsFor != epoch || beats != t.beats:
			return vacancy{}, k.locked(&t.holder)
		}
		if err := pause(ctx, min(left, k.o.ttl/15)); err != nil {
			return vacancy{}, err
		}
	}
}

func (k *Kafka) locked(h *Holder) error {
	return &LockedError{Path: k.where, Lease: k.o.ttl, Holder: *h, Age: max(0, k.now().Sub(h.Since))}
}

// claim writes a claim and begins the lease when it is the first one after the
// epoch that was seen. It returns nil when somebody has only unlocked since
// then: the lock may still be free.
func (k *Kafka) claim(ctx context.Context, h Holder, free vacancy) (*kafkaSession, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	n := note{Version: logVersion, Kind: kindClaim, Mark: newID(), After: free.after, Epoch: free.epoch, Holder: &h}
	s := &kafkaSession{k: k, holder: h, left: free.left, turn: make(chan struct{}, 1), lost: make(chan struct{}), ended: make(chan struct{})}
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
	switch {
	case !won && winner == nil:
		return nil, nil
	case !won:
		return nil, k.locked(winner)
	}
	s.epoch, s.holder.Epoch, s.mark = n.Epoch, n.Epoch, n.Mark
	s.start(sent)
	return s, nil
}

// renounce gives up a claim of which it is not known whether it won.
func (k *Kafka) renounce(claim note) {
	ctx, cancel := limited(context.Background(), k.o.ttl/3)
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
		bound, cancel := limited(ctx, k.o.ttl)
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
	return s.sit(ctx)
}

// sit sends the first heartbeat of a holder that is alone, for as long as the
// lease of its claim lasts: one lost answer is no reason to give up.
func (s *kafkaSession) sit(ctx context.Context) error {
	for {
		err := s.beat(ctx)
		check := s.Check()
		if err == nil {
			return check
		}
		if check != nil || permanent(err) {
			return fmt.Errorf("taking the lock: %w", s.failed(err))
		}
		if pause(ctx, s.k.o.ttl/60) != nil {
			return fmt.Errorf("taking the lock: %w", s.failed(gaveUp(ctx, err)))
		}
	}
}
