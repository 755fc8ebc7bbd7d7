package diff

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kplan/internal/cluster"
	"kplan/plan"
)

const unlimited = "-1"

// HoldConfigs returns the configs that keep a topic from deleting records
// while its groups have not yet begun to read there (R16), and how to give
// back what was before: a value, or nil for a config that was not set. topic
// is the target's. ok is false when nothing has to be held: the topic does not
// delete by age or size, or has no limits.
func HoldConfigs(topic cluster.Topic) (set map[string]string, restore map[string]*string, ok bool) {
	if !deletes(topic) {
		return nil, nil, false
	}
	set, restore = map[string]string{}, map[string]*string{}
	for key, without := range map[string]string{"retention.ms": "604800000", "retention.bytes": unlimited} {
		c, told := topic.Configs[key]
		effective := c.Value
		if !told {
			effective = without // Kafka's own default
		}
		if effective == unlimited {
			continue
		}
		set[key] = unlimited
		restore[key] = nil
		if c.Source == cluster.SourceTopic {
			before := c.Value
			restore[key] = &before
		}
	}
	return set, restore, len(set) > 0
}

// deletes reports whether the topic's cleanup policy includes delete, which is
// Kafka's default.
func deletes(topic cluster.Topic) bool {
	policy, told := topic.Configs["cleanup.policy"]
	return !told || strings.Contains(policy.Value, "delete")
}

func compacts(topic cluster.Topic) bool {
	return strings.Contains(topic.Configs["cleanup.policy"].Value, "compact")
}

// Retention returns a check for each topic whose retention kplan may not hold
// and whose limits could delete records before their groups read on the
// target (R16). Only production_first lets records wait there, and only in
// topics that still have to move.
func (l Left) Retention(m *plan.Migration, target cluster.Snapshot, owned map[string]bool) []Check {
	if m.Scheme.Kind != plan.ProductionFirst {
		return nil
	}
	used := map[string]bool{}
	for _, s := range m.Services {
		for _, t := range s.Consumes {
			used[t.Name] = true
		}
	}
	var checks []Check
	for _, name := range sortedKeys(used) {
		topic, exists := target.Topics[name]
		if !l.topics[name] || !exists || MayAlter(m, owned, name) || !deletes(topic) {
			continue
		}
		c := Check{
			Name: CheckRetention, Object: Object{"topic", name},
			Asked: "does the target keep records long enough for the consumers to come?",
			Advice: fmt.Sprintf("let kplan hold the retention (parity { existing = \"alter\" }, or name the topic: topic %q {}), "+
				"or shorten drain_timeout", name),
		}
		ms, err := strconv.ParseInt(topic.Configs["retention.ms"].Value, 10, 64)
		limit := topic.Configs["retention.bytes"].Value
		switch {
		case err == nil && ms >= 0 && m.Scheme.DrainTimeout.Milliseconds() > ms/2:
			c.Verdict = Fail
			c.Saw = fmt.Sprintf("retention.ms = %d (%s) on the target, and drain_timeout = %s is more than half of it; kplan did not create the topic and does not hold its retention",
				ms, time.Duration(ms)*time.Millisecond, m.Scheme.DrainTimeout)
		case limit != "" && limit != unlimited:
			c.Verdict = Unknown
			c.Saw = fmt.Sprintf("retention.bytes = %s on the target: how much is written until the consumers come is not known; kplan did not create the topic and does not hold its retention", limit)
		case err != nil && topic.Configs["retention.ms"].Value != "":
			c.Verdict = Unknown
			c.Saw = fmt.Sprintf("retention.ms = %q on the target is not a number", topic.Configs["retention.ms"].Value)
		default:
			continue
		}
		checks = append(checks, c)
	}
	return checks
}
