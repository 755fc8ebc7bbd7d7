package diff

import (
	"fmt"
	"sort"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
)

// The configs that need more than a copy.
const (
	timestampDifference = "message.timestamp.difference.max.ms" // until 3.x; KIP-937 split it in two
	timestampBefore     = "message.timestamp.before.max.ms"
	timestampAfter      = "message.timestamp.after.max.ms"
	formatVersion       = "message.format.version"        // without effect since 3.0 (KIP-724), gone in 4.0
	downConversion      = "message.downconversion.enable" // for consumers before 0.11 (KIP-283), gone in 4.0 (KIP-896)
)

// knownConfigs returns the config names that a cluster knows, or nil when the
// snapshot does not tell.
func knownConfigs(s cluster.Snapshot) map[string]bool {
	known := map[string]bool{}
	for name := range s.Defaults {
		known[name] = true
	}
	for _, t := range s.Topics {
		for name := range t.Configs {
			known[name] = true
		}
	}
	if len(known) == 0 {
		return nil
	}
	return known
}

// translate returns what a config of the source is on the target: itself, its
// documented successors, or nothing with a note. A name that the target does
// not know and that has no successor stays: the target's brokers are asked
// about it with validateOnly and say so themselves. When it is not known what
// the target knows, nothing is guessed.
func translate(key, value string, known map[string]bool) (configs map[string]string, note string) {
	same := map[string]string{key: value}
	if known == nil || known[key] {
		return same, ""
	}
	switch {
	case key == timestampDifference && known[timestampBefore] && known[timestampAfter]:
		return map[string]string{timestampBefore: value, timestampAfter: value},
			fmt.Sprintf("%s is unknown to the target; %s and %s take its value", key, timestampBefore, timestampAfter)
	case key == formatVersion, key == downConversion:
		return nil, fmt.Sprintf("%s is unknown to the target and has lost its meaning; it is left out", key)
	}
	return same, ""
}

// namesBrokers reports whether the config's value lists replicas or brokers of
// its own cluster, so that it means nothing on another. A reassignment sets
// and removes them.
func namesBrokers(key string) bool {
	return key == "leader.replication.throttled.replicas" || key == "follower.replication.throttled.replicas"
}

// wantedConfigs returns the configs that the target's topic should have set,
// with notes about what could not be taken over.
func wantedConfigs(m *plan.Migration, source cluster.Topic, known map[string]bool) (configs map[string]string, notes []string) {
	configs = map[string]string{}
	ignored := ignoredConfigs(m)
	for _, key := range source.SetConfigs() {
		c := source.Configs[key]
		switch {
		case ignored[key]:
		case namesBrokers(key):
			notes = append(notes, fmt.Sprintf("%s names replicas of the source's brokers; it is left out", key))
		case c.Sensitive:
			notes = append(notes, fmt.Sprintf("%s is sensitive: the source does not tell its value, so it is left out", key))
		default:
			translated, note := translate(key, c.Value, known)
			if note != "" {
				notes = append(notes, note)
			}
			for k, v := range translated {
				configs[k] = v
			}
		}
	}
	for _, named := range m.Topics.Named {
		if named.Name == source.Name {
			for k, v := range named.Config {
				configs[k] = v
			}
		}
	}
	return configs, notes
}

func ignoredConfigs(m *plan.Migration) map[string]bool {
	ignored := map[string]bool{}
	for _, key := range m.Topics.Parity.Ignore {
		ignored[key] = true
	}
	return ignored
}

// sameConfig compares two values of one config. Lists have no order.
func sameConfig(key, a, b string) bool {
	if a == b {
		return true
	}
	if key != "cleanup.policy" {
		return false
	}
	return strings.Join(items(a), ",") == strings.Join(items(b), ",")
}

func items(list string) []string {
	var all []string
	for _, item := range strings.Split(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	sort.Strings(all)
	return all
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
