package diff

import (
	"fmt"

	"kplan/plan"
	"kplan/plan/graph"
)

// MirrorNotes say what a copy means that still has to be begun or ended.
func MirrorNotes(m *plan.Migration, g *graph.Graph, steps []Change) []Change {
	if m.Mirror == nil || g == nil || !copies(steps) {
		return nil
	}
	note := func(object, reason string) Change {
		return Change{Phase: graph.Mirror, Action: Noteworthy, Broker: Unasked, Object: Object{"mirror", object}, Reason: reason}
	}
	notes := []Change{
		note("overrides", "while a topic is copied it keeps everything on the target: cleanup.policy = delete, retention.ms = retention.bytes = -1, CreateTime, compression.type = producer, no limit to a record's age; given back when its copy ends, retention when its readers work there"),
		note("offsets", "they differ between the clusters where the source has gaps (deleted, compacted or aborted records, markers); the positions of groups are translated exactly"),
	}
	if m.Mirror.Run == "apply" {
		notes = append(notes, note("run", "the copy goes on for as long as apply runs; when apply parks or is interrupted, the next one goes on where it ended"))
	}
	if rest := g.Step(graph.RestDrain); rest != nil {
		notes = append(notes, note("rest", fmt.Sprintf("no service of the plan uses %s: copied up to where they end when everything else has moved", several(rest.Topics))))
	}
	return notes
}

// copies reports whether a copy is among the steps that are left.
func copies(steps []Change) bool {
	for _, c := range steps {
		if graph.Kind(c.After["step"]) == graph.MirrorStop {
			return true
		}
	}
	return false
}
