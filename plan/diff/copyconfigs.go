package diff

import (
	"kplan/internal/cluster"
)

// endless is the largest value of a Kafka config of type long.
const endless = "9223372036854775807"

// CopyConfigs returns the configs with which a topic of the target takes
// records as they are on the source, and keeps them: none is deleted or
// compacted while it is copied, none is refused for its age, and each keeps its
// time stamp and its compression (R15). restore is how to give back what was
// before: a value, or nil for a config that was not set. What the topic does
// already is not among them.
func CopyConfigs(topic cluster.Topic) (set map[string]string, restore map[string]*string) {
	set, restore = map[string]string{}, map[string]*string{}
	hold := func(key, value, without string) {
		c, told := topic.Configs[key]
		effective := c.Value
		if !told {
			effective = without // Kafka's own default
		}
		if effective == value {
			return
		}
		set[key], restore[key] = value, nil
		if c.Source == cluster.SourceTopic {
			before := c.Value
			restore[key] = &before
		}
	}
	hold("retention.ms", unlimited, "604800000")
	hold("retention.bytes", unlimited, unlimited)
	hold("cleanup.policy", "delete", "delete")
	hold("message.timestamp.type", "CreateTime", "CreateTime")
	hold("compression.type", "producer", "producer")
	// Names that a broker does not know are not told, and taken for endless.
	hold(timestampBefore, endless, endless)
	hold(timestampAfter, endless, endless)
	if _, split := topic.Configs[timestampAfter]; !split {
		hold(timestampDifference, endless, endless)
	}
	return set, restore
}

// HoldsRetention reports whether a config of an override is one that keeps
// records from being deleted.
func HoldsRetention(key string) bool { return key == "retention.ms" || key == "retention.bytes" }
