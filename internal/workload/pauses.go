package workload

import (
	"slices"
	"time"

	"kplan/internal/cluster"
)

// gap follows one service's deeds of one kind.
type gap struct {
	last    int64 // unix nanoseconds; 0 before the first
	side    cluster.Side
	longest Pause
	length  int64
}

func (p *proof) pause(of instanceID, what string, at int64) {
	k := pauseKey{of.svc.Name, what}
	g := p.pauses[k]
	if g == nil {
		g = &gap{longest: Pause{Service: k.service, What: what}}
		p.pauses[k] = g
	}
	if g.last != 0 && at-g.last > g.length {
		g.length = at - g.last
		g.longest.Longest = float64(g.length) / float64(time.Millisecond)
		g.longest.Start = time.Unix(0, g.last).UTC()
		g.longest.From, g.longest.To = g.side, of.side
	}
	if at >= g.last {
		g.last, g.side = at, of.side
	}
}

func (p *proof) longest() []Pause {
	out := []Pause{}
	for _, g := range p.pauses {
		if g.length > 0 {
			out = append(out, g.longest)
		}
	}
	slices.SortFunc(out, func(a, b Pause) int {
		if c := compareText(a.Service, b.Service); c != 0 {
			return c
		}
		return compareText(a.What, b.What)
	})
	return out
}
