package state

import (
	"context"
	"maps"
	"slices"
)

// Shelf keeps values by name beside the journal: what changes all the time and
// has no history, as offset maps and the signs of life of workers. It is written
// without the migration's lock; who may write a name is for its users to agree
// on. It is safe for concurrent use, also by several processes.
type Shelf interface {
	// Put keeps values; they are durable when it returns. Of several Puts of one
	// name the last one counts, and a nil value removes the name. Each follows what
	// the name had when it began: where another process has kept something there
	// meanwhile, or owns the name, the error is a *SupersededError that has these
	// names, and all others are kept. After another error some of the values may be
	// kept, now or a little later, unless somebody has written or claimed the name
	// before they arrive.
	Put(ctx context.Context, values map[string][]byte) error
	// All returns the values whose names begin with prefix, each as the last Put
	// that had returned before left it, or as a later one did. The values are not
	// to be changed.
	All(ctx context.Context, prefix string) (map[string][]byte, error)
	// Claim makes this shelf the owner of scopes: of each name that is a scope, or
	// begins with one that ends with a slash. What others have sent for these names
	// before and what arrives only now counts no more, and their next Put is a
	// *SupersededError. Values that are there stay. The lease is asked just before
	// the claim, and before a Put is tried once more. With a *SupersededError others
	// have claimed the scopes that it has at the same moment; the rest is claimed.
	Claim(ctx context.Context, scopes []string, lease func() error) error
}

// CopyShelf makes one shelf what another is, as when the state moves: what was
// left there before goes. Nobody may write to either meanwhile.
func CopyShelf(ctx context.Context, from, to Shelf) (copied int, err error) {
	values, err := from.All(ctx, "")
	if err != nil {
		return 0, err
	}
	old, err := to.All(ctx, "")
	if err != nil {
		return 0, err
	}
	changes := maps.Clone(values)
	for name := range old {
		if _, ok := values[name]; !ok {
			changes[name] = nil
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	return len(values), to.Put(ctx, changes)
}

// inOrder are the names, sorted: what is written as several pieces is written in
// that order.
func inOrder(values map[string][]byte) []string { return slices.Sorted(maps.Keys(values)) }
