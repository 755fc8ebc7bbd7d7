package checks

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// RightsGround is what the checks of rights begin with.
type RightsGround struct {
	Plan         *plan.Plan
	Transactions bool // the source's brokers can list transactions (from 3.0, KIP-664)
	NewState     bool // the topic of state "kafka" is not there yet
	NewShelf     bool // nor is the one beside it, for the mirror
	StrictIDs    bool // the target's brokers give producer ids for IdempotentWrite on the cluster only (before 2.8, KIP-679)
	Source       Known
	Target       Known
}

// Known are the names that a cluster shows, whether kplan may describe what
// bears them or not.
type Known struct {
	Topics  []string // selected ones
	Groups  []string // those that have to be asked about: a group that was described is no question
	Missing []string // of the target: selected topics that are still to be created
}

// Told is what one cluster answers about kplan's principal.
type Told struct {
	Rights cluster.Rights
	Err    error // why there is no answer

	Rules   []cluster.ACL
	NoRules error // why the rules are not known; cluster.ErrNoAuthorizer: there are none

	// Everyone says that brokers have a setting for what no rule is about
	// (allow.everyone.if.no.acl.found), whose value they hide.
	Everyone bool
}

func (g RightsGround) groups() []string {
	var names []string
	for _, s := range g.Plan.Migration.Services {
		for _, group := range s.Groups {
			names = append(names, group.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// planned are the topics that the plan names, whether they are there or not.
func (g RightsGround) planned() []string {
	m := g.Plan.Migration
	var names []string
	for _, s := range m.Services {
		for _, ref := range slices.Concat(s.Consumes, s.Produces) {
			if m.Topics.Selects(ref.Name) {
				names = append(names, ref.Name)
			}
		}
	}
	for _, p := range m.Topics.Include {
		if p.Literal() && m.Topics.Selects(p.Text) {
			names = append(names, p.Text)
		}
	}
	return names
}

func (g RightsGround) sourceTopics() []string { return union(g.Source.Topics, g.planned()) }

func (g RightsGround) targetTopics() []string {
	return union(g.Source.Topics, g.Target.Topics, g.planned())
}

func union(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Asks are the topics and groups to ask a place about.
func (g RightsGround) Asks(place string) (topics, groups []string) {
	for _, r := range RightsNeeded() {
		if r.Place != place || !r.applies(g) {
			continue
		}
		switch r.Resource {
		case "topic":
			topics = append(topics, r.names(g)...)
		case "group":
			groups = append(groups, r.names(g)...)
		}
	}
	return union(topics), union(groups)
}

// Rights judges, one by one, whether kplan's principal has the rights at a place
// that the plan needs. What is missing is one result each, with the command that
// grants it.
func Rights(g RightsGround, place string, on *plan.Cluster, told Told) []Result {
	pass := Result{Name: rightsName(place), Object: diff.Object{Kind: "cluster", Name: place}, Asked: askedRights, Verdict: diff.Pass}
	if errors.Is(told.Err, cluster.ErrRightsUntold) {
		pass.Verdict, pass.Saw = diff.Unknown, told.Err.Error()
		pass.Advice = fmt.Sprintf("See docs/rights.md for what is needed, then: waive %q { reason = \"...\" }", pass.Name)
		return []Result{pass}
	}
	if told.Err != nil {
		pass.Verdict, pass.Saw, pass.Advice = diff.Error, told.Err.Error(), "Try again"
		return []Result{pass}
	}
	var all []Result
	count := 0
	for _, w := range g.wanted(place) {
		count++
		if r, fine := w.judge(told, on); !fine {
			r.Name, r.Asked = pass.Name, askedRights
			r.Object = diff.Object{Kind: "right", Name: w.object()}
			names := w.missing
			if w.right.grant != nil {
				names = w.right.grant
			}
			r.Advice = "Grant it: " + Command(on, principal(on), w.right, names)
			if r.Verdict == diff.Unknown {
				r.Advice = fmt.Sprintf("See that it has it (%s), then say so: waive %q { reason = \"...\" }", Command(on, principal(on), w.right, names), pass.Name)
			}
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		pass.Saw = fmt.Sprintf("%s has the %d rights that the plan needs", principal(on), count)
		return []Result{pass}
	}
	return all
}

const askedRights = "has kplan's principal the rights that the plan needs?"

func rightsName(place string) string {
	return map[string]string{OnSource: NameRightsSource, OnTarget: NameRightsTarget, OnState: NameRightsState}[place]
}

// AllowsEveryone reports whether a broker has a setting, hidden, for what no
// rule is about; unset it is false.
func AllowsEveryone(nodes []cluster.Node) bool {
	return slices.ContainsFunc(nodes, func(n cluster.Node) bool {
		_, set := n.Configs["allow.everyone.if.no.acl.found"]
		return set || n.Configs == nil
	})
}

// ListsTransactions reports whether every broker can (KIP-664, from 3.0).
func ListsTransactions(nodes []cluster.Node) bool {
	return !slices.ContainsFunc(nodes, func(n cluster.Node) bool { _, ok := n.Requests[keyListTransactions]; return !ok })
}

// StrictIDs reports whether some broker is older than 2.8, where one may have a
// producer id only with IdempotentWrite on the cluster (KIP-679).
func StrictIDs(nodes []cluster.Node) bool {
	return slices.ContainsFunc(nodes, func(n cluster.Node) bool { return releaseOf(n).before(release{2, 8}) })
}

const keyListTransactions = 66

// LoggedTopics are the selected topics that brokers have on disk: they also list
// those that kplan may not describe.
func LoggedTopics(nodes []cluster.Node) []string {
	names := map[string]bool{}
	for _, n := range nodes {
		for tp := range n.Disk.Logs {
			names[tp.Topic] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
