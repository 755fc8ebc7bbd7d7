package checks

import (
	"errors"
	"fmt"
	"slices"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// ServiceRights judges whether the principals of the services may do on the
// target what the services do: write what they produce, read what they consume,
// with their groups. It goes by the target's rules and those that the plan will
// create of the source's. Super users are in no rule: they are waived by name.
func ServiceRights(m *plan.Migration, source, target Told) []Result {
	var all []Result
	rules := slices.Concat(target.Rules, coming(m, source.Rules, target.Rules))
	for _, s := range m.Services {
		for _, ref := range s.Principals {
			if errors.Is(target.NoRules, cluster.ErrNoAuthorizer) {
				continue // everybody may do everything
			}
			who := m.ACLs.OnTarget(ref.Name)
			r := Result{
				Name: NameRightsServices, Object: diff.Object{Kind: "principal", Name: s.Name + " " + who}, Verdict: diff.Pass,
				Asked: "may the service's principal do on the target what the service does?",
			}
			if target.NoRules != nil {
				r.Verdict, r.Saw = diff.Unknown, "the target's access rules cannot be read: "+target.NoRules.Error()
				r.Advice = "Grant kplan Describe on the target's cluster (docs/rights.md)"
			} else {
				r = serviceRights(r, m, s, who, rules, target.Everyone)
			}
			if r.Verdict == diff.Fail && m.ACLs != nil && source.NoRules != nil && !errors.Is(source.NoRules, cluster.ErrNoAuthorizer) {
				r.Verdict = diff.Unknown
				r.Saw += "; what the plan would create of the source's rules is not known: " + source.NoRules.Error()
				r.Advice = "Grant kplan Describe on the source's cluster (docs/rights.md)"
			}
			all = append(all, r)
		}
	}
	return all
}

// coming are the rules that the plan creates on the target.
func coming(m *plan.Migration, source, target []cluster.ACL) []cluster.ACL {
	var all []cluster.ACL
	for _, c := range diff.ACLs(m, cluster.Access{ACLs: source}, cluster.Access{ACLs: target}) {
		all = append(all, c.Create...)
	}
	return all
}

func serviceRights(r Result, m *plan.Migration, s *plan.Service, who string, rules []cluster.ACL, everyone bool) Result {
	type use struct {
		operation, resource string
		names               []plan.NamedRef
	}
	unruled := 0
	for _, u := range []use{{"write", "topic", s.Produces}, {"read", "topic", s.Consumes}, {"read", "group", s.Groups}} {
		var refused, open []string
		for _, n := range u.names {
			switch cluster.Rule(rules, who, u.operation, u.resource, n.Name) {
			case cluster.Refused:
				refused = append(refused, n.Name)
			case cluster.Unruled:
				open = append(open, n.Name)
			case cluster.Granted:
			}
		}
		if everyone {
			unruled += len(open)
		} else {
			refused = append(refused, open...)
		}
		if len(refused) == 0 {
			continue
		}
		if r.Verdict != diff.Fail {
			r.Verdict, r.Saw, r.Advice = diff.Fail, "", "Grant it, or waive this check where it is a super user: "
		} else {
			r.Saw += "; "
			r.Advice += "; "
		}
		right := Right{Resource: u.resource, Operation: u.operation}
		r.Saw += fmt.Sprintf("no rule gives %s %s%s", who, right.words(), someNames(right, refused))
		r.Advice += Command(m.Target, who, right, refused)
	}
	switch {
	case r.Verdict == diff.Fail:
	case unruled > 0:
		r.Verdict = diff.Unknown
		r.Saw = fmt.Sprintf("no rule is about %d of the topics and groups that %s uses, and brokers do not tell what allow.everyone.if.no.acl.found is set to", unruled, who)
		r.Advice = fmt.Sprintf("Give %s rules on the target, or say why none are needed: waive %q { reason = \"...\" }", who, NameRightsServices)
	default:
		r.Saw = who + " may do what the service does"
	}
	return r
}
