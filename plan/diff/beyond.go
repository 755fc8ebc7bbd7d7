package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"kplan/internal/cluster"
	"kplan/plan"
)

// Beyond returns the partitions on which a group has committed more than the log
// holds, sorted, of the topics that its services consume.
func Beyond(m *plan.Migration, on cluster.Snapshot, group string) []cluster.TopicPartition {
	consumes := map[string]bool{}
	for _, s := range m.Services {
		if slices.ContainsFunc(s.Groups, func(g plan.NamedRef) bool { return g.Name == group }) {
			for _, t := range s.Consumes {
				consumes[t.Name] = true
			}
		}
	}
	var all []cluster.TopicPartition
	for tp, c := range on.Groups[group].Commits {
		if ends, known := on.LogEnds[tp]; known && consumes[tp.Topic] && c.Offset > ends.LogEnd {
			all = append(all, tp)
		}
	}
	slices.SortFunc(all, func(a, b cluster.TopicPartition) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// ResetToEnd is the command that sets a group's offsets on partitions to where
// their logs end.
func ResetToEnd(on *plan.Cluster, group string, tps []cluster.TopicPartition) string {
	words := []string{"kafka-consumer-groups.sh", "--bootstrap-server", strings.Join(on.Bootstrap, ",")}
	if on.TLS != nil || on.SASL != nil {
		words = append(words, "--command-config", "admin.properties")
	}
	words = append(words, "--group", group, "--reset-offsets", "--to-latest")
	numbers := map[string][]string{}
	for _, tp := range tps {
		numbers[tp.Topic] = append(numbers[tp.Topic], itoa(tp.Partition))
	}
	for _, topic := range sortedKeys(numbers) {
		words = append(words, "--topic", topic+":"+strings.Join(numbers[topic], ","))
	}
	return cluster.CommandLine(append(words, "--execute")...)
}

// beyondEnd refuses owned groups that have committed more than there is: where
// they stand nobody can tell, and no place on the target belongs to it (R9).
func beyondEnd(m *plan.Migration, source cluster.Snapshot, moving map[string]bool) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, group := range sortedKeys(moving) {
		tps := Beyond(m, source, group)
		if len(tps) == 0 || m.Groups.BeyondEnd(group) == "end" {
			continue
		}
		first := tps[0]
		diags = append(diags, plan.NewDiagnostic("KP3006", hcl.DiagError, fmt.Sprintf(
			"Group %q has committed offset %d on %s of the source, whose log ends at %d%s. "+
				"Was the topic deleted and made anew, its consumers may not have read what is there now. While the group is stopped, reset it: %s "+
				"(--to-earliest, if it still has to read what is there). Or, if it has read everything: groups { group %q { beyond_end = \"end\" } }.",
			group, source.Groups[group].Commits[first].Offset, first, source.LogEnds[first].LogEnd, andMore(len(tps)-1),
			ResetToEnd(m.Source, group, tps), group), placeOf(m, group)))
	}
	return diags
}

func andMore(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " (and so on one more partition)"
	}
	return fmt.Sprintf(" (and so on %d more partitions)", n)
}

// placeOf is where a service names the group.
func placeOf(m *plan.Migration, group string) *hcl.Range {
	for _, s := range m.Services {
		for _, g := range s.Groups {
			if g.Name == group {
				return place(g.Range)
			}
		}
	}
	return nil
}
