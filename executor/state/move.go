package state

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// mover is a backend that the state can be moved to and from.
type mover interface {
	Backend
	identity() string // what Moved.To calls it
	Records(ctx context.Context) ([]Record, error)
	acquire(ctx context.Context, h Holder, moving bool) (moverSession, error)
}

// moverSession can append what was numbered and dated elsewhere.
type moverSession interface {
	Session
	copyIn(records []Record) error
}

// MoveError says why a state cannot be moved.
type MoveError struct {
	From, To string
	Why      string
}

func (e *MoveError) Error() string {
	return fmt.Sprintf("moving the state from %s to %s: %s", e.From, e.To, e.Why)
}

// movedAway refuses a state whose last Moved names another place.
func movedAway(st State, at mover) error {
	if st.Moved == nil || st.Moved.To == at.identity() {
		return nil
	}
	return &MovedAwayError{Where: at.Where(), To: st.Moved.To}
}

// Elsewhere refuses a state that goes on in another place than b, with a
// *MovedAwayError.
func Elsewhere(st State, b Backend) error {
	at, ok := b.(mover)
	if !ok {
		return nil
	}
	return movedAway(st, at)
}

// copyBatch is how many records are copied in one append.
const copyBatch = 200

// Move makes the state of a migration go on in another backend, with its inbox,
// and returns how many records were copied. It takes both locks as h. What it
// leaves in from says where the state went; from there on only to can be
// acquired. A Move that was interrupted is finished by the next one. Both
// journals must tell the same story as far as they go: a *MoveError says where
// they do not.
func Move(ctx context.Context, from, to Backend, h Holder) (copied int, err error) {
	src, ok1 := from.(mover)
	dst, ok2 := to.(mover)
	if !ok1 || !ok2 || src.identity() == dst.identity() {
		return 0, &MoveError{From: from.Where(), To: to.Where(), Why: "these are not two places between which kplan can move a state: one is a directory, the other a topic"}
	}
	source, err := src.acquire(ctx, h, true)
	if err != nil {
		return 0, fmt.Errorf("locking the old state: %w", err)
	}
	defer func() { err = errors.Join(err, source.Release()) }()
	target, err := dst.acquire(ctx, h, true)
	if err != nil {
		return 0, fmt.Errorf("locking the new state: %w", err)
	}
	defer func() { err = errors.Join(err, target.Release()) }()

	missing, err := toCopy(ctx, src, dst, source)
	if err != nil {
		return 0, err
	}
	for len(missing) > 0 {
		n := min(copyBatch, len(missing))
		if err := target.copyIn(missing[:n]); err != nil {
			return copied, fmt.Errorf("copying the journal: %w", err)
		}
		missing, copied = missing[n:], copied+n
	}
	return copied, moveInbox(ctx, src, dst, source, target)
}

// toCopy says in from where the state goes, and returns what to lacks.
func toCopy(ctx context.Context, src, dst mover, source Session) ([]Record, error) {
	old, err := src.Records(ctx)
	if err != nil {
		return nil, err
	}
	there, err := dst.Records(ctx)
	if err != nil {
		return nil, err
	}
	for i := range min(len(old), len(there)) {
		same, err := sameRecord(old[i], there[i])
		if err != nil {
			return nil, err
		}
		if !same {
			return nil, &MoveError{From: src.Where(), To: dst.Where(), Why: fmt.Sprintf("record %d differs: they are states of two migrations, or both went on. Move one of them away", i+1)}
		}
	}
	st := Replay(old)
	gone := st.Moved != nil && st.Moved.To != src.identity()
	switch {
	case len(there) > len(old) && !(gone && st.Moved.To == dst.identity()):
		return nil, &MoveError{From: src.Where(), To: dst.Where(), Why: fmt.Sprintf("the new place has %d records and the old one %d, and it does not say that the state went there. Move one of them away", len(there), len(old))}
	case gone && st.Moved.To != dst.identity():
		return nil, movedAway(st, src)
	case !gone && len(old) > 0:
		written, err := source.Append(Record{Moved: &Moved{To: dst.identity()}})
		if err != nil {
			return nil, fmt.Errorf("noting in the old state where it goes: %w", err)
		}
		old = append(old, written...)
	}
	return old[min(len(there), len(old)):], nil
}

// sameRecord compares what two places keep of a record.
func sameRecord(a, b Record) (bool, error) {
	one, err := json.Marshal(a)
	if err != nil {
		return false, fmt.Errorf("comparing journals: %w", err)
	}
	two, err := json.Marshal(b)
	if err != nil {
		return false, fmt.Errorf("comparing journals: %w", err)
	}
	return bytes.Equal(one, two), nil
}

// moveInbox moves the requests. One that is withdrawn meanwhile is withdrawn
// in the new place as well.
func moveInbox(ctx context.Context, src, dst mover, source, target Session) error {
	requests, err := src.Requests(ctx)
	if err != nil {
		return err
	}
	for _, r := range requests {
		if err := dst.Put(ctx, r); err != nil {
			return fmt.Errorf("moving request %s: %w", r.ID, err)
		}
		var err error
		if r.Taken {
			err = target.Take(ctx, r.ID)
		} else if err = src.Withdraw(ctx, r.ID); errors.Is(err, ErrNoRequest) {
			if err = dst.Withdraw(ctx, r.ID); errors.Is(err, ErrNoRequest) {
				err = nil // withdrawn in both places
			}
		}
		if err != nil {
			return fmt.Errorf("moving request %s: %w", r.ID, err)
		}
		if err := source.Clear(ctx, r.ID); err != nil {
			return fmt.Errorf("moving request %s: %w", r.ID, err)
		}
	}
	return nil
}
