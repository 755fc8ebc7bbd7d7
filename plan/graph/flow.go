package graph

import (
	"kplan/internal/cluster"
	"kplan/plan"
)

// set is a set of names.
type set map[string]bool

// flow is who writes and reads what, as the plan declares it, and what of it
// still has to move.
type flow struct {
	services map[string]*plan.Service
	order    []string       // services as declared
	writers  map[string]set // topic → services
	readers  map[string]set // topic → services
	owners   map[string]set // group → services
	topics   map[string]set // group → the topics of all its owners
	groups   map[string]set // topic → groups

	moving      set // services
	movingGroup set
	movingTopic set // topics whose writing side has to flip
}

func newFlow(m *plan.Migration) *flow {
	f := &flow{
		services: map[string]*plan.Service{},
		writers:  map[string]set{}, readers: map[string]set{},
		owners: map[string]set{}, topics: map[string]set{}, groups: map[string]set{},
		moving: set{}, movingGroup: set{}, movingTopic: set{},
	}
	for _, s := range m.Services {
		f.services[s.Name] = s
		f.order = append(f.order, s.Name)
		for _, t := range s.Produces {
			put(f.writers, t.Name, s.Name)
		}
		for _, t := range s.Consumes {
			put(f.readers, t.Name, s.Name)
		}
		for _, g := range s.Groups {
			put(f.owners, g.Name, s.Name)
			for _, t := range s.Consumes {
				put(f.topics, g.Name, t.Name)
				put(f.groups, t.Name, g.Name)
			}
		}
	}
	return f
}

func put(m map[string]set, key, member string) {
	if m[key] == nil {
		m[key] = set{}
	}
	m[key][member] = true
}

// move marks what is not where it is wanted. A service moves when the writing
// of one of its topics or one of its groups has to; a service that has
// neither follows the topics that it reads.
func (f *flow) move(current, wanted Sides) {
	for _, name := range f.order {
		s := f.services[name]
		for _, t := range s.Produces {
			f.movingTopic[t.Name] = f.movingTopic[t.Name] || current.Topic(t.Name) != wanted.Topic(t.Name)
			f.moving[name] = f.moving[name] || f.movingTopic[t.Name]
		}
		for _, g := range s.Groups {
			f.movingGroup[g.Name] = current.Group(g.Name) != wanted.Group(g.Name)
			f.moving[name] = f.moving[name] || f.movingGroup[g.Name]
		}
		for _, t := range s.Consumes {
			pending := current.Topic(t.Name) != wanted.Topic(t.Name)
			if len(f.writers[t.Name]) == 0 && pending {
				f.movingTopic[t.Name] = true
			}
			if len(s.Produces) == 0 && len(s.Groups) == 0 {
				f.moving[name] = f.moving[name] || pending
			}
		}
	}
}

// backwards reports what is on the target and wanted on the source.
func backwards(f *flow, current, wanted Sides) []string {
	var names []string
	for _, t := range sorted(union(f.writers, f.readers)) {
		if current.Topic(t) == cluster.Target && wanted.Topic(t) == cluster.Source {
			names = append(names, "topic "+title(t))
		}
	}
	for _, g := range sorted(f.owners) {
		if current.Group(g) == cluster.Target && wanted.Group(g) == cluster.Source {
			names = append(names, "group "+title(g))
		}
	}
	return names
}

func union(a, b map[string]set) map[string]bool {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

// inner reports whether the topic is internal to the group: written by one
// service only, which is also the group's only owner (R12). Such a topic is
// drained while the service still runs, once its other inputs are drained and
// it is quiet; counting it as an input would be a cycle that is none. Other
// services may read it as well: for them it is an ordinary input.
func (f *flow) inner(topic, group string) bool {
	writers, owners := f.writers[topic], f.owners[group]
	if len(writers) != 1 || len(owners) != 1 {
		return false
	}
	return sorted(writers)[0] == sorted(owners)[0]
}

// inputs splits the group's topics into the ones that others write and the
// inner ones, both sorted.
func (f *flow) inputs(group string) (outer, inner []string) {
	for _, t := range sorted(f.topics[group]) {
		if f.inner(t, group) {
			inner = append(inner, t)
		} else {
			outer = append(outer, t)
		}
	}
	return outer, inner
}

// reads returns the topics of the service and of its groups, sorted: members
// of one group read all of its topics.
func (f *flow) reads(service string) []string {
	all := set{}
	for _, t := range f.services[service].Consumes {
		all[t.Name] = true
	}
	for _, g := range f.services[service].Groups {
		for t := range f.topics[g.Name] {
			all[t] = true
		}
	}
	return sorted(all)
}

// writes returns the topics that the service produces, sorted.
func (f *flow) writes(service string) []string { return names(f.services[service].Produces) }

// groupsOf returns the groups of the service that have to move, sorted.
func (f *flow) groupsOf(service string) []string {
	var moving []string
	for _, g := range names(f.services[service].Groups) {
		if f.movingGroup[g] {
			moving = append(moving, g)
		}
	}
	return moving
}

// pure reports whether the service only produces.
func (f *flow) pure(service string) bool {
	s := f.services[service]
	return len(s.Consumes) == 0 && len(s.Groups) == 0
}

func names(refs []plan.NamedRef) []string {
	all := set{}
	for _, r := range refs {
		all[r.Name] = true
	}
	return sorted(all)
}
