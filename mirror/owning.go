package mirror

import (
	"context"
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
