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

// FinalPositions returns where groups that have left the source stood there, as
// the journal has it: brokers forget the offsets of a group without members
// (offsets.retention.minutes) long before its records. Groups that have not left
// are absent.
func FinalPositions(st state.State, groups []string) (map[string]map[cluster.TopicPartition]cluster.Commit, error) {
	all := map[string]map[cluster.TopicPartition]cluster.Commit{}
	for _, g := range groups {
		step := st.Steps[graph.GroupAddress(g, "vacate")]
		if step.Facts == nil || step.Status != state.Done {
			continue
		}
		var facts vacateFacts
		if err := json.Unmarshal(step.Facts, &facts); err != nil {
			return nil, fmt.Errorf("reading the final position of %s from the journal: %w", g, err)
		}
		if all[g] = facts.Final; facts.Final == nil {
			all[g] = map[cluster.TopicPartition]cluster.Commit{} // it never committed
		}
	}
	return all, nil
}
