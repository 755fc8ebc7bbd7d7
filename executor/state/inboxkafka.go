package state

import (
	"context"
	"errors"
	"fmt"
)

// Put leaves a request. One whose id is in the inbox already is left as it is.
func (k *Kafka) Put(ctx context.Context, r Request) error {
	if err := validID(r.ID); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	var refused error
	there := false
	if err := k.look(ctx, -1, func(v *view) {
		refused = movedAway(Replay(v.records), k)
		l := v.inbox[r.ID]
		there = l != nil && l.withdrawn == ""
	}); err != nil || refused != nil || there {
		return errors.Join(err, refused)
	}
	r.Taken = false
	n := note{Version: logVersion, Kind: kindRequest, ID: r.ID, Mark: newID(), Request: &r}
	if _, err := k.send(ctx, always, n.entry); err != nil {
		return fmt.Errorf("leaving request %s: %w", r.ID, k.writeError(err))
	}
	return nil
}

// Requests returns what is in the inbox, in the order in which it came.
func (k *Kafka) Requests(ctx context.Context) ([]Request, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var out []Request
	err := k.look(ctx, -1, func(v *view) { out = v.requests() })
	return out, err
}

// Withdraw takes a request back. The first in the log counts: this, or the
// holder's taking it.
func (k *Kafka) Withdraw(ctx context.Context, id string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	mark := newID()
	open := func(v *view) error {
		switch l := v.inbox[id]; {
		case l != nil && l.taken:
			return ErrTaken
		case l == nil || l.withdrawn != "" && l.withdrawn != mark:
			return ErrNoRequest
		}
		return nil
	}
	var refused error
	if err := k.look(ctx, -1, func(v *view) { refused = open(v) }); err != nil || refused != nil {
		return errors.Join(err, refused)
	}
	n := note{Version: logVersion, Kind: kindWithdrawn, ID: id, Mark: mark}
	last, err := k.send(ctx, always, n.entry)
	if err != nil {
		return fmt.Errorf("withdrawing request %s: %w", id, k.writeError(err))
	}
	if err := k.look(ctx, last, func(v *view) { refused = open(v) }); err != nil {
		return err
	}
	return refused
}

// Take makes a request this session's own, unless it was withdrawn before.
func (s *kafkaSession) Take(ctx context.Context, id string) error {
	ctx, cancel := s.during(ctx)
	defer cancel()
	taken := false
	var refused error
	see := func(v *view) {
		l := v.inbox[id]
		taken, refused = l != nil && l.taken, nil
		if l == nil || l.withdrawn != "" {
			refused = ErrNoRequest
		}
	}
	if err := s.Check(); err != nil {
		return err
	}
	if err := s.look(ctx, -1, see); err != nil || refused != nil || taken {
		return errors.Join(err, refused)
	}
	n := note{Version: logVersion, Kind: kindTaken, ID: id, Epoch: s.epoch}
	last, err := s.k.send(ctx, s.Check, n.entry)
	if err != nil {
		return fmt.Errorf("taking request %s: %w", id, s.failed(err))
	}
	if err := s.look(ctx, last, see); err != nil {
		return err
	}
	return refused
}

// Clear removes a request with everything that became of it. A holder that has
// lost its lock meanwhile does no harm by it: its journal had the answer first.
func (s *kafkaSession) Clear(ctx context.Context, id string) error {
	ctx, cancel := s.during(ctx)
	defer cancel()
	if err := s.Check(); err != nil {
		return err
	}
	var keys []string
	if err := s.look(ctx, -1, func(v *view) {
		if l := v.inbox[id]; l != nil {
			keys = append(keys, l.keys...)
		}
	}); err != nil || len(keys) == 0 {
		return err
	}
	// A second tombstone for the same key is as good as one.
	last, err := s.k.send(ctx, s.Check, func() ([]string, [][]byte, error) {
		return keys, make([][]byte, len(keys)), nil
	})
	if err != nil {
		return fmt.Errorf("clearing request %s: %w", id, s.failed(err))
	}
	return s.look(ctx, last, func(*view) {})
}
