package diff

import (
	"fmt"
	"slices"
	"strconv"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// ACLChange is what there is to do about the rules of one principal of the
// source. Rules are under the name that the principal has on the target.
type ACLChange struct {
	Principal string        // on the source
	Becomes   string        // on the target
	Wanted    []cluster.ACL // all that the target is to have; sorted
	Create    []cluster.ACL // those that it lacks; sorted
	Extra     []cluster.ACL // those that only the target has; they stay; sorted
	LeftOut   []cluster.ACL // the source's rules of topics that do not move, as the source has them
}

// ACLs compares the rules of every included principal of the source with the
// target's, by principal: resource, pattern type, name, host, operation and
// permission have to be the same. A rule that follows from another one, such as
// describe from read, counts as a rule of its own: the target is to be like the
// source, not only to have the same effect.
func ACLs(m *plan.Migration, source, target cluster.Access) []ACLChange {
	if m.ACLs == nil {
		return nil
	}
	by := map[string]*ACLChange{}
	for _, a := range source.ACLs {
		if !m.ACLs.Selects(a.Principal) {
			continue
		}
		c := by[a.Principal]
		if c == nil {
			c = &ACLChange{Principal: a.Principal, Becomes: m.ACLs.OnTarget(a.Principal)}
			by[a.Principal] = c
		}
		if !graph.Moves(m, a) {
			c.LeftOut = append(c.LeftOut, a)
			continue
		}
		a.Principal = c.Becomes
		c.Wanted = append(c.Wanted, a)
	}
	have, of := map[cluster.ACL]bool{}, map[string][]cluster.ACL{}
	for _, a := range target.ACLs {
		have[a] = true
		of[a.Principal] = append(of[a.Principal], a)
	}
	wanted := map[cluster.ACL]bool{} // by any principal: several may become one
	for _, c := range by {
		for _, a := range c.Wanted {
			wanted[a] = true
		}
	}
	var all []ACLChange
	for _, principal := range sortedKeys(by) {
		c := by[principal]
		slices.SortFunc(c.Wanted, cluster.ACL.Compare)
		for _, a := range c.Wanted {
			if !have[a] {
				c.Create = append(c.Create, a)
			}
		}
		for _, a := range of[c.Becomes] {
			if !wanted[a] {
				c.Extra = append(c.Extra, a)
			}
		}
		all = append(all, *c)
	}
	return all
}

// ACLRows turns the changes into rows of the diff: first what is done, then the
// notes.
func ACLRows(m *plan.Migration, changes []ACLChange, source cluster.Access) []Change {
	if m.ACLs == nil {
		return nil
	}
	if isNoAuthorizer(source.ACLsErr) {
		return []Change{Noted(Object{"acls", "source"}, "the source has no authorizer, so there are no rules that the target could get")}
	}
	var rows, notes []Change
	var left []cluster.ACL
	for _, c := range changes {
		about := Object{"acls", c.Principal}
		if len(c.Create) > 0 {
			row := Change{
				Address: graph.ACLsAddress(c.Principal), Phase: graph.Prepare, Action: Create, Object: about, Broker: Unasked,
				After: map[string]string{"rules": strconv.Itoa(len(c.Create))}, Rules: c.Create,
			}
			if c.Becomes != c.Principal {
				row.After["becomes"] = c.Becomes
			}
			rows = append(rows, row)
		}
		if len(c.Extra) > 0 {
			notes = append(notes, Noted(about, fmt.Sprintf("the target has %s of %s that the source has not, left as it is: %s", counted(len(c.Extra), "rule"), c.Becomes, someRules(c.Extra))))
		}
		left = append(left, c.LeftOut...)
	}
	if len(left) > 0 {
		notes = append(notes, Noted(Object{"acls", "topics"}, fmt.Sprintf("%s of topics that the plan does not select: left out, such as %s", counted(len(left), "rule"), someRules(left))))
	}
	var everybody []cluster.ACL
	for _, a := range source.ACLs {
		if a.Principal == cluster.Anybody && !m.ACLs.Selects(a.Principal) && a.Resource == "topic" && graph.Moves(m, a) {
			everybody = append(everybody, a)
		}
	}
	if len(everybody) > 0 {
		notes = append(notes, Noted(Object{"acls", cluster.Anybody}, fmt.Sprintf("the source has %s for everybody on topics that move, and acls.include does not cover %s, so they are not created: %s", counted(len(everybody), "rule"), cluster.Anybody, someRules(everybody))))
	}
	return append(rows, notes...)
}

// ACLChecks says what keeps rules from being compared or created.
func ACLChecks(m *plan.Migration, changes []ACLChange, source, target cluster.Access) []Check {
	if m.ACLs == nil {
		return nil
	}
	const asked = "has the target the rules of the included principals?"
	if unread := unreadable(CheckACLs, asked, "the access rules", "Describe on the cluster", cluster.ErrNoAuthorizer, source.ACLsErr, target.ACLsErr); unread != nil {
		return unread
	}
	wanted := 0
	for _, c := range changes {
		wanted += len(c.Wanted)
	}
	if isNoAuthorizer(target.ACLsErr) && wanted > 0 {
		return []Check{{
			Name: CheckACLs, Object: Object{"cluster", "target"}, Verdict: Fail, Asked: asked,
			Saw:    fmt.Sprintf("the target has no authorizer: everybody may do everything there, and %s cannot be created", counted(wanted, "rule")),
			Advice: fmt.Sprintf("Set authorizer.class.name on the target's brokers, or take the acls block out, or say why it may be open: waive %q { reason = \"...\" }", CheckACLs),
		}}
	}
	return nil
}

// someRules shows the first few.
func someRules(rules []cluster.ACL) string {
	const most = 3
	text := ""
	for i, a := range rules {
		if i == most {
			return text + fmt.Sprintf(" and %d more", len(rules)-most)
		}
		if i > 0 {
			text += "; "
		}
		text += a.String()
	}
	return text
}

func counted(n int, word string) string {
	if n == 1 {
		return "one " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// Without returns the rules that are not among the others.
func Without(rules, others []cluster.ACL) []cluster.ACL {
	out := map[cluster.ACL]bool{}
	for _, a := range others {
		out[a] = true
	}
	var left []cluster.ACL
	for _, a := range rules {
		if !out[a] {
			left = append(left, a)
		}
	}
	return left
}
