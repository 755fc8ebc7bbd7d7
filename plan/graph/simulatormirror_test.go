package graph_test

import (
	"fmt"

	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// copyStep carries out a step of the mirror.
func (s *simulator) copyStep(step *graph.Step) error {
	topics := step.Topics
	if step.Topic != "" {
		topics = []string{step.Topic}
	}
	for _, t := range topics {
		if step.Kind == graph.CaughtUp && s.copied["stop "+t] {
			continue // nothing is left to copy
		}
		switch {
		case !s.created[t]:
			return fmt.Errorf("%s does not exist yet", t)
		case step.Kind == graph.MirrorDrain && step.Topic != "" && !s.bound[t]:
			return fmt.Errorf("R4: the copy of %s ends without a boundary", t)
		case step.Kind == graph.MirrorStop && !s.copied["drain "+t]:
			return fmt.Errorf("the copy of %s ends before its boundary", t)
		}
		for _, service := range s.m.Services {
			writes := has(service.Produces, t)
			if writes && s.runs[service.Name][cluster.Target] {
				return fmt.Errorf("R1: %s and the mirror write to %s on the target", service.Name, t)
			}
			if step.Topic == "" && step.Kind == graph.MirrorDrain && !s.runs[service.Name][cluster.Target] {
				return fmt.Errorf("the rest is cut off before %s has moved", service.Name)
			}
		}
		s.copied[string(step.Kind)[len("mirror."):]+" "+t] = true
	}
	order := []graph.Kind{graph.Override, graph.MirrorStart, graph.CaughtUp}
	for i, k := range order {
		if i > 0 && step.Kind == k && !s.copied[string(order[i-1])] {
			return fmt.Errorf("%s before %s", k, order[i-1])
		}
	}
	s.copied[string(step.Kind)] = true
	return nil
}
