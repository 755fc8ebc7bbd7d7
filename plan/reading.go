package plan

import (
	"slices"
	"strings"
)

// Unlisted returns what is left of group → topics without the topics that a
// service that owns the group lists, and those of which the plan says that the
// group reads them no more (R11). It is nil where nothing is left.
func (m *Migration) Unlisted(reads map[string][]string) map[string][]string {
	listed := map[string]bool{}
	for _, s := range m.Services {
		for _, g := range s.Groups {
			for _, t := range s.Consumes {
				listed[g.Name+"\x00"+t.Name] = listed[g.Name+"\x00"+t.Name] || !t.Found
			}
		}
	}
	var left map[string][]string
	for group, topics := range reads {
		for _, t := range topics {
			if listed[group+"\x00"+t] || m.Groups.Leaves(group, t) || slices.Contains(left[group], t) {
				continue
			}
			if left == nil {
				left = map[string][]string{}
			}
			left[group] = append(left[group], t)
		}
		slices.Sort(left[group])
	}
	return left
}

// Leaves reports whether the plan says that a group reads a topic no more.
func (g Groups) Leaves(group, topic string) bool {
	for _, n := range g.Named {
		if n.Name == group && slices.ContainsFunc(n.Ignore, func(t IgnoredTopic) bool { return t.Name == topic }) {
			return true
		}
	}
	return false
}

// Members returns how many members the plan says that a group has when its
// service works; false: it does not say.
func (g Groups) Members(group string) (int, bool) {
	for _, n := range g.Named {
		if n.Name == group && n.Members != nil {
			return *n.Members, true
		}
	}
	return 0, false
}

// Reading returns the plan with services that also consume what their groups
// have committed on (group → topics), marked as Found. It means the same as p:
// its hash is that of the files.
func (p *Plan) Reading(reads map[string][]string) *Plan {
	if len(reads) == 0 {
		return p
	}
	m := *p.Migration
	m.Services = nil
	for _, s := range p.Migration.Services {
		service := *s
		for _, g := range s.Groups {
			for _, t := range reads[g.Name] {
				service.Consumes = with(service.Consumes, t)
				if strings.HasPrefix(t, g.Name+"-") && strings.HasSuffix(t, "-repartition") {
					service.Produces = with(service.Produces, t) // Kafka Streams writes it as well
				}
			}
		}
		m.Services = append(m.Services, &service)
	}
	return &Plan{Dir: p.Dir, State: p.State, Clusters: p.Clusters, Migration: &m, hash: p.Hash()}
}

// with returns the names and one more, unless it is among them.
func with(refs []NamedRef, name string) []NamedRef {
	if slices.ContainsFunc(refs, func(r NamedRef) bool { return r.Name == name }) {
		return refs
	}
	return append(slices.Clip(refs), NamedRef{Name: name, Found: true})
}
