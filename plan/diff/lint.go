package diff

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// StragglerWatch is how long a stopped producer's requests can still arrive
// (R6): the default delivery timeout of two minutes on top of a metadata
// refresh and its retries.
const StragglerWatch = 5*time.Minute + 30*time.Second

// Lint says what is risky about what is left to move on these clusters, beyond
// what the files alone show.
func (l Left) Lint(m *plan.Migration, source cluster.Snapshot) ([]Check, hcl.Diagnostics) {
	checks, diags := orderKept(m, source, l.topics)
	if s := m.Scheme; len(l.services) > 0 && s.Fence != "acl" && s.QuietStated && s.QuietFor < StragglerWatch {
		diags = append(diags, plan.NewDiagnostic("KP3002", hcl.DiagWarning, fmt.Sprintf(
			"quiet_for = %s is shorter than %s, and no fence keeps a stopped producer out. "+
				"A request that it still retries would be appended to the source after the boundary, where nobody reads it any more. "+
				"kplan goes on watching for such records and names them; to be on the safe side leave quiet_for out.",
			s.QuietFor, StragglerWatch), place(s.Range)))
	}
	diags = append(diags, groups(m, source, l.groups)...)
	return checks, append(diags, beyondEnd(m, source, l.groups)...)
}

// orderKept looks for topics whose readers may see two records in the wrong
// order while the old and the new consumers run side by side.
func orderKept(m *plan.Migration, source cluster.Snapshot, moving map[string]bool) ([]Check, hcl.Diagnostics) {
	if m.Scheme.Kind != plan.ProductionLater {
		return nil, nil
	}
	var checks []Check
	var names []string
	for _, name := range sortedKeys(moving) {
		why := ""
		switch {
		case compacts(source.Topics[name]):
			why = "the topic is compacted: the last record of a key counts"
		case source.Keyed[name]:
			why = "its newest records carry keys"
		case source.Unread[name] != "":
			why = "its newest record cannot be looked at, so nobody knows whether records carry keys: " + source.Unread[name]
		default:
			continue
		}
		names = append(names, name)
		checks = append(checks, Check{
			Name: CheckOrder, Object: Object{"topic", name}, Verdict: Unknown,
			Asked:  "may records of one key be handled in another order than they were written?",
			Saw:    why,
			Advice: "use production_first, or say why the order does not matter: waive \"" + CheckOrder + "\" { reason = \"...\" }",
		})
	}
	if len(checks) == 0 {
		return nil, nil
	}
	if checks = Waive(m, checks); checks[0].Waived != "" {
		return checks, nil
	}
	return checks, hcl.Diagnostics{plan.NewDiagnostic("KP3001", hcl.DiagWarning, fmt.Sprintf(
		"production_later does not keep the order between the clusters, and records of %s seem to need it (keys, or compaction). "+
			"Use production_first, or waive the check %q with the reason why the order does not matter.",
		several(names), CheckOrder), place(m.Scheme.Range))}
}

// groups refuses owned groups that kplan cannot move whole.
func groups(m *plan.Migration, source cluster.Snapshot, moving map[string]bool) hcl.Diagnostics {
	consumes := map[string]map[string]bool{}
	where := map[string]hcl.Range{}
	for _, s := range m.Services {
		for _, g := range s.Groups {
			if consumes[g.Name] == nil {
				consumes[g.Name] = map[string]bool{}
			}
			where[g.Name] = g.Range
			for _, t := range s.Consumes {
				consumes[g.Name][t.Name] = consumes[g.Name][t.Name] || !t.Found
			}
		}
	}
	var diags hcl.Diagnostics
	for _, name := range sortedKeys(consumes) {
		if !moving[name] {
			continue
		}
		g := source.Groups[name]
		if g.Type == cluster.GroupShare || g.Type == cluster.GroupStreams {
			diags = append(diags, plan.NewDiagnostic("KP3004", hcl.DiagError, fmt.Sprintf(
				"Group %q is a %s group on the source. kplan moves classic and consumer groups; move this service by hand, or change its group.",
				name, g.Type), place(where[name])))
		}
		extra := map[string]bool{}
		for _, member := range g.Members {
			for _, tp := range member.Assigned {
				if !consumes[name][tp.Topic] {
					extra[tp.Topic] = true
				}
			}
			for _, topic := range member.Subscribed {
				if !consumes[name][topic] {
					extra[topic] = true
				}
			}
		}
		if len(extra) > 0 {
			diags = append(diags, plan.NewDiagnostic("KP3005", hcl.DiagError, fmt.Sprintf(
				"Members of group %q read %s on the source, which no service that owns the group has in `consumes`. "+
					"Moved as it is, the group would leave records there unread. Add the topics to `consumes` (and to topics.include), or end the subscription.",
				name, several(sortedKeys(extra))), place(where[name])))
		}
	}
	return diags
}

// Notes are what a reader of the diff should know before anything runs.
func (l Left) Notes(m *plan.Migration) []Change {
	switch {
	case len(l.services) == 0:
		return nil
	case m.Scheme.Fence == "acl":
		return l.fenceNotes(m)
	}
	info, _ := plan.CodeInfoOf("KP3003")
	return []Change{{
		Phase: graph.Switch, Action: Noteworthy, Broker: Unasked, Object: Object{"fence", "none"}, NoteCode: string(info.Code),
		Reason: "no ACL keeps a stopped service from writing or reading again; kplan watches for it and cannot refuse it",
	}}
}

// fenceNotes says what stays behind on the source.
func (l Left) fenceNotes(m *plan.Migration) []Change {
	denied := map[string]bool{}
	for _, s := range m.Services {
		for _, p := range s.Principals {
			if l.services[s.Name] && len(s.Produces) > 0 {
				denied[p.Name] = true
			}
		}
	}
	return []Change{{
		Phase: graph.Switch, Action: Noteworthy, Broker: Unasked, Object: Object{"fence", "acl"},
		Reason: "rules on the source will deny " + several(sortedKeys(denied)) + " to write the topics of their services once these are stopped; they stay there, and kplan status says how to take them away",
	}}
}

// several writes names for people, and not more than five.
func several(names []string) string {
	const most = 5
	quoted := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	text := strings.Join(quoted, ", ")
	if rest := len(names) - most; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

func place(rng hcl.Range) *hcl.Range {
	if rng == (hcl.Range{}) {
		return nil
	}
	return &rng
}
