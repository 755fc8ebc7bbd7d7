package report

import (
	"slices"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// rulesShown is how many rules of a principal are shown unless all are asked
// for.
const rulesShown = 3

// isAccess reports whether the change is about rules, a quota or a user.
func isAccess(kind string) bool { return kind == "acls" || kind == "quota" || kind == "user" }

// noun is what several objects of a kind are counted as.
func noun(kind string) string {
	if kind == "acls" {
		return "principal"
	}
	return kind
}

// accessDetail says what becomes of rules, a quota or a user.
func accessDetail(c diff.Change) string {
	var parts []string
	if c.Object.Kind == "acls" {
		parts = append(parts, count(len(c.Rules), "rule"))
	}
	for _, key := range properties(c.After) {
		before, had := c.Before[key]
		switch {
		case key == "becomes" || key == "rules":
		case had:
			parts = append(parts, clean(key)+" "+Value(key, before)+" → "+Value(key, c.After[key]))
		default:
			parts = append(parts, clean(key)+" "+Value(key, c.After[key]))
		}
	}
	if name := c.After["becomes"]; name != "" {
		parts = append(parts, "as "+clean(name))
	}
	return strings.Join(parts, ", ")
}

// ruleLines shows the rules of one principal, without repeating its name.
func ruleLines(rules []cluster.ACL, opts Options) []string {
	shown := rules
	if !opts.Full {
		shown = rules[:min(len(rules), rulesShown)]
	}
	var lines []string
	for _, a := range shown {
		lines = append(lines, clean(strings.Replace(a.String(), " "+a.Principal+" ", " ", 1)))
	}
	if n := len(rules) - len(shown); n > 0 {
		lines = append(lines, "and "+count(n, "more rule"))
	}
	return slices.Clip(lines)
}
