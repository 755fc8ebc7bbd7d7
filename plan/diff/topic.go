package diff

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// Wanted is what a topic has to be on the target: the arguments of
// CreateTopics. Configs holds what is to be set on the topic, nothing else.
type Wanted struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	Configs           map[string]string
}

// Difference is one property in which the target's topic is not as wanted.
// Property is "partitions", "replication_factor" or "config.KEY". An empty
// Want means that the config should not be set.
type Difference struct {
	Property string
	Want     string
	Have     string
	Unwanted bool // set on the target only
	Altered  bool // apply changes it; else it stays and a check fails
}

// TopicChange is what there is to say about one topic. Action is Create,
// Update, or empty when nothing is done: then there are differences that stay,
// or notes.
type TopicChange struct {
	Topic       string
	Action      Action
	Want        Wanted
	Set         map[string]string // Update: configs to set (IncrementalAlterConfigs SET)
	Delete      []string          // Update: configs to unset (IncrementalAlterConfigs DELETE); sorted
	Partitions  int32             // Update: the new total for CreatePartitions; 0: none
	Differences []Difference
	Notes       []string
}

// Alterations are the configs to change as IncrementalAlterConfigs takes them:
// a nil value deletes.
func (c TopicChange) Alterations() map[string]*string {
	all := map[string]*string{}
	for k, v := range c.Set {
		all[k] = &v
	}
	for _, k := range c.Delete {
		all[k] = nil
	}
	return all
}

// Topics compares every selected topic of the source with the target's and
// returns those about which there is something to say, by name.
//
// owned are the topics that kplan created. held are the configs under a
// recorded override, by topic and key with the value that the override set:
// they are no drift as long as the target has that value.
func Topics(m *plan.Migration, source, target cluster.Snapshot, owned map[string]bool, held map[string]map[string]string) []TopicChange {
	known := knownConfigs(target)
	var all []TopicChange
	for _, name := range selected(m, source) {
		from := source.Topics[name]
		from.Name = name
		c := TopicChange{Topic: name}
		c.Want, c.Notes = wanted(m, from, known)
		if to, ok := target.Topics[name]; ok {
			c.compare(to, target, held[name], ignoredConfigs(m), rights(m, owned, name))
		} else {
			c.Action = Create
		}
		if c.Action != "" || len(c.Differences) > 0 || len(c.Notes) > 0 {
			all = append(all, c)
		}
	}
	return all
}

func selected(m *plan.Migration, source cluster.Snapshot) []string {
	var names []string
	for name := range source.Topics {
		if m.Topics.Selects(name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Wants returns what every selected topic of the source has to be on the
// target, by name.
func Wants(m *plan.Migration, source, target cluster.Snapshot) []Wanted {
	known := knownConfigs(target)
	var all []Wanted
	for _, name := range selected(m, source) {
		from := source.Topics[name]
		from.Name = name
		w, _ := wanted(m, from, known)
		all = append(all, w)
	}
	return all
}

func wanted(m *plan.Migration, from cluster.Topic, known map[string]bool) (Wanted, []string) {
	w := Wanted{
		Name:              from.Name,
		Partitions:        int32(len(from.Partitions)),
		ReplicationFactor: int16(from.ReplicationFactor()),
	}
	if factor := m.Topics.Parity.ReplicationFactor; factor > 0 {
		w.ReplicationFactor = int16(factor)
	}
	var notes []string
	w.Configs, notes = wantedConfigs(m, from, known)
	return w, notes
}

// right is how far kplan may go with a topic that exists on the target.
type right struct {
	alter bool // set configs
	owned bool // also unset configs and add partitions
}

func rights(m *plan.Migration, owned map[string]bool, topic string) right {
	return right{alter: MayAlter(m, owned, topic), owned: owned[topic]}
}

// MayAlter reports whether kplan may change the configs of a topic that exists
// on the target: it created the topic, the plan names it, or the plan lets it
// alter existing ones.
func MayAlter(m *plan.Migration, owned map[string]bool, topic string) bool {
	if owned[topic] || m.Topics.Parity.Existing == "alter" {
		return true
	}
	for _, named := range m.Topics.Named {
		if named.Name == topic {
			return true
		}
	}
	return false
}

func (c *TopicChange) compare(to cluster.Topic, target cluster.Snapshot, held map[string]string, ignored map[string]bool, may right) {
	if have := int32(len(to.Partitions)); have != c.Want.Partitions {
		grow := may.owned && have < c.Want.Partitions
		c.differ("partitions", itoa(c.Want.Partitions), itoa(have), grow)
		if grow {
			c.Partitions = c.Want.Partitions
		}
	}
	if have := int16(to.ReplicationFactor()); have != c.Want.ReplicationFactor {
		c.differ("replication_factor", itoa(c.Want.ReplicationFactor), itoa(have), false)
	}
	for _, key := range sortedKeys(c.Want.Configs) {
		want, have := c.Want.Configs[key], to.Configs[key]
		if underOverride(held, key, have) || (have.Source == cluster.SourceTopic && sameConfig(key, want, have.Value)) {
			continue
		}
		if have.Sensitive {
			c.Notes = append(c.Notes, key+" is sensitive on the target and cannot be compared")
			continue
		}
		if !may.alter && sameConfig(key, want, have.Value) {
			continue // inherited with the same effect; nothing to ask the topic's owner for
		}
		c.differ("config."+key, want, have.Value, may.alter)
		if may.alter {
			c.set(key, want)
		}
	}
	for _, key := range to.SetConfigs() {
		have := to.Configs[key]
		if _, want := c.Want.Configs[key]; want || ignored[key] || namesBrokers(key) || underOverride(held, key, have) {
			continue
		}
		c.Differences = append(c.Differences, Difference{
			Property: "config." + key, Want: target.Defaults[key].Value, Have: shown(have), Unwanted: true, Altered: may.owned,
		})
		if may.owned {
			c.Delete = append(c.Delete, key)
		}
	}
	if c.Partitions > 0 || len(c.Set) > 0 || len(c.Delete) > 0 {
		c.Action = Update
	}
}

func (c *TopicChange) differ(property, want, have string, altered bool) {
	c.Differences = append(c.Differences, Difference{Property: property, Want: want, Have: have, Altered: altered})
}

func (c *TopicChange) set(key, value string) {
	if c.Set == nil {
		c.Set = map[string]string{}
	}
	c.Set[key] = value
}

func underOverride(held map[string]string, key string, have cluster.Config) bool {
	value, ok := held[key]
	return ok && have.Source == cluster.SourceTopic && have.Value == value
}

func shown(c cluster.Config) string {
	if c.Sensitive {
		return sensitive
	}
	return c.Value
}

// sensitive stands for a value that a broker does not tell.
const sensitive = "(sensitive)"

func itoa[N int16 | int32](n N) string { return strconv.Itoa(int(n)) }

// Answer is what the target's brokers said to a change with validateOnly.
type Answer struct {
	Accepted bool
	Reason   string // why not
}

// Changes turns topic changes into rows of the diff: first what is done, by
// topic, then the notes. Topics without an answer were not asked about.
func Changes(topics []TopicChange, answers map[string]Answer) []Change {
	var done, notes []Change
	for _, t := range topics {
		if t.Action != "" {
			c := t.change()
			if answer, ok := answers[t.Topic]; ok {
				c.Broker, c.Reason = Accepted, answer.Reason
				if !answer.Accepted {
					c.Broker, c.Advice = Rejected, t.wayOut(answer.Reason)
				}
			}
			done = append(done, c)
		}
		for _, note := range t.Notes {
			notes = append(notes, Change{
				Phase: graph.Prepare, Action: Noteworthy, Broker: Unasked,
				Object: Object{"topic", t.Topic}, Reason: note, NoteTopics: []string{t.Topic},
			})
		}
	}
	return append(done, notes...)
}

// wayOut says what the plan can do about a refusal by the brokers.
func (c TopicChange) wayOut(reason string) string {
	configs := c.Set
	if c.Action == Create {
		configs = c.Want.Configs
	}
	for _, key := range sortedKeys(configs) {
		if strings.Contains(reason, key) {
			return fmt.Sprintf("leave it out (parity { ignore = [%q] }), or give a value that the target takes: topic %q { config = { %q = \"...\" } }", key, c.Topic, key)
		}
	}
	if strings.Contains(strings.ToLower(reason), "replicat") {
		return "want as many replicas as the target has brokers for: parity { replication_factor = ... }"
	}
	if len(configs) == 0 {
		return ""
	}
	return fmt.Sprintf("leave out what the target refuses (parity { ignore = [...] }), or give other values: topic %q { config = { ... } }", c.Topic)
}

func (c TopicChange) change() Change {
	row := Change{
		Address: graph.TopicAddress(c.Topic, ""), Phase: graph.Prepare, Action: c.Action, Broker: Unasked,
		Object: Object{"topic", c.Topic}, After: map[string]string{},
	}
	if c.Action == Create {
		row.After["partitions"] = itoa(c.Want.Partitions)
		row.After["replication_factor"] = itoa(c.Want.ReplicationFactor)
		for key, value := range c.Want.Configs {
			row.After["config."+key] = value
		}
		return row
	}
	row.Before = map[string]string{}
	for _, d := range c.Differences {
		if !d.Altered {
			continue
		}
		row.Before[d.Property] = d.Have
		if !d.Unwanted {
			row.After[d.Property] = d.Want
		}
	}
	return row
}
