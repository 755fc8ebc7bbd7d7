package checks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// Fencing is what the checks of the fence look at (R8), all of it on the source.
type Fencing struct {
	Migration *plan.Migration
	Topics    map[string][]string // topics still to be fenced → the principals that are to be denied
	Own       []cluster.ACL       // rules that kplan has added for fences before
	Rules     []cluster.ACL
	RulesErr  error // why there are no rules, if there are none to have
	Nodes     []cluster.Node
}

// allowEveryoneKey decides what a topic without any rule means. Brokers show
// whether it is set, and never to what.
const allowEveryoneKey = "allow.everyone.if.no.acl.found"

// Fence judges whether the fence can be set, whether it would stop the services
// and nobody else, and who is left that could still write.
func Fence(f Fencing) []Result {
	if len(f.Topics) == 0 {
		return nil
	}
	possible := Result{
		Name: NameFence, Object: diff.Object{Kind: "cluster", Name: "source"}, Verdict: diff.Pass,
		Asked: "can the stopped services be denied to write, without shutting others out or letting others in? (R8)",
		Saw:   fmt.Sprintf("%d topics, each with rules or with everybody let in", len(f.Topics)),
	}
	if f.RulesErr != nil {
		possible.Verdict, possible.Saw = diff.Error, f.RulesErr.Error()
		possible.Advice = "Allow kplan to Describe the source's cluster (kafka-acls --operation Describe --cluster), or write fence = \"none\""
		if errors.Is(f.RulesErr, cluster.ErrNoAuthorizer) {
			possible.Verdict = diff.Fail
			possible.Advice = "Write fence = \"none\": kplan then watches for stopped producers that write on"
		}
		return []Result{possible}
	}
	var all []Result
	for _, topic := range slices.Sorted(maps.Keys(f.Topics)) {
		rules := f.about(topic)
		if len(rules) == 0 {
			if r, ok := f.unruled(topic); !ok {
				r.Name, r.Asked = possible.Name, possible.Asked
				all = append(all, r)
				continue
			}
		}
		all = append(all, f.effect(topic, rules), f.others(topic, rules))
	}
	if !slices.ContainsFunc(all, func(r Result) bool { return r.Name == NameFence }) {
		all = append([]Result{possible}, all...)
	}
	return all
}

// about returns the rules on a topic, those of fences aside.
func (f Fencing) about(topic string) []cluster.ACL {
	var all []cluster.ACL
	for _, a := range f.Rules {
		if a.Covers("topic", topic) && !slices.Contains(f.Own, a) {
			all = append(all, a)
		}
	}
	return all
}

// unruled judges a topic that no rule is about: the first one would decide about
// everybody. It is ok only where everybody is known to be let in so far.
func (f Fencing) unruled(topic string) (Result, bool) {
	source := f.Migration.Source
	r := Result{Object: diff.Object{Kind: "topic", Name: topic}, Verdict: diff.Fail}
	stated := source.Authorizer
	silent, unset := f.allowEveryone()
	switch {
	case unset != "" && stated != nil && stated.AllowEveryone:
		r.Saw = fmt.Sprintf("no rule is about it, the plan says that everybody is let in then, and %s has no %s: there the fence's first rule would open the topic to everybody", unset, allowEveryoneKey)
		r.Advice = fmt.Sprintf("Correct cluster %q { authorizer { allow_everyone } }", source.Name)
	case unset != "" || stated != nil && !stated.AllowEveryone:
		r.Saw = fmt.Sprintf("no rule is about it, and without %s only super users can write there, whom no rule stops", allowEveryoneKey)
		r.Advice = "Let the services write as users that rules allow to, or write fence = \"none\""
	case stated == nil:
		r.Saw = fmt.Sprintf("no rule is about it, and whether everybody is let in then is not known: %s", silent)
		r.Advice = fmt.Sprintf("Say it: cluster %q { authorizer { allow_everyone = true } } where that setting is true; kplan then allows everybody by a rule before it denies the services. Or give the topic's clients rules of their own, or write fence = \"none\"", source.Name)
	default:
		return r, true
	}
	return r, false
}

// allowEveryone says what the brokers tell: one that does not set it lets nobody
// in; of the others it is not known.
func (f Fencing) allowEveryone() (silent, unset string) {
	silent = "brokers show that " + allowEveryoneKey + " is set, and not to what"
	for _, n := range f.Nodes {
		if n.Configs == nil {
			silent = fmt.Sprintf("broker %d does not tell its configs", n.ID)
			continue
		}
		if _, set := n.Configs[allowEveryoneKey]; !set {
			unset = fmt.Sprintf("broker %d", n.ID)
		}
	}
	return silent, unset
}

// effect looks for principals that the rules do not let write: either that is
// not who the service is, or it is a super user, whom no rule stops, or a fence
// is left over that this state knows nothing of.
func (f Fencing) effect(topic string, rules []cluster.ACL) Result {
	var idle []string
	r := Result{
		Name: NameFenceEffect, Object: diff.Object{Kind: "topic", Name: topic}, Verdict: diff.Pass,
		Asked: "would the fence stop the services that write it?",
		Saw:   "they write by rules: " + some(f.Topics[topic]),
	}
	for _, p := range f.Topics[topic] {
		binds := func(a cluster.ACL) bool { return a.Principal == p || a.Principal == cluster.Anybody }
		if i := slices.IndexFunc(rules, func(a cluster.ACL) bool { return binds(a) && a.Host == "*" && deniesWrite(a) }); i >= 0 {
			r.Verdict = diff.Fail
			r.Saw = fmt.Sprintf("%s may not write it already, by a rule that this state knows nothing of: %s", p, rules[i])
			r.Advice = fmt.Sprintf("A fence of another migration may have left it, or of this one when its state was lost: then take the rule away, for kplan takes nobody else's rules away when a service goes back, and acls would copy it. Else correct the principals or what the service produces; where it is to stay, say so: waive %q { reason = \"...\" }", NameFenceEffect)
			return r
		}
		if len(rules) > 0 && !slices.ContainsFunc(rules, func(a cluster.ACL) bool { return letsWrite(a) && binds(a) }) {
			idle = append(idle, p)
		}
	}
	if len(idle) > 0 {
		r.Verdict = diff.Fail
		r.Saw = fmt.Sprintf("no rule lets %s write it: if the service does, it is a super user, whom no rule stops, or somebody else", some(idle))
		r.Advice = fmt.Sprintf("Correct the principals, let the service write as a user that rules allow to, or write fence = \"none\"; where an authorizer of another kind lets it in, say so: waive %q { reason = \"...\" }", NameFenceEffect)
	}
	return r
}

func deniesWrite(a cluster.ACL) bool {
	return a.Permission == cluster.Deny && (a.Operation == "write" || a.Operation == "all")
}

func letsWrite(a cluster.ACL) bool {
	return a.Permission == cluster.Allow && (a.Operation == "write" || a.Operation == "all")
}

// others names who may write the topic and belongs to no service: the fence does
// not stop them.
func (f Fencing) others(topic string, rules []cluster.ACL) Result {
	r := Result{
		Name: NameFenceWriters, Object: diff.Object{Kind: "topic", Name: topic}, Verdict: diff.Pass,
		Asked: "may nobody write it but the services of the plan?", Saw: "nobody else, super users aside",
	}
	known := map[string]bool{}
	for _, s := range f.Migration.Services {
		for _, p := range s.Principals {
			known[p.Name] = true
		}
	}
	if login := f.Migration.Source.SASL; login != nil {
		known["User:"+login.Username] = true
	}
	found := map[string]bool{}
	for _, a := range rules {
		if letsWrite(a) && !known[a.Principal] && (a.Host != "*" || cluster.Rule(rules, a.Principal, "write", "topic", topic) == cluster.Granted) {
			found[a.Principal] = true
		}
	}
	who := some(slices.Sorted(maps.Keys(found)))
	switch {
	case len(rules) == 0:
		who = "everybody, since no rule is about it"
	case found[cluster.Anybody]:
		who = strings.Replace(who, cluster.Anybody, cluster.Anybody+" (everybody)", 1)
	case len(found) == 0:
		return r
	}
	r.Verdict, r.Saw = diff.Unknown, "these may write it as well, and no service names them: "+who
	r.Advice = fmt.Sprintf("Name them in the principals of the service that they belong to, take the right away, or say why they do not write: waive %q { reason = \"...\" }", NameFenceWriters)
	return r
}

func fenceEntries() []Entry {
	const rights = "Describe on the cluster of the source, and DescribeConfigs on it where a topic has no rule."
	return []Entry{
		{
			Name: NameFence, Asks: "Can the stopped services be denied to write on the source, without shutting others out or letting others in? (R8)", Rights: rights,
			Evidence: "With fence = \"acl\", for topics whose writers still have to move: the source's access rules. A topic without any rule is refused unless the plan says that allow.everyone.if.no.acl.found is on, which brokers do not tell; that it is off follows where it is not set.",
			Verdicts: map[string]string{"pass": "every topic has rules, or everybody is known to be let in", "fail": "the cluster has no authorizer, or a topic has no rule and it is not known, or known not to hold, that everybody is let in", "error": "the rules cannot be read"},
		},
		{
			Name: NameFenceEffect, Asks: "Would the fence stop the services? (R8)", Waivable: true, Rights: rights,
			Evidence: "The rules on each topic, for the principals of its writers. DENY passes super users, whom brokers do not name; a principal that writes and that no rule lets write is one. A rule that denies one of them already, and that the state does not know, is what a fence leaves behind whose state is lost.",
			Verdicts: map[string]string{"pass": "a rule lets each of them write", "fail": "no rule lets one of them write, or one denies it already"},
		},
		{
			Name: NameFenceWriters, Asks: "May nobody write the topics but the services of the plan? (R8)", Waivable: true, Rights: rights,
			Evidence: "The principals that the rules on each topic let write, those of services and kplan's own login aside.",
			Verdicts: map[string]string{"pass": "nobody", "unknown": "somebody, by name: whether they write is not known"},
		},
		{
			Name: NameFenceStands, Asks: "Do the fences that kplan has set still stand? (R8)", Waivable: true, Rights: "Describe on the cluster of the source.",
			Evidence: "Asked by verify: the DENY rules that the state has of fences whose step is done, among the source's access rules.",
			Verdicts: map[string]string{"pass": "each rule is there", "fail": "one has been taken away", "error": "the rules cannot be read"},
		},
	}
}
