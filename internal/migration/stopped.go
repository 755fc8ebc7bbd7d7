package migration

import (
	"cmp"
	"context"
	"fmt"

	"kplan/executor"
	"kplan/executor/state"
)

// Stopped reads from a state which services stand stopped, and which other kplan
// holds the lock and goes on with them; nil: none does. It closes the state. Who
// holds the lock is asked before the state and after it: an apply that ends in
// between has changed what was read, or goes on with it no more. itself says of a
// holder that it does not go on with anything.
func Stopped(ctx context.Context, b state.Backend, itself func(state.Holder) bool) (services []string, by *state.Holder, err error) {
	defer func() {
		if closed := b.Close(); err == nil && closed != nil {
			services, by, err = nil, nil, UnreadState(closed)
		}
	}()
	before, notTold := b.Holder(ctx)
	for {
		st, err := b.Read(ctx)
		if err = cmp.Or(err, notTold); err != nil { // the state's own reason first: apply has said it already
			return nil, nil, UnreadState(err)
		}
		after, err := b.Holder(ctx)
		if err != nil {
			return nil, nil, UnreadState(err)
		}
		if !sameHolder(before, after) {
			before = after
			continue
		}
		if after != nil && itself(*after) {
			after = nil
		}
		return executor.Stopped(st), after, nil
	}
}

func sameHolder(a, b *state.Holder) bool {
	return a == nil && b == nil || a != nil && b != nil && a.ID == b.ID
}

// UnreadState says that a state cannot be read, and what that leaves open.
func UnreadState(err error) error {
	return fmt.Errorf("whether a service stands stopped is not known, since the state cannot be read: %w", err)
}
