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
	Lag        int64     `json:"lag"` // records of its partitions that are not copied, as far as that is known
	Unknown    int       `json:"unknown,omitempty"`
	Silent     bool      `json:"silent,omitempty"` // for longer than its lease, by the clocks of both machines, or dead
	Rate       float64   `json:"rate"`             // bytes a second
	Stopped    []string  `json:"stopped,omitempty"`
	Maps       int64     `json:"maps,omitempty"`       // bytes of its offset maps
	MapsWhole  string    `json:"maps_whole,omitempty"` // why these grow
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
	now := time.Now()
	for _, e := range entries {
		all = append(all, statusWorker{
			ID: e.ID, Host: e.Host, PID: e.PID, Partitions: e.Partitions, Lag: e.Lag, Unknown: e.Unknown, Rate: e.Rate, Stopped: e.Stopped, At: e.WrittenAt, Maps: e.Maps, MapsWhole: e.MapsWhole,
			Silent: deadHere(e) || now.Sub(e.WrittenAt) > e.Silence-e.Wait,
		})
	}
	slices.SortFunc(all, func(a, b statusWorker) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// writeWorkers shows what the workers have told. One that is silent has nothing to
// copy any more: its partitions are with others, or wait for somebody.
func writeWorkers(w io.Writer, workers []statusWorker) {
	silent := 0
	var last statusWorker
	for _, k := range workers {
		if k.Silent {
			silent++
			if k.At.After(last.At) {
				last = k
			}
			continue
		}
		fmt.Fprintf(w, "mirror worker %s on %s (process %d): %d partitions, %d records to copy", k.ID, k.Host, k.PID, k.Partitions, k.Lag) // into memory
		if k.Unknown > 0 {
			fmt.Fprintf(w, " and more in %d partitions of which it is not known yet", k.Unknown) // into memory
		}
		fmt.Fprintf(w, ", %.1f MB/s, at %s\n", k.Rate/1e6, k.At.Format(time.RFC3339)) // into memory
		if k.MapsWhole != "" {
			fmt.Fprintf(w, "  offset maps take %.1f MB: %s\n", float64(k.Maps)/1e6, k.MapsWhole) // into memory
		}
		for _, s := range k.Stopped {
			fmt.Fprintf(w, "  STOPPED %s\n", s) // into memory
		}
	}
	if silent > 0 {
		fmt.Fprintf(w, "%d mirror workers ended without a word, the last heard is %s on %s (process %d) at %s: apply and other workers forget them by themselves\n",
			silent, last.ID, last.Host, last.PID, last.At.Format(time.RFC3339)) // into memory
	}
}
