package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"kplan/mirror"
	"kplan/plan"
)

// statusWorker is what a worker of the mirror has told last.
type statusWorker struct {
	ID         string    `json:"id"`
	Host       string    `json:"host"`
	PID        int       `json:"pid"`
	Partitions int       `json:"partitions"`
	Lag        int64     `json:"lag"`  // records of its partitions that are not copied
	Rate       float64   `json:"rate"` // bytes a second
	Stopped    []string  `json:"stopped,omitempty"`
	At         time.Time `json:"at"`
}

// workersOf reads what the workers of a plan's mirror have told; nil: it has
// none.
func (a *app) workersOf(ctx context.Context, p *plan.Plan) (all []statusWorker, err error) {
	if m := p.Migration.Mirror; m == nil || m.Run != "worker" {
		return nil, nil
	}
	shelf, closeShelf, err := a.shelf(ctx, p, p.State)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeShelf()) }()
	entries, err := mirror.Entries(ctx, shelf)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		all = append(all, statusWorker{
			ID: e.ID, Host: e.Host, PID: e.PID, Partitions: e.Partitions, Lag: e.Lag, Rate: e.Rate, Stopped: e.Stopped, At: e.WrittenAt,
		})
	}
	slices.SortFunc(all, func(a, b statusWorker) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

func writeWorkers(w io.Writer, workers []statusWorker) {
	for _, k := range workers {
		fmt.Fprintf(w, "mirror worker %s on %s (process %d): %d partitions, %d records to copy, %.1f MB/s, at %s\n",
			k.ID, k.Host, k.PID, k.Partitions, k.Lag, k.Rate/1e6, k.At.Format(time.RFC3339)) // into memory
		for _, s := range k.Stopped {
			fmt.Fprintf(w, "  STOPPED %s\n", s) // into memory
		}
	}
}
