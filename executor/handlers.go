package executor

import (
	"context"

	"kplan/plan/graph"
)

// handler carries out one step. It is called again after a crash in the middle
// and therefore looks at the world before it changes anything. Waiting ends
// with ctx; an effect that has begun is brought to its end. The text is one
// short sentence about what was found.
type handler func(ctx context.Context, r *run, s *graph.Step) (facts any, text string, err error)

// handlers is the table of the step kinds; batches has the others.
func handlers() map[graph.Kind]handler {
	return map[graph.Kind]handler{
		graph.Override:    overrideTopics,
		graph.MirrorStart: mirrorStart,
		graph.CaughtUp:    caughtUp,
		graph.MirrorDrain: mirrorDrain,
		graph.MirrorStop:  mirrorStop,
		graph.Hold:        hold,
		graph.Release:     release,
		graph.Stop:        stopService,
		graph.Start:       startService,
		graph.Fence:       shutOut,
		graph.Boundary:    boundary,
		graph.Drain:       drain,
		graph.Vacate:      vacate,
		graph.Place:       place,
		graph.Joined:      joined,
		graph.Works:       works,
		graph.Gate:        gate,
	}
}

// ofTheMoment reports whether what the step found out can have ceased to be
// true by the time somebody relies on it.
func ofTheMoment(k graph.Kind) bool {
	switch k {
	case graph.CaughtUp, graph.Fence, graph.Boundary, graph.MirrorDrain, graph.Drain, graph.Vacate, graph.Joined, graph.Works, graph.Gate:
		return true
	case graph.CreateTopic, graph.GrantACLs, graph.SetQuota, graph.CreateUser, graph.Override, graph.MirrorStart, graph.MirrorStop, graph.Hold, graph.Release, graph.Stop, graph.Start, graph.Place:
		return false
	}
	return true
}
