package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Pattern selects names: an anchored glob whose * crosses dots, or a regular
// expression between slashes (anchored as well). Globs match neither the topics
// that Kafka and the tools of a cluster keep for themselves (clusterTopics) nor
// kplan's own (_kplan.*). The empty glob is the empty name.
type Pattern struct {
	Text  string
	Range hcl.Range
	re    *regexp.Regexp
	glob  bool
	plain bool // a glob without signs, which is compared and not matched
}

// NewPattern compiles a pattern.
func NewPattern(text string, rng hcl.Range) (Pattern, error) {
	p := Pattern{Text: text, Range: rng}
	expr := ""
	if len(text) > 1 && strings.HasPrefix(text, "/") && strings.HasSuffix(text, "/") {
		expr = text[1 : len(text)-1]
	} else {
		p.glob, p.plain = true, !strings.ContainsAny(text, "*?")
		expr = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(text))
	}
	// On its own first: "a)|(b" would be valid inside the group, and undo the
	// anchors; and the error should quote what the plan says.
	if _, err := regexp.Compile(expr); err != nil {
		return p, fmt.Errorf("%q is not a regular expression: %w", text, err)
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return p, fmt.Errorf("%q is not a regular expression: %w", text, err)
	}
	p.re = re
	return p, nil
}

// Match reports whether the pattern selects the name.
func (p Pattern) Match(name string) bool { return p.match(name) }

func (p *Pattern) match(name string) bool {
	if p.plain && name != p.Text { // most often so, in a long list
		return false
	}
	if p.re == nil || (p.glob && (strings.HasPrefix(name, "__") && clusterTopic(name) || ownTopic(name))) {
		return false
	}
	return p.plain || p.re.MatchString(name)
}

// Literal reports whether the pattern can match one name only.
func (p Pattern) Literal() bool { return p.plain }

// MatchAny reports whether any of the patterns selects the name.
func MatchAny(patterns []Pattern, name string) bool {
	for i := range patterns { // a plan may name thousands
		if patterns[i].match(name) {
			return true
		}
	}
	return false
}

// ownPrefix begins the names of the topics in which kplan keeps its state.
const ownPrefix = "_kplan."

// clusterTopics are those that a cluster keeps for itself: Apache Kafka's own,
// which its brokers call internal, and those of tools that watch one cluster.
// Other names that begin with two underscores are anybody's.
func clusterTopics() []string {
	return []string{
		"__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata", "__remote_log_metadata",
		"__amazon_msk_canary", "__amazon_msk_canary_state", "__strimzi_canary", "__strimzi_store_topic",
		"__CruiseControlMetrics", "__KafkaCruiseControlPartitionMetricSamples", "__KafkaCruiseControlModelTrainingSamples",
	}
}

func clusterTopic(name string) bool { return slices.Contains(clusterTopics(), name) }

func ownTopic(name string) bool { return strings.HasPrefix(name, ownPrefix) }

// Selects reports whether the topic is part of the migration. kplan's own
// topics never are: a migration that copied its own state would follow itself.
func (t Topics) Selects(name string) bool {
	return !ownTopic(name) && MatchAny(t.Include, name) && !MatchAny(t.Exclude, name)
}

// Ignores reports whether the group is ignored by name, and why.
func (g Groups) Ignores(name string) (reason string, ok bool) {
	for _, ig := range g.Ignore {
		if ig.Name == name {
			return ig.Reason, true
		}
	}
	return "", false
}

// Uncommitted is what a partition without a commit of this group means (R7):
// "earliest", "latest" or "fail".
func (g Groups) Uncommitted(name string) string {
	for _, n := range g.Named {
		if n.Name == name && n.Uncommitted != "" {
			return n.Uncommitted
		}
	}
	return "fail"
}

// BeyondEnd is what a committed offset of this group beyond the log's end means
// (R9): "end" or "fail".
func (g Groups) BeyondEnd(name string) string {
	for _, n := range g.Named {
		if n.Name == name && n.BeyondEnd != "" {
			return n.BeyondEnd
		}
	}
	return "fail"
}
