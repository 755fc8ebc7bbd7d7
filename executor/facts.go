package executor

import (
	"encoding/json"
	"fmt"

	"kplan/internal/cluster"
)

// Facts are what a handler found out or intends. They are stored in the
// journal with the step and read again by later steps, in this run or another.

// offsets is a position per partition.
type offsets map[cluster.TopicPartition]int64

// holdFacts: where the target's log ended before any service wrote there. What
// services write begins at Base.
type holdFacts struct {
	Base offsets `json:"base"`
}

// fenceFacts: the rules that keep the topic's writers out (R8), and the brokers
// that showed them.
type fenceFacts struct {
	Deny    []cluster.ACL `json:"deny"`
	Brokers []int32       `json:"brokers"`
}

// boundaryFacts: the boundary B of each partition (R4).
type boundaryFacts struct {
	Ends offsets `json:"ends"`
}

// stopFacts: how many members the service's groups had (R10). A group that is
// missing may have had any number: it was counted when the service was down.
type stopFacts struct {
	Members map[string]int `json:"members,omitempty"`
}

// vacateFacts: the group's final positions on the source (R9).
type vacateFacts struct {
	Final map[cluster.TopicPartition]cluster.Commit `json:"final"`
}

// placeFacts: what is placed on the target, and what was there.
type placeFacts struct {
	Placed map[cluster.TopicPartition]cluster.Commit `json:"placed"`
	Before map[cluster.TopicPartition]cluster.Commit `json:"before"`
}

func encode(facts any) (json.RawMessage, error) {
	if facts == nil {
		return nil, nil
	}
	data, err := json.Marshal(facts)
	if err != nil {
		return nil, fmt.Errorf("encoding facts: %w", err)
	}
	return data, nil
}

// decode reads the facts of a step. A step that has none is a mistake in the
// graph, and said so.
func (r *run) decode(address string, into any) error {
	r.mu.Lock()
	facts := r.state.Steps[address].Facts
	r.mu.Unlock()
	if facts == nil {
		return fmt.Errorf("this is a bug in kplan: step %s has left no facts", address)
	}
	if err := json.Unmarshal(facts, into); err != nil {
		return fmt.Errorf("reading the facts of step %s: %w", address, err)
	}
	return nil
}
