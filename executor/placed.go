package executor

import (
	"encoding/json"
	"fmt"

	"kplan/executor/state"
	"kplan/plan/graph"
)

// PlacedTopics returns the topics on which a group's offsets have been placed,
// and whether they have been placed at all.
func PlacedTopics(st state.State, group string) (topics map[string]bool, placed bool, err error) {
	step := st.Steps[graph.GroupAddress(group, "place")]
	if step.Status != state.Done || step.Facts == nil {
		return nil, false, nil
	}
	var facts placeFacts
	if err := json.Unmarshal(step.Facts, &facts); err != nil {
		return nil, false, fmt.Errorf("reading what was placed for group %q from the journal: %w", group, err)
	}
	topics = map[string]bool{}
	for tp := range facts.Placed {
		topics[tp.Topic] = true
	}
	return topics, true, nil
}
