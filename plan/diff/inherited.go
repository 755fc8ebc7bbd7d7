package diff

import (
	"fmt"
	"sort"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// Inherited returns a note for each config that is set on neither side and
// that the two clusters fill in differently: one line per key, with the topics
// that it is about. Topics that the target does not have yet are compared with
// its defaults, as far as the snapshot tells them.
func Inherited(m *plan.Migration, source, target cluster.Snapshot) []Change {
	type value struct{ key, source, target string }
	topics := map[value][]string{}
	known := knownConfigs(target)
	ignored := ignoredConfigs(m)
	for _, name := range selected(m, source) {
		from := source.Topics[name]
		from.Name = name
		want, _ := wantedConfigs(m, from, known)
		for _, key := range sortedKeys(from.Configs) {
			c := from.Configs[key]
			if c.Source == cluster.SourceTopic || c.Sensitive || ignored[key] {
				continue
			}
			translated, _ := translate(key, c.Value, known)
			for _, k := range sortedKeys(translated) {
				have, ok := inheritedBy(target, name, k)
				if _, set := want[k]; set || !ok || sameConfig(k, translated[k], have) {
					continue
				}
				v := value{k, translated[k], have}
				topics[v] = append(topics[v], name)
			}
		}
	}
	var notes []Change
	for v, names := range topics {
		notes = append(notes, Change{
			Phase: graph.Prepare, Action: Noteworthy, Broker: Unasked, Object: Object{"config", v.key},
			Before: map[string]string{"config." + v.key: v.source}, After: map[string]string{"config." + v.key: v.target},
			Reason: fmt.Sprintf("inherited and different: source %s, target %s", v.source, v.target), NoteTopics: names,
		})
	}
	sort.Slice(notes, func(i, j int) bool {
		a, b := notes[i], notes[j]
		if a.Object.Name != b.Object.Name {
			return a.Object.Name < b.Object.Name
		}
		return a.Reason < b.Reason
	})
	return notes
}

// inheritedBy returns what the target's topic has for a config on which
// nothing is set.
func inheritedBy(target cluster.Snapshot, topic, key string) (string, bool) {
	c, ok := target.Defaults[key]
	if t, exists := target.Topics[topic]; exists {
		c, ok = t.Configs[key]
	}
	return c.Value, ok && c.Source != cluster.SourceTopic && !c.Sensitive
}
