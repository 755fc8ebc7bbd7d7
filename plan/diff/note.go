package diff

import "kplan/plan/graph"

// Noted is a note about what is to be known before anything moves.
func Noted(about Object, reason string) Change {
	return Change{Phase: graph.Prepare, Action: Noteworthy, Broker: Unasked, Object: about, Reason: reason}
}
