package migration

import (
	"fmt"
	"sort"
	"strings"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// OutcomeDone is the outcome of a run that left nothing to do.
const OutcomeDone = "done"

// Continues refuses a plan that does not lead on from where the journal
// stands: another scheme, or steps that have begun and that the plan no longer
// has. The service behind such a step could be stopped for good. After a run
// that has done everything the plan is free again.
func Continues(st state.State, p *plan.Plan, g *graph.Graph) error {
	if g == nil || st.Ended != nil && st.Ended.Outcome == OutcomeDone {
		return nil
	}
	var begun, lost []string
	for address, s := range st.Steps {
		if s.Status == state.Pending || s.Status == state.Reset || !strings.HasPrefix(address, string(graph.Switch)+".") && !strings.HasPrefix(address, string(graph.Mirror)+".") {
			continue
		}
		begun = append(begun, address)
		if g.Step(address) == nil && !IsRestore(address) && !leftAlone(p.Migration, address) {
			lost = append(lost, address)
		}
	}
	if len(begun) == 0 {
		return nil
	}
	if scheme := string(p.Migration.Scheme.Kind); st.Scheme != "" && st.Scheme != scheme {
		return fmt.Errorf("the migration has begun with scheme %q and the plan now says %q: the steps that are done do not fit. Finish it with the first one", st.Scheme, scheme)
	}
	if start := graph.MirrorAddress("", "start"); g.Step(start) != nil && st.Steps[start].Attempt == 0 {
		for _, address := range begun {
			if strings.HasPrefix(address, string(graph.Switch)+".") {
				return fmt.Errorf("the plan now copies records, and services have begun to move without that (%s): what is there cannot be copied behind what they write on the target. Take the mirror block out again and finish the migration first", address)
			}
		}
	}
	if len(lost) == 0 {
		return grown(st, g)
	}
	sort.Strings(lost)
	return fmt.Errorf("the plan no longer has steps that have begun: %s. A service, topic, group or the mirror was renamed or removed after it began to move, and what was stopped would stay stopped. Put it back into the plan and finish the migration first", strings.Join(lost, ", "))
}

// leftAlone reports whether the step is about a topic of which the plan says by
// now that a group reads it no more (R11): nobody was stopped for it.
func leftAlone(m *plan.Migration, address string) bool {
	for _, g := range m.Groups.Named {
		for _, t := range g.Ignore {
			for _, verb := range []string{"hold", "boundary", "release"} {
				if address == graph.TopicAddress(t.Name, verb) {
					return true
				}
			}
		}
	}
	return false
}

// IsRestore reports whether the address is that of a restore, which is no step
// of a graph.
func IsRestore(address string) bool { return strings.HasSuffix(address, ".restore") }

// grown refuses topics that a group has got after its offsets were placed: on
// those it would have none.
func grown(st state.State, g *graph.Graph) error {
	for _, s := range g.Steps {
		if s.Kind != graph.Place {
			continue
		}
		topics, placed, err := executor.PlacedTopics(st, s.Group)
		if err != nil {
			return err
		}
		if !placed {
			continue
		}
		for _, t := range s.AllTopics() {
			if !topics[t] {
				return fmt.Errorf("group %q has got topic %q after its offsets were placed on the target: on that topic it would have none. Take the topic out of consumes again and finish the migration first", s.Group, t)
			}
		}
	}
	return nil
}
