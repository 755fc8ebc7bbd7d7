package diff

import (
	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// Noted is a note about what is to be known before anything moves.
func Noted(about Object, reason string) Change {
	return Change{Phase: graph.Prepare, Action: Noteworthy, Broker: Unasked, Object: about, Reason: reason}
}

// UnreadNotes name the topics whose newest record cannot be looked at.
func UnreadNotes(source cluster.Snapshot) []Change {
	var notes []Change
	for _, topic := range sortedKeys(source.Unread) {
		note := Noted(Object{"topic", topic}, "its newest record cannot be looked at, so it is not known whether records carry keys: "+source.Unread[topic])
		note.NoteTopics = []string{topic}
		notes = append(notes, note)
	}
	return notes
}
