package graph

import (
	"fmt"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"

	"kplan/plan"
)

// lint compares what the services declare with each other and with the
// selection.
func lint(f *flow, m *plan.Migration, sel Selection) hcl.Diagnostics {
	diags := unwritten(f)
	if sel.Offline() {
		return diags
	}
	diags = append(diags, unknownTopics(m, sel)...)
	diags = append(diags, unknownGroups(f, sel)...)
	diags = append(diags, found(m)...)
	return append(diags, unowned(f, m, sel)...)
}

// unwritten warns about topics that are read and that no service writes:
// nothing that kplan stops will make them quiet.
func unwritten(f *flow) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, t := range sorted(f.readers) {
		if len(f.writers[t]) > 0 {
			continue
		}
		reader := f.services[sorted(f.readers[t])[0]]
		diags = append(diags, problem("KP2002", hcl.DiagWarning, refRange(reader.Consumes, t, reader.Range), fmt.Sprintf(
			"Topic %q is read by %s and written by no service of this plan. kplan stops nobody before it measures where the topic ends; "+
				"a writer that is not in the plan keeps the topic from becoming quiet, and what it writes to the source later is not read. "+
				"Declare the writer as a service with `produces`, or make sure that nobody writes.",
			t, list(sorted(f.readers[t])))))
	}
	return diags
}

func unknownTopics(m *plan.Migration, sel Selection) hcl.Diagnostics {
	known := toSet(sel.Topics)
	var diags hcl.Diagnostics
	for _, s := range m.Services {
		for attribute, refs := range map[string][]plan.NamedRef{"consumes": s.Consumes, "produces": s.Produces} {
			for _, ref := range refs {
				if known[ref.Name] {
					continue
				}
				why := "it does not exist there"
				if !m.Topics.Selects(ref.Name) {
					why = "no `topics.include` selects it"
				}
				diags = append(diags, problem("KP2003", hcl.DiagError, at(ref.Range, s.Range), fmt.Sprintf(
					"Service %q has topic %q in `%s`, which is not among the %d topics selected on the source: %s.%s "+
						"Correct the name, or let `topics.include` cover it.",
					s.Name, ref.Name, attribute, len(sel.Topics), why, suggest(ref.Name, sel.Topics))))
			}
		}
	}
	return byPlace(diags)
}

func unknownGroups(f *flow, sel Selection) hcl.Diagnostics {
	known := toSet(sel.Groups)
	var strangers []string
	for _, g := range sel.Groups {
		if len(f.owners[g]) == 0 {
			strangers = append(strangers, g)
		}
	}
	var diags hcl.Diagnostics
	for _, g := range sorted(f.owners) {
		if known[g] {
			continue
		}
		owner := f.services[sorted(f.owners[g])[0]]
		diags = append(diags, problem("KP2004", hcl.DiagWarning, refRange(owner.Groups, g, owner.Range), fmt.Sprintf(
			"Group %q of service %q does not exist on the source: it has neither members nor commits there.%s "+
				"A group without a commit needs `group %q { uncommitted = ... }` where its topics hold records.",
			g, owner.Name, suggest(g, strangers), g)))
	}
	return diags
}

// found warns about topics that only the commits of a group tell that it reads
// (R11): maybe it reads them no more, and then nobody would drain them.
func found(m *plan.Migration) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, s := range m.Services {
		for _, t := range s.Consumes {
			if !t.Found {
				continue
			}
			var groups []string
			for _, g := range s.Groups {
				groups = append(groups, g.Name)
			}
			diags = append(diags, problem("KP2011", hcl.DiagWarning, s.Range, fmt.Sprintf(
				"Topic %q is not in `consumes` of service %q, and %s %s committed on it. Commits count as reading: the topic is drained and the group placed there like on the others. "+
					"Add it to `consumes`; or, if the group reads it no more, say why what is unread there does not matter: groups { group %q { ignore %q { reason = \"...\" } } }.",
				t.Name, s.Name, list(groups), plural(groups, "has", "have"), groups[0], t.Name)))
		}
	}
	return diags
}

// unowned reports the groups that read along and belong to nobody (R11).
func unowned(f *flow, m *plan.Migration, sel Selection) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, g := range sel.Groups {
		if _, ignored := m.Groups.Ignores(g); ignored || len(f.owners[g]) > 0 {
			continue
		}
		diags = append(diags, problem("KP2005", hcl.DiagError, at(m.Groups.Range, m.Range), fmt.Sprintf(
			"Group %q belongs to the selection, by its name or because it reads a selected topic, and no service owns it. "+
				"Left alone it would stay behind on a source that nobody writes to. "+
				"Add it to `groups` of the service that it belongs to, or say that it may stay: ignore %q { reason = \"...\" }.",
			g, g)))
	}
	return diags
}

// suggest returns a sentence with the nearest name, if one is near.
func suggest(name string, among []string) string {
	best, least := "", 1+max(2, len(name)/5)
	for _, candidate := range among {
		if d := levenshtein.Distance(name, candidate, nil); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}
