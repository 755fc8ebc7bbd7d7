package checks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// ServiceRights judges whether the principals of the services may do on the
// target what the services do: write what they produce, read what they consume,
// with their groups. It goes by the target's rules and those that the plan will
// create of the source's. Super users are in no rule: they are waived by name.
func ServiceRights(m *plan.Migration, source, target Told) []Result {
	if errors.Is(target.NoRules, cluster.ErrNoAuthorizer) {
		return nil // everybody may do everything
	}
	var all []Result
	rules := serviceRules{there: target.Rules, copied: coming(m, source.Rules, target.Rules)}
	for _, s := range m.Services {
		for _, ref := range s.Principals {
			who := m.ACLs.OnTarget(ref.Name)
			r := Result{
				Name: NameRightsServices, Object: diff.Object{Kind: "principal", Name: s.Name + " " + who}, Verdict: diff.Pass,
				Asked: "may the service's principal do on the target what the service does?",
			}
			if target.NoRules != nil {
				r.Verdict, r.Saw = diff.Unknown, "the target's access rules cannot be read: "+target.NoRules.Error()
				r.Advice = "Grant kplan Describe on the target's cluster (docs/rights.md)"
			} else {
				r = rules.judge(r, m, s, who, target.Everyone)
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

// serviceRules are the target's rules, and those that the plan copies from the
// source.
type serviceRules struct{ there, copied []cluster.ACL }

// denying returns the first rule that denies, and whether it would be copied.
func (s serviceRules) denying(who, operation, resource, name string) (rule cluster.ACL, copied, found bool) {
	for i, list := range [][]cluster.ACL{s.there, s.copied} {
		for _, a := range list {
			if a.Covers(resource, name) && denies(a, operation) && (a.Principal == who || a.Principal == cluster.Anybody) {
				return a, i == 1, true
			}
		}
	}
	return rule, false, false
}

// coming are the rules that the plan creates on the target.
func coming(m *plan.Migration, source, target []cluster.ACL) []cluster.ACL {
	var all []cluster.ACL
	for _, c := range diff.ACLs(m, cluster.Access{ACLs: source}, cluster.Access{ACLs: target}) {
		all = append(all, c.Create...)
	}
	return all
}

// found is what one kind of use comes to.
type found struct{ saw, advice []string }

func (f *found) add(saw, advice string) {
	f.saw, f.advice = append(f.saw, saw), append(f.advice, advice)
}

func (s serviceRules) judge(r Result, m *plan.Migration, service *plan.Service, who string, hidden bool) Result {
	may, stated := everybodyMay(m.Target, hidden)
	rules := slices.Concat(s.there, s.copied)
	var lacks found
	unruled := 0
	for _, u := range []struct {
		operation, resource string
		names               []plan.NamedRef
	}{{"write", "topic", service.Produces}, {"read", "topic", service.Consumes}, {"read", "group", service.Groups}} {
		right := Right{Resource: u.resource, Operation: u.operation}
		var refused []string
		for _, n := range u.names {
			switch cluster.Rule(rules, who, u.operation, u.resource, n.Name) {
			case cluster.Refused:
				if rule, copied, denied := s.denying(who, u.operation, u.resource, n.Name); denied {
					lacks.add(deniedBy(m, who, rule, right, n.Name, copied))
					continue
				}
				refused = append(refused, n.Name)
			case cluster.Unruled:
				switch {
				case !may:
					refused = append(refused, n.Name)
				case !stated:
					unruled++
				}
			case cluster.Granted:
			}
		}
		if len(refused) > 0 {
			lacks.add(fmt.Sprintf("no rule gives %s %s%s", who, right.words(), someNames(right, refused)),
				"grant it ("+Command(m.Target, who, right, refused)+")")
		}
	}
	switch {
	case len(lacks.saw) > 0:
		r.Verdict, r.Saw = diff.Fail, strings.Join(lacks.saw, "; ")
		r.Advice = fmt.Sprintf("On the target: %s; where it is a super user: waive %q { reason = \"...\" }", strings.Join(lacks.advice, "; "), NameRightsServices)
	case unruled > 0:
		r.Verdict = diff.Unknown
		r.Saw = fmt.Sprintf("no rule is about %d of the topics and groups that %s uses, and brokers do not tell what allow.everyone.if.no.acl.found is set to", unruled, who)
		r.Advice = fmt.Sprintf("Say what it is set to (cluster %q { authorizer { allow_everyone } }); where it is false, give %s rules on the target (where it is true, the first one shuts out everybody else)", m.Target.Name, who)
	default:
		r.Saw = who + " may do what the service does"
	}
	return r
}

// deniedBy says which rule denies. One that comes from the source may be a fence
// (R8) whose state is lost: kplan knows only those of its journal.
func deniedBy(m *plan.Migration, who string, rule cluster.ACL, right Right, name string, copied bool) (saw, advice string) {
	saw = fmt.Sprintf("a rule denies %s %s %s (%s)", who, right.words(), name, rule)
	if !copied {
		return saw, "take that rule away, for none that allows comes against it"
	}
	advice = "keep that rule from being copied by acls: take it away on the source, or leave its principal out of acls.include"
	if right.Operation == "write" && rule.Pattern == cluster.Literal && m.Scheme.Fence == "acl" {
		advice += " (is it the fence of an earlier run, its state is lost or elsewhere: bring that back first)"
	}
	return saw + ", and it would be copied from the source", advice
}
