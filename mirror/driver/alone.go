package driver

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"kplan/mirror"
)

// WorkersError says that workers live that must not.
type WorkersError struct {
	Workers []mirror.Sign
	Why     string
}

func (e *WorkersError) Error() string {
	var names []string
	for _, w := range e.Workers {
		names = append(names, w.Name())
	}
	return fmt.Sprintf("%s, and %s gave a sign of life just now. End it with a signal, then try again", e.Why, strings.Join(names, ", "))
}

// tendEvery is how often is looked after the workers' entries.
const tendEvery = 2 * time.Second

// tend takes the entries of workers away of which nothing can arrive any more,
// until ctx ends.
func tend(ctx context.Context, shelf mirror.Shelf, look func(context.Context) ([]mirror.Sign, error), log *slog.Logger) {
	for {
		signs, err := look(ctx)
		if err == nil {
			err = mirror.Bury(ctx, shelf, signs)
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("looking after the mirror's workers", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(tendEvery):
		}
	}
}

// Tend takes the entries of workers away of which nothing can arrive any more,
// until ctx ends: nobody has to hear them out a second time.
func Tend(ctx context.Context, shelf mirror.Shelf, watch *mirror.Watch, log *slog.Logger) {
	tend(ctx, shelf, func(ctx context.Context) ([]mirror.Sign, error) { return watch.Look(ctx, shelf) }, log)
}

// Alone returns a *WorkersError, with that reason, when a worker of the mirror
// lives. Whether one does is seen from whether its entry changes, which takes as
// long as its lease where its process did not end on this machine; tell is told
// so. Entries of which nothing can arrive any more are taken away.
func Alone(ctx context.Context, shelf mirror.Shelf, watch *mirror.Watch, why string, tell func(text string)) error {
	living, err := watch.Living(ctx, shelf, func(open []mirror.Sign) {
		longest := time.Duration(0)
		for _, s := range open {
			longest = max(longest, s.Silence-s.Wait-s.Silent)
		}
		tell(fmt.Sprintf("Looking whether %s still lives, or others: up to %s.", open[0].Name(), longest.Round(time.Second)))
	})
	if err != nil {
		return err
	}
	if len(living) > 0 {
		return &WorkersError{Workers: living, Why: why}
	}
	signs, err := watch.Look(ctx, shelf)
	if err != nil {
		return err
	}
	return mirror.Bury(ctx, shelf, signs)
}
