package executor

import (
	"encoding/json"
	"fmt"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// Boundaries returns the boundary of every partition of the topics whose
// writers have left the source, as the journal has it.
func Boundaries(st state.State, topics []string) (map[cluster.TopicPartition]int64, error) {
	all := map[cluster.TopicPartition]int64{}
	for _, t := range topics {
		step := st.Steps[graph.TopicAddress(t, "boundary")]
		// A boundary that is measured again, or behind which a stranger's record was
		// found, still is where it was drawn; only a reset takes it away.
		if step.Facts == nil {
			continue
		}
		var facts boundaryFacts
		if err := json.Unmarshal(step.Facts, &facts); err != nil {
			return nil, fmt.Errorf("reading the boundary of %s from the journal: %w", t, err)
		}
		for tp, b := range facts.Ends {
			all[tp] = b
		}
	}
	return all, nil
}
