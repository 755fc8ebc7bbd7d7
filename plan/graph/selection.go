package graph

import (
	"sort"

	"kplan/internal/cluster"
	"kplan/plan"
)

// Selection is what the plan's patterns matched on the source, pinned (R3).
// Both lists are sorted. The zero Selection means that no cluster was asked:
// the plan's literal names are then drawn as they stand.
type Selection struct {
	Topics []string `json:"topics"`
	Groups []string `json:"groups"`

	// Reads has what owned groups have committed on and no service that owns them
	// lists: group → topics, sorted. Commits count as reading (R11).
	Reads map[string][]string `json:"reads,omitempty"`

	// Principals are those whose rules move, Quotas the entities whose quotas
	// do, both as the source calls them, sorted.
	Principals []string              `json:"principals,omitempty"`
	Quotas     []cluster.QuotaEntity `json:"quotas,omitempty"`
}

// Offline reports whether no cluster was asked. A selection that was made
// online and matched nothing is not offline: its lists are empty, not nil.
func (s Selection) Offline() bool { return s.Topics == nil && s.Groups == nil }

// Select matches the plan's patterns against a snapshot of the source. A
// group belongs to the selection when the plan includes it, when a service
// owns it, or when it reads a selected topic, whatever its name: every reader
// has to be known (R11). Owned groups that the source does not have are left
// out here and reported by Build.
func Select(m *plan.Migration, source cluster.Snapshot) Selection {
	sel := Selection{Topics: []string{}, Groups: []string{}}
	chosen := map[string]bool{}
	for name := range source.Topics {
		if m.Topics.Selects(name) {
			chosen[name] = true
			sel.Topics = append(sel.Topics, name)
		}
	}
	owned := map[string]bool{}
	for _, s := range m.Services {
		for _, g := range s.Groups {
			owned[g.Name] = true
		}
	}
	for name, g := range source.Groups {
		if owned[name] || plan.MatchAny(m.Groups.Include, name) || touches(g, chosen) {
			sel.Groups = append(sel.Groups, name)
		}
	}
	sort.Strings(sel.Topics)
	sort.Strings(sel.Groups)
	sel.Reads = unlisted(m, source, chosen)
	sel.access(m, source.Access)
	return sel
}

// unlisted returns the selected topics on which owned groups have committed
// beside those that their services list.
func unlisted(m *plan.Migration, source cluster.Snapshot, chosen map[string]bool) map[string][]string {
	reads := map[string][]string{}
	for _, s := range m.Services {
		for _, g := range s.Groups {
			topics := map[string]bool{}
			for tp := range source.Groups[g.Name].Commits {
				if chosen[tp.Topic] {
					topics[tp.Topic] = true
				}
			}
			reads[g.Name] = sorted(topics)
		}
	}
	return m.Unlisted(reads)
}

func touches(g cluster.Group, topics map[string]bool) bool {
	for t := range g.Topics() {
		if topics[t] {
			return true
		}
	}
	return false
}

// Sides says on which side each topic is written and each group reads (R1). A
// name that is missing is on the source, where everything starts.
type Sides struct {
	Topics map[string]cluster.Side
	Groups map[string]cluster.Side
}

// Topic returns the side on which the topic is written.
func (s Sides) Topic(name string) cluster.Side { return side(s.Topics, name) }

// Group returns the side that owns the group.
func (s Sides) Group(name string) cluster.Side { return side(s.Groups, name) }

func side(of map[string]cluster.Side, name string) cluster.Side {
	if at := of[name]; at != cluster.NoSide {
		return at
	}
	return cluster.Source
}

// Everywhere returns the sides on which all topics and groups of the selection
// and of the services are on one side.
func Everywhere(m *plan.Migration, sel Selection, on cluster.Side) Sides {
	all := Sides{Topics: map[string]cluster.Side{}, Groups: map[string]cluster.Side{}}
	for _, t := range sel.Topics {
		all.Topics[t] = on
	}
	for _, s := range m.Services {
		for _, refs := range [][]plan.NamedRef{s.Produces, s.Consumes} {
			for _, t := range refs {
				all.Topics[t.Name] = on
			}
		}
		for _, g := range s.Groups {
			all.Groups[g.Name] = on
		}
	}
	return all
}

// literals is the selection that the plan alone gives.
func literals(m *plan.Migration) Selection {
	topics, groups := map[string]bool{}, map[string]bool{}
	for _, p := range m.Topics.Include {
		if p.Literal() && m.Topics.Selects(p.Text) {
			topics[p.Text] = true
		}
	}
	for _, n := range m.Topics.Named {
		topics[n.Name] = true
	}
	for _, s := range m.Services {
		for _, refs := range [][]plan.NamedRef{s.Produces, s.Consumes} {
			for _, t := range refs {
				topics[t.Name] = true
			}
		}
		for _, g := range s.Groups {
			groups[g.Name] = true
		}
	}
	sel := Selection{Topics: sorted(topics), Groups: sorted(groups)}
	sel.literalAccess(m)
	return sel
}

func sorted[V any](set map[string]V) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
