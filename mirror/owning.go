package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kplan/mirror/wire"
)

// owner is a Shelf on which what an earlier owner of names has sent, and what
// arrives only now, counts no more; executor/state has two of them. The lease is
// asked before something is sent once more.
type owner interface {
	Claim(ctx context.Context, scopes []string, lease func() error) error
}

func claim(ctx context.Context, shelf Shelf, scopes []string, lease func() error) error {
	o, ok := shelf.(owner)
	if !ok || len(scopes) == 0 {
		return nil
	}
	slices.Sort(scopes)
	if err := o.Claim(ctx, scopes, lease); err != nil {
		return fmt.Errorf("taking over what the mirror keeps: %w", err)
	}
	return nil
}

// TakenError says that somebody else owns by now what is kept about some
// partitions. What was to be kept of them is not; that of all others is.
type TakenError struct {
	Partitions []wire.Partition
	Err        error
}

func (e *TakenError) Error() string {
	names := make([]string, 0, mostTaken+1)
	for i, p := range e.Partitions {
		if i == mostTaken {
			names = append(names, fmt.Sprintf("%d more", len(e.Partitions)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s[%d]", p.Topic, p.Number))
	}
	return fmt.Sprintf("another mirror has taken %s over: %v", strings.Join(names, ", "), e.Err)
}

func (e *TakenError) Unwrap() error { return e.Err }

// mostTaken is how many partitions a message names.
const mostTaken = 3

// takenOf is what an error says about one partition; nil: it is about others.
func takenOf(err error, p wire.Partition) error {
	var taken *TakenError
	if errors.As(err, &taken) && !slices.Contains(taken.Partitions, p) {
		return nil
	}
	return err
}

// bothTaken is what two calls one after the other say: nothing is kept of a
// partition that either of them names.
func bothTaken(first, second error) error {
	var a, b *TakenError
	switch {
	case second == nil:
		return first
	case !errors.As(first, &a) || !errors.As(second, &b): // of a failure that names none nothing is known to be kept
		return second
	}
	all := slices.Clone(a.Partitions)
	for _, p := range b.Partitions {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return &TakenError{Partitions: all, Err: errors.Join(a.Err, b.Err)}
}

// superseded is the error of a shelf that has kept, or claimed, everything but
// these names, which somebody else owns by now.
type superseded interface{ Superseded() []string }

// taken makes a *TakenError of such an error about what is kept of partitions.
func taken(err error) error {
	var late superseded
	if !errors.As(err, &late) {
		return err
	}
	e := &TakenError{Err: err}
	for _, name := range late.Superseded() {
		_, rest, _ := strings.Cut(name, "/")
		p, _, wrong := aboutWhat(rest)
		if wrong != nil {
			return err
		}
		if !slices.Contains(e.Partitions, p) {
			e.Partitions = append(e.Partitions, p)
		}
	}
	return e
}

// scopesOf are the names of what is kept about partitions.
func scopesOf(partitions []wire.Partition) []string {
	var scopes []string
	for _, p := range partitions {
		scopes = append(scopes, mapPrefix+about(p)+"/")
		for _, prefix := range []string{beginPrefix, ackedPrefix, settledPrefix} {
			scopes = append(scopes, prefix+about(p))
		}
	}
	return scopes
}

// partitionsOf are the partitions that names are about.
func partitionsOf(names map[string][]byte, prefix string) ([]wire.Partition, error) {
	seen := map[wire.Partition]bool{}
	var all []wire.Partition
	for name := range names {
		p, _, err := aboutWhat(strings.TrimPrefix(name, prefix))
		if err != nil {
			return nil, err
		}
		if !seen[p] {
			seen[p] = true
			all = append(all, p)
		}
	}
	return all, nil
}

// Govern makes its caller, who holds the migration's lock, the one whose
// directions count: what an earlier holder has sent and what arrives only now
// does not. lease says whether the lock is still held.
func Govern(ctx context.Context, shelf Shelf, lease func() error) error {
	return claim(ctx, shelf, []string{directionName, rateName}, lease)
}
