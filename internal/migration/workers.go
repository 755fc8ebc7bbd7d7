package migration

import (
	"context"
	"slices"
	"strings"
	"time"

	"kplan/mirror"
)

// StatusWorker is what a worker of the mirror has told last.
type StatusWorker struct {
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

// Workers reads what the workers of a mirror have told, by their ids. dead knows
// those that ran on this machine and have ended.
func Workers(ctx context.Context, shelf mirror.Shelf, dead func(mirror.Entry) bool, now time.Time) ([]StatusWorker, error) {
	entries, err := mirror.Entries(ctx, shelf)
	if err != nil {
		return nil, err
	}
	var all []StatusWorker
	for _, e := range entries {
		all = append(all, StatusWorker{
			ID: e.ID, Host: e.Host, PID: e.PID, Partitions: e.Partitions, Lag: e.Lag, Unknown: e.Unknown, Rate: e.Rate, Stopped: e.Stopped, At: e.WrittenAt, Maps: e.Maps, MapsWhole: e.MapsWhole,
			Silent: dead(e) || now.Sub(e.WrittenAt) > e.Silence-e.Wait,
		})
	}
	slices.SortFunc(all, func(a, b StatusWorker) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}
