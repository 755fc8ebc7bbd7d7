package diff

import (
	"fmt"
	"strings"

	"kplan/plan"
)

// Parity returns a failed check for each difference that apply leaves as it
// is, with what to do about it.
func Parity(m *plan.Migration, topics []TopicChange) []Check {
	var checks []Check
	for _, t := range topics {
		for _, d := range t.Differences {
			if !d.Altered {
				checks = append(checks, mismatch(m, t, d))
			}
		}
	}
	return checks
}

func mismatch(m *plan.Migration, t TopicChange, d Difference) Check {
	c := Check{Name: CheckParity, Object: Object{"topic", t.Topic}, Verdict: Fail}
	switch d.Property {
	case "partitions":
		c.Asked = "has the topic as many partitions on the target as on the source?"
		c.Saw = fmt.Sprintf("partitions: %s on the source, %s on the target", d.Want, d.Have)
		c.Advice = fmt.Sprintf("add partitions on the target (kafka-topics.sh --alter --topic %s --partitions %s): kplan adds them only to topics that it created", t.Topic, d.Want)
		if atoi(d.Have) > atoi(d.Want) {
			c.Advice = "partitions cannot be removed: add partitions on the source, or, if nothing uses the target's topic yet, delete it and let kplan create it"
		}
		return c
	case "replication_factor":
		c.Asked = "has the topic the wanted replication factor on the target?"
		c.Saw = fmt.Sprintf("replication factor: %s wanted, %s on the target", d.Want, d.Have)
		c.Advice = "reassign the replicas on the target (kafka-reassign-partitions.sh), or want what is there"
		if m.Topics.Parity.ReplicationFactor == 0 {
			c.Advice += ": parity { replication_factor = " + d.Have + " }"
		}
		return c
	}
	key := strings.TrimPrefix(d.Property, "config.")
	c.Asked = "is the same set on the topic on the target as on the source?"
	if d.Unwanted {
		c.Saw = fmt.Sprintf("%s: %s is set on the target only", key, d.Have)
		c.Advice = fmt.Sprintf("unset it on the target, or accept it: topic %q { config = { %q = %q } }", t.Topic, key, d.Have)
		if d.Have == sensitive {
			c.Advice = fmt.Sprintf("unset it on the target, or accept it: parity { ignore = [%q] }", key)
		}
		return c
	}
	c.Saw = fmt.Sprintf("%s: %s wanted, %s on the target", key, d.Want, orNothing(d.Have))
	c.Advice = fmt.Sprintf("kplan did not create this topic: let it be altered (parity { existing = \"alter\" }, or name the topic: topic %q {}), "+
		"or ignore the config (parity { ignore = [%q] })", t.Topic, key)
	return c
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}

func atoi(text string) int {
	n := 0
	if _, err := fmt.Sscan(text, &n); err != nil {
		return 0
	}
	return n
}
