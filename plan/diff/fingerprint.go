package diff

import (
	"fmt"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// Fingerprint returns what apply must find again as diff has seen it: for each
// object that the plan touches, on each side, its lasting properties as lines
// of "name value". Lag, offsets, members and leaders move all the time and are
// left out.
func Fingerprint(source, target cluster.Snapshot, m *plan.Migration) map[string]string {
	print := map[string]string{}
	sel := graph.Select(m, source)
	for _, end := range []struct {
		side     cluster.Side
		snapshot cluster.Snapshot
	}{{cluster.Source, source}, {cluster.Target, target}} {
		print[fmt.Sprintf("%s cluster", end.side)] = "id " + end.snapshot.ClusterID + "\n"
		for _, name := range sel.Topics {
			if t, ok := end.snapshot.Topics[name]; ok {
				print[fmt.Sprintf("%s topic %q", end.side, name)] = topicPrint(t)
			}
		}
		for _, name := range sel.Groups {
			if g, ok := end.snapshot.Groups[name]; ok {
				print[fmt.Sprintf("%s group %q", end.side, name)] = "type " + string(g.Type) + "\n" + readsPrint(end.side, sel.Reads[name])
			}
		}
	}
	accessPrint(print, m, source.Access, target.Access)
	return print
}

// readsPrint is what an owned group has committed on beside what the plan lists:
// it is drained and placed, too.
func readsPrint(side cluster.Side, topics []string) string {
	if side != cluster.Source || len(topics) == 0 {
		return ""
	}
	return "commits on " + strings.Join(topics, " ") + "\n"
}

func topicPrint(t cluster.Topic) string {
	var b strings.Builder
	fmt.Fprintf(&b, "id %s\n", t.ID)
	fmt.Fprintf(&b, "partitions %d\n", len(t.Partitions))
	fmt.Fprintf(&b, "replication_factor %d\n", t.ReplicationFactor())
	for _, key := range t.SetConfigs() {
		fmt.Fprintf(&b, "%s %s\n", key, shown(t.Configs[key]))
	}
	return b.String()
}

// Moved returns a sentence for each difference between two fingerprints, by
// object.
func Moved(before, after map[string]string) []string {
	all := map[string]bool{}
	for object := range before {
		all[object] = true
	}
	for object := range after {
		all[object] = true
	}
	var sentences []string
	for _, object := range sortedKeys(all) {
		was, had := before[object]
		is, has := after[object]
		switch {
		case !had:
			sentences = append(sentences, object+" has appeared")
		case !has:
			sentences = append(sentences, object+" has gone")
		case was != is:
			sentences = append(sentences, changed(object, lines(was), lines(is))...)
		}
	}
	return sentences
}

func changed(object string, was, is map[string]string) []string {
	all := map[string]bool{}
	for name := range was {
		all[name] = true
	}
	for name := range is {
		all[name] = true
	}
	var sentences []string
	for _, name := range sortedKeys(all) {
		before, had := was[name]
		after, has := is[name]
		switch {
		case had && has && before == after:
		case name == "id" && had && has:
			sentences = append(sentences, fmt.Sprintf("%s is another one: id %s → %s", object, before, after))
		case !had:
			sentences = append(sentences, fmt.Sprintf("%s: %s was set to %s", object, name, after))
		case !has:
			sentences = append(sentences, fmt.Sprintf("%s: %s was unset (it was %s)", object, name, before))
		default:
			sentences = append(sentences, fmt.Sprintf("%s: %s %s → %s", object, name, before, after))
		}
	}
	return sentences
}

func lines(print string) map[string]string {
	all := map[string]string{}
	for _, line := range strings.Split(strings.TrimSuffix(print, "\n"), "\n") {
		name, value, _ := strings.Cut(line, " ")
		all[name] = value
	}
	return all
}
