package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// Rules judges what the rules that the plan creates would do to others: the
// first rule on a resource decides about everybody (R8), and a rule may be
// against kplan itself. Nothing is asked where no rule is to be created.
func Rules(g Ground, changes []diff.ACLChange) []Result {
	var coming []cluster.ACL
	for _, c := range changes {
		coming = append(coming, c.Create...)
	}
	if g.Migration.ACLs == nil || g.Source.Access.ACLsErr != nil || g.Target.Access.ACLsErr != nil {
		return nil
	}
	first := Result{
		Name: NameFirstRule, Object: diff.Object{Kind: "cluster", Name: "target"}, Verdict: diff.Pass,
		Asked: "does nobody lose a right by the first rule on a resource?", Saw: fmt.Sprintf("%d rules to create, none is the first on its resource, or nobody is let in without one", len(coming)),
	}
	own := Result{
		Name: NameOwnRules, Object: diff.Object{Kind: "cluster", Name: "target"}, Verdict: diff.Pass,
		Asked: "does kplan keep its own rights on the target?", Saw: fmt.Sprintf("%d rules to create, none is against it", len(coming)),
	}
	everybody, _ := everybodyMay(g.Migration.Target, AllowsEveryone(g.TargetNodes))
	all := g.firstRules(first, coming, everybody)
	return append(all, g.ownRules(own, coming, everybody)...)
}

// firstRules warns, for each kind of resource, of rules that would be the first.
func (g Ground) firstRules(pass Result, coming []cluster.ACL, everybody bool) []Result {
	if !everybody {
		return []Result{pass}
	}
	there, source := rulebookOf(g.Target.Access.ACLs), rulebookOf(g.Source.Access.ACLs)
	names, losers := map[string][]string{}, map[string]map[string]bool{}
	seen := map[[2]string]bool{}
	for _, a := range coming {
		name := shownResource(a)
		if seen[[2]string{a.Resource, name}] || there.whole(a) {
			continue
		}
		seen[[2]string{a.Resource, name}] = true
		names[a.Resource] = append(names[a.Resource], name)
		for _, other := range source.overlapping(a) {
			if other.Permission != cluster.Allow || g.Migration.ACLs.Selects(other.Principal) {
				continue
			}
			if losers[a.Resource] == nil {
				losers[a.Resource] = map[string]bool{}
			}
			losers[a.Resource][other.Principal] = true
		}
	}
	var all []Result
	for _, resource := range slices.Sorted(maps.Keys(names)) {
		r := pass
		r.Verdict, r.Object = diff.Unknown, diff.Object{Kind: "acls", Name: resource}
		r.Saw = fmt.Sprintf("the target has no rule for %s %s yet, and the first one shuts out everybody else where allow.everyone.if.no.acl.found is true", resource, fewNames(names[resource]))
		switch stated := g.Migration.Target.Authorizer; {
		case stated == nil:
			r.Saw += " (brokers do not tell)"
		case stated.AllowEveryone && resource == "cluster":
			r.Verdict = diff.Fail // everybody uses the cluster: brokers and producers too
		}
		if who := slices.Sorted(maps.Keys(losers[resource])); len(who) > 0 {
			r.Saw += "; rules on the source let in others there, which acls.include does not cover: " + fewNames(who)
		} else {
			r.Saw += "; no rule on the source lets in anybody else there"
		}
		r.Advice = fmt.Sprintf("Include those principals, or give them rules on the target first; where the setting is false, say so: cluster %q { authorizer { allow_everyone = false } }; else say why nobody is missed: waive %q { reason = \"...\" }", g.Migration.Target.Name, NameFirstRule)
		all = append(all, r)
	}
	if len(all) == 0 {
		return []Result{pass}
	}
	return all
}

// ownRules finds rules that would take a right from kplan (docs/rights.md). A
// super user has rights that no rule gives, and none takes away. Where the plan
// does not tell who kplan is, any rule that denies may be about it.
func (g Ground) ownRules(pass Result, coming []cluster.ACL, everybody bool) []Result {
	there, then := rulebookOf(fromAnywhere(g.Target.Access.ACLs)), rulebookOf(coming)
	who := principal(g.Migration.Target)
	takes := func(have, created []cluster.ACL, op, resource, name string) bool {
		return takesFrom(who, have, created, op, resource, name, everybody)
	}
	self := selfOf(g.Migration.Target, g.Target.Access.Own, g.Target.Access.ACLs, everybody)
	switch self {
	case above:
		pass.Saw = "kplan has rights that no rule gives it: it is a super user, whom no rule stops"
		return []Result{pass}
	case unnamed:
		takes = func(have, created []cluster.ACL, op, _, _ string) bool {
			return everybody && len(have) == 0 || slices.ContainsFunc(created, func(a cluster.ACL) bool { return denies(a, op) })
		}
	case ruled:
	}
	ops, names := map[string][]string{}, map[string][]string{}
	ground := RightsGround{Plan: &plan.Plan{Migration: g.Migration}, Source: Known{Topics: slices.Collect(maps.Keys(g.Source.Topics))}}
	for _, w := range ground.wanted(OnTarget) {
		resource, op := w.right.Resource, w.right.Operation
		for _, name := range w.names {
			if created := then.about(resource, name); len(created) > 0 && takes(there.about(resource, name), created, op, resource, name) {
				ops[resource], names[resource] = append(ops[resource], op), append(names[resource], name)
			}
		}
	}
	var all []Result
	for _, resource := range slices.Sorted(maps.Keys(ops)) {
		r := pass
		lost, of := union(ops[resource]), union(names[resource])
		r.Object = diff.Object{Kind: "acls", Name: resource}
		if self == unnamed {
			r.Verdict = diff.Unknown
			r.Saw = fmt.Sprintf("the rules to be created may take %s on %s %s from kplan: the brokers take its name from a certificate or a token, and the plan does not tell it", strings.Join(lost, ", "), resource, fewNames(of))
			r.Advice = fmt.Sprintf("Find out which principal that is, and that these rules leave it its rights (docs/rights.md), then say so: waive %q { reason = \"...\" }", NameOwnRules)
		} else {
			r.Verdict = diff.Fail
			r.Saw = fmt.Sprintf("the rules to be created would take %s on %s %s from %s, which is kplan", strings.Join(lost, ", "), resource, fewNames(of), who)
			r.Advice = fmt.Sprintf("Give it a rule of its own first (%s), leave out the rules that deny everybody, or say that it is a super user: waive %q { reason = \"...\" }", allow(strings.Join(g.Migration.Target.Bootstrap, ","), who, resource, lost[0], of), NameOwnRules)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return []Result{pass}
	}
	return all
}

// takesFrom reports whether a principal has a right before the rules are created
// and no longer afterwards.
func takesFrom(who string, have, created []cluster.ACL, op, resource, name string, everybody bool) bool {
	before := cluster.Rule(have, who, op, resource, name)
	after := cluster.Rule(slices.Concat(have, created), who, op, resource, name)
	if after != cluster.Refused || before == cluster.Refused {
		return false
	}
	return before == cluster.Granted || everybody || slices.ContainsFunc(created, func(a cluster.ACL) bool {
		return denies(a, op) && (a.Principal == who || a.Principal == cluster.Anybody)
	})
}

// denies reports whether a rule denies an operation, from wherever it is asked
// for.
func denies(a cluster.ACL, op string) bool {
	return a.Permission == cluster.Deny && (a.Operation == op || a.Operation == "all") && a.Host == "*"
}

func shownResource(a cluster.ACL) string {
	if a.Pattern == cluster.Prefixed {
		return a.Name + "…"
	}
	return a.Name
}

func fewNames(names []string) string {
	shown := names[:min(len(names), namesShown)]
	text := strings.Join(shown, ", ")
	if n := len(names) - len(shown); n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// Access judges each principal, client and user by the changes that apply would
// still make. What has a result in known already is left out.
func Access(a diff.Access, changes []diff.Change, known []Result) []Result {
	open, judged := map[diff.Object]diff.Change{}, map[diff.Object]bool{}
	for _, c := range changes {
		if c.Action == diff.Create || c.Action == diff.Update {
			open[c.Object] = c
		}
	}
	for _, r := range known {
		judged[r.Object] = true
	}
	var all []Result
	judge := func(name string, about diff.Object, asked, pass string) {
		c, changes := open[about]
		if judged[about] && !changes {
			return
		}
		r := Result{Name: name, Object: about, Asked: asked, Verdict: diff.Pass, Saw: pass}
		if changes {
			r.Verdict, r.Saw, r.Advice = diff.Fail, unlike(c), "Run kplan diff, then kplan apply"
		}
		all = append(all, r)
	}
	for _, c := range a.ACLs {
		if len(c.Wanted) > 0 {
			judge(NameACLs, diff.Object{Kind: "acls", Name: c.Principal}, "has the target the rules of the principal?", fmt.Sprintf("rules: %d, all there", len(c.Wanted)))
		}
	}
	for _, c := range a.Quotas {
		judge(NameQuotas, diff.Object{Kind: "quota", Name: c.Entity.String()}, "has the target the quota of the client?", "as wanted")
	}
	for _, c := range a.Users {
		judge(NameUsers, diff.Object{Kind: "user", Name: c.Want.Name}, "has the target the SCRAM user?", "there")
	}
	return all
}

func unlike(c diff.Change) string {
	switch {
	case len(c.Rules) > 0:
		return fmt.Sprintf("rules missing on the target: %s, such as %s", c.After["rules"], c.Rules[0])
	case c.Action == diff.Create:
		return "missing on the target"
	}
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(c.After)) {
		if k == "becomes" {
			continue
		}
		if before, has := c.Before[k]; has {
			keys = append(keys, fmt.Sprintf("%s is %s, wanted %s", k, before, c.After[k]))
		} else {
			keys = append(keys, fmt.Sprintf("%s is not set, wanted %s", k, c.After[k]))
		}
	}
	return strings.Join(keys, ", ")
}

func accessEntries() []Entry {
	const describe = "Describe on the cluster, on both."
	return []Entry{
		{
			Name: NameACLs, Asks: "Has the target the access rules of the included principals?", Waivable: true, Rights: describe,
			Evidence: "Every rule of the source (all resources, pattern types, hosts, ALLOW and DENY) whose principal acls.include covers, under the name that it has on the target, against the target's rules; they must be the same in every part. Rules of single topics that the plan does not select are left out, and so are those that kplan has added for a fence. A rule that only the target has is a note.",
			Verdicts: map[string]string{"pass": "all are there, or the source has no authorizer", "fail": "one is missing, or the target has no authorizer", "error": "a cluster does not tell its rules"},
		},
		{
			Name: NameFirstRule, Asks: "Does nobody lose a right by the first rule on a resource? (R8)", Waivable: true, Rights: describe,
			Evidence: "The rules that kplan would create on the target, against those that are there. Not asked where authorizer { allow_everyone = false } is stated, or no broker sets allow.everyone.if.no.acl.found. The principals that the source's rules let in and acls.include does not cover are named.",
			Verdicts: map[string]string{"pass": "every such resource has a rule already, or nobody is let in without one", "fail": "a rule would be the first on the cluster itself, and the plan states that whoever no rule is about is let in: brokers and producers that are no super users would be shut out", "unknown": "a rule would be the first on another resource: who uses it without a rule is not known"},
		},
		{
			Name: NameOwnRules, Asks: "Does kplan keep its own rights on the target?", Waivable: true, Rights: describe,
			Evidence: "What kplan's principal may do by the target's rules before and after, for the rights that the plan needs on the target (docs/rights.md). One that may do what no rule lets it is a super user (KIP-430), whom no rule stops. Where the brokers take kplan's name from a certificate or a token, every rule that denies may be about it.",
			Verdicts: map[string]string{"pass": "it loses nothing", "fail": "a rule to be created denies it, or is the first on a resource and lets in others only", "unknown": "that may be, and who kplan is on the brokers is not known"},
		},
		{
			Name: NameQuotas, Asks: "Has the target the quotas of the included clients?", Waivable: true, Rights: "DescribeConfigs on the cluster, on both.",
			Evidence: "Every client quota of the source (by user, client id, address, their combinations and defaults) that quotas.include covers, under the user's name on the target, key by key. A key that only the target has is a note.",
			Verdicts: map[string]string{"pass": "the same values", "fail": "missing, or different and not to be altered", "error": "a cluster does not tell its quotas"},
		},
		{
			Name: NameUsers, Asks: "Has the target the SCRAM users of the principals that move?", Waivable: true, Rights: describe,
			Evidence: "The user blocks, and the source's SCRAM users that acls.include or a service's principals name, by name, mechanism and iterations (KIP-554). Kafka tells no passwords: whether they are the same is not known. A user that is there is never changed.",
			Verdicts: map[string]string{"pass": "there", "fail": "missing, with or without a block that gives it, or there with another mechanism or other iterations than a block says", "error": "a cluster does not tell its users"},
		},
	}
}
