package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"kplan/internal/migration"
	"kplan/mirror/worker"
)

// readiness says which topics a worker can copy, and which cannot be copied.
type readiness struct {
	app    *app
	survey migration.Survey
	stderr io.Writer

	mu    sync.Mutex
	named map[string]string // topics that are not copied, with why
	// pending is how many topics wait for apply.
	pending int
}

// look looks at the selected topics on both sides. What is not ready is said once,
// and again when it changes.
func (r *readiness) look(ctx context.Context) (map[string]worker.Topic, error) {
	found, err := r.survey.Look(ctx)
	if err != nil {
		return nil, err
	}
	r.tell(found.Unready, found.Pending, found.Begun)
	return found.Topics, nil
}

func (r *readiness) tell(unready map[string]string, pending int, begun bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case pending == 0 || r.pending > 0:
	case begun:
		note(r.stderr, "Of %d topics nothing is copied, though an apply has begun the copy: it was an older kplan, which kept nothing that tells workers so, or these topics have come since. Nothing goes on before kplan apply has run once more: %s", pending, r.app.command("apply"))
	default:
		note(r.stderr, "Waiting for kplan apply to begin the copy of %d topics: nothing is copied before it has looked whether records of others are in the way, and gates before the mirror are open. Start it: %s", pending, r.app.command("apply"))
	}
	r.pending = pending
	for _, name := range slices.Sorted(maps.Keys(unready)) {
		if why := unready[name]; r.named[name] != why {
			note(r.stderr, "Topic %s is not copied: %s. Prepare it: %s", name, why, r.app.command("apply"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.named)) {
		if _, still := unready[name]; !still {
			note(r.stderr, "Topic %s is copied from here on.", name)
		}
	}
	r.named = unready
}

// complete refuses to call it done where topics were left out.
func (r *readiness) complete() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.named) == 0 {
		return nil
	}
	return fmt.Errorf("what is ready is copied; %d topics are not, as said above: %s", len(r.named), strings.Join(slices.Sorted(maps.Keys(r.named)), ", "))
}
