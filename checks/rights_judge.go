package checks

import (
	"fmt"
	"slices"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// wanted is a row of the table with the names that it is about here.
type wanted struct {
	right   Right
	names   []string
	missing []string // of the names, once judged
}

// wanted leaves out what another row brings along for the same name, and names
// about which there is nothing to ask.
func (g RightsGround) wanted(place string) []*wanted {
	type thing struct{ resource, name, operation string }
	asked := map[thing]bool{}
	var rows []*wanted
	for _, r := range RightsNeeded() {
		if r.Place != place || !r.applies(g) {
			continue
		}
		rows = append(rows, &wanted{right: r, names: union(r.names(g))})
		for _, n := range r.names(g) {
			asked[thing{r.Resource, n, r.Operation}] = true
		}
	}
	for _, w := range rows {
		w.names = slices.DeleteFunc(w.names, func(n string) bool {
			return slices.ContainsFunc(brings(w.right.Operation), func(by string) bool { return asked[thing{w.right.Resource, n, by}] })
		})
	}
	return slices.DeleteFunc(rows, func(w *wanted) bool { return len(w.names) == 0 })
}

// brings are the operations that have another one in them (KIP-11).
func brings(operation string) []string {
	switch operation {
	case "describe":
		return []string{"read", "write", "delete", "alter"}
	case "describe_configs":
		return []string{"alter_configs"}
	}
	return nil
}

// Grant is one right of the table with the rules that give it, and no more.
type Grant struct {
	Object string // of the check that misses it
	Rules  []cluster.ACL
}

// Grants are the least rights of a principal at a place.
func (g RightsGround) Grants(place, who string) []Grant {
	var all []Grant
	for _, w := range g.wanted(place) {
		grant := Grant{Object: w.object()}
		names := w.names
		if w.right.grant != nil {
			names = w.right.grant
		}
		for _, name := range names {
			grant.Rules = append(grant.Rules, cluster.ACL{
				Resource: w.right.Resource, Name: name, Pattern: cluster.Literal, Principal: who, Host: "*", Operation: w.right.Operation, Permission: cluster.Allow,
			})
		}
		all = append(all, grant)
	}
	return all
}

func (w *wanted) object() string { return w.right.Place + " " + w.right.words() }

// judge finds the names for which the right is missing. Of something that may
// not be described the cluster tells nothing: there the right that brings
// Describe is missing, and the others are asked about once it is granted.
func (w *wanted) judge(told Told, on *plan.Cluster) (Result, bool) {
	r := w.right
	if r.Resource == "transactional_id" || r.Resource == "group" && told.Rights.NoGroups {
		return w.judgeByRules(told, on)
	}
	for _, name := range w.names {
		operations, described := told.Rights.Cluster, len(told.Rights.Cluster) > 0
		switch r.Resource {
		case "topic":
			operations, described = told.Rights.Topics[name], told.Rights.Topics[name] != nil
		case "group":
			operations, described = told.Rights.Groups[name], told.Rights.Groups[name] != nil
		}
		reveals := r.Operation == "describe" || slices.Contains(brings("describe"), r.Operation)
		switch {
		case operations[r.Operation], !described && !reveals:
		case r.Operation == "create" && (told.Rights.Cluster["create"] || len(told.Rights.Cluster) == 0):
			// Create on the cluster will do; without Describe on it that is not told.
		default:
			w.missing = append(w.missing, name)
		}
	}
	if len(w.missing) == 0 {
		return Result{}, true
	}
	return Result{Verdict: diff.Fail, Saw: fmt.Sprintf("%s lacks %s%s: needed for %s", principal(on), r.words(), someNames(r, w.missing), r.For)}, false
}

// judgeByRules decides by the rules alone: no request tells what may be done
// with transactional ids, and none with groups where there never was one.
func (w *wanted) judgeByRules(told Told, on *plan.Cluster) (Result, bool) {
	if told.NoRules != nil { // no authorizer, or Describe on the cluster is missing, which is said
		return Result{}, true
	}
	var out Result
	for _, name := range w.names {
		one, fine := w.ruleOn(name, told, on)
		if fine {
			continue
		}
		w.missing = append(w.missing, name)
		if out.Verdict != diff.Fail {
			out = one
		}
	}
	return out, len(w.missing) == 0
}

// ruleOn decides about one name.
func (w *wanted) ruleOn(name string, told Told, on *plan.Cluster) (Result, bool) {
	may, stated := everybodyMay(on, told.Everyone)
	who, r := principal(on), w.right
	ruling := cluster.Rule(told.Rules, who, r.Operation, r.Resource, name)
	open := told.letsInUnruled()
	if ruling == cluster.Granted || ruling == cluster.Unruled && (may && stated || open) {
		return Result{}, true
	}
	self := selfOf(on, told.Rights.Cluster, told.Rules, may)
	if self == above { // the rules are not all there is
		return Result{}, true
	}
	words := r.words()
	if name != everyName {
		words += " " + name
	}
	out := Result{Verdict: diff.Fail, Saw: fmt.Sprintf("no rule gives %s %s: needed for %s", who, words, r.For)}
	switch {
	case ruling == cluster.Unruled && may:
		out.Verdict = diff.Unknown
		out.Saw += "; no rule is about them at all, and brokers do not tell what allow.everyone.if.no.acl.found is set to (where it is true, the first rule shuts out everybody else)"
	case self == unnamed:
		out.Verdict = diff.Unknown
		out.Saw = fmt.Sprintf("whether kplan has %s is not known: the brokers take its name from a certificate or a token, and the plan does not tell it; needed for %s", words, r.For)
	case open && may && !stated:
		out.Verdict = diff.Unknown
		out.Saw += "; it may be a super user, or allow.everyone.if.no.acl.found be true: brokers tell neither"
	case cluster.Rule(fromAnywhere(told.Rules), who, r.Operation, r.Resource, name) == cluster.Granted:
		out.Verdict = diff.Unknown
		out.Saw = fmt.Sprintf("a rule gives %s %s from one host only, and which address the brokers see is not known; needed for %s", who, words, r.For)
	}
	return out, false
}

// letsInUnruled reports whether kplan may do something on the cluster that no
// rule is about: then it is a super user, or what no rule is about is everybody's.
func (t Told) letsInUnruled() bool {
	for operation, may := range t.Rights.Cluster {
		if may && cluster.Rule(t.Rules, cluster.Anybody, operation, "cluster", cluster.ClusterName) == cluster.Unruled {
			return true
		}
	}
	return false
}

// words are the right as people read it: Describe on the cluster.
func (r Right) words() string {
	what := map[string]string{"cluster": "the cluster", "topic": "topics", "group": "groups", "transactional_id": "transactional ids"}[r.Resource]
	return cased(r.Operation) + " on " + what
}

const namesShown = 5

func someNames(r Right, names []string) string {
	if r.Resource == "cluster" {
		return ""
	}
	shown := names[:min(len(names), namesShown)]
	text := " " + strings.Join(shown, ", ")
	if n := len(names) - len(shown); n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
