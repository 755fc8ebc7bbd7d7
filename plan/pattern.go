package plan

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Pattern selects names: an anchored glob whose * crosses dots, or a regular
// expression between slashes (anchored as well). Globs never match Kafka's
// internal topics (__*).
type Pattern struct {
	Text  string
	Range hcl.Range
	re    *regexp.Regexp
	glob  bool
}

// NewPattern compiles a pattern.
func NewPattern(text string, rng hcl.Range) (Pattern, error) {
	p := Pattern{Text: text, Range: rng}
	if text == "" {
		return p, fmt.Errorf("an empty pattern matches nothing")
	}
	expr := ""
	if len(text) > 1 && strings.HasPrefix(text, "/") && strings.HasSuffix(text, "/") {
		expr = text[1 : len(text)-1]
	} else {
		p.glob = true
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
func (p Pattern) Match(name string) bool {
	if p.re == nil || (p.glob && strings.HasPrefix(name, "__")) {
		return false
	}
	return p.re.MatchString(name)
}

// Literal reports whether the pattern can match one name only.
func (p Pattern) Literal() bool { return p.glob && !strings.ContainsAny(p.Text, "*?") }

// MatchAny reports whether any of the patterns selects the name.
func MatchAny(patterns []Pattern, name string) bool {
	for _, p := range patterns {
		if p.Match(name) {
			return true
		}
	}
	return false
}

// Selects reports whether the topic is part of the migration.
func (t Topics) Selects(name string) bool {
	return MatchAny(t.Include, name) && !MatchAny(t.Exclude, name)
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
