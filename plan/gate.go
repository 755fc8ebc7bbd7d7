package plan

import (
	"fmt"
	"strings"
)

// Gate returns the gate of that name, or nil.
func (m *Migration) Gate(name string) *Gate {
	for _, g := range m.Gates {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// Conditions says in words what the gate waits for, one element per condition,
// the window first: "max_lag 1000 held for 10m".
func (g *Gate) Conditions() []string {
	var all []string
	if g.Window != nil {
		all = append(all, g.Window.Text)
	}
	if g.MaxLag != nil {
		text := fmt.Sprintf("max_lag %d", *g.MaxLag)
		if g.Hold > 0 {
			text += " held for " + durationText(g.Hold)
		}
		all = append(all, text)
	}
	if g.Soak > 0 {
		all = append(all, durationText(g.Soak)+" to pass since the step before")
	}
	if g.Verified > 0 {
		all = append(all, "a verify at most "+durationText(g.Verified)+" old")
	}
	for _, a := range g.Approvals {
		all = append(all, a.words())
	}
	return all
}

func (a Approval) words() string {
	var rules []string
	if a.Expires > 0 {
		rules = append(rules, "expires after "+durationText(a.Expires))
	}
	if len(a.From) > 0 {
		rules = append(rules, "from "+strings.Join(a.From, " or "))
	}
	if a.Others {
		rules = append(rules, "not from who started the apply")
	}
	text := "approval " + a.Name
	if len(rules) > 0 {
		text += " (" + strings.Join(rules, ", ") + ")"
	}
	return text
}
