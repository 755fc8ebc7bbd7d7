package checks

import (
	"slices"
	"strings"

	"kplan/internal/cluster"
)

// rulebook finds the rules that are about a resource among thousands.
type rulebook struct {
	literal  map[[2]string][]cluster.ACL // by resource and name; "*" among them
	prefixed map[string][]cluster.ACL    // by resource
	of       map[string][]cluster.ACL    // all, by resource
}

func rulebookOf(rules []cluster.ACL) rulebook {
	b := rulebook{literal: map[[2]string][]cluster.ACL{}, prefixed: map[string][]cluster.ACL{}, of: map[string][]cluster.ACL{}}
	for _, a := range rules {
		b.of[a.Resource] = append(b.of[a.Resource], a)
		if a.Pattern == cluster.Prefixed {
			b.prefixed[a.Resource] = append(b.prefixed[a.Resource], a)
			continue
		}
		key := [2]string{a.Resource, a.Name}
		b.literal[key] = append(b.literal[key], a)
	}
	return b
}

// about returns the rules that cover one resource.
func (b rulebook) about(resource, name string) []cluster.ACL {
	all := slices.Clone(b.literal[[2]string{resource, name}])
	if name != everyName {
		all = append(all, b.literal[[2]string{resource, everyName}]...)
	}
	for _, a := range b.prefixed[resource] {
		if strings.HasPrefix(name, a.Name) {
			all = append(all, a)
		}
	}
	return all
}

// whole reports whether every resource that the rule covers has a rule already.
func (b rulebook) whole(rule cluster.ACL) bool {
	if len(b.literal[[2]string{rule.Resource, everyName}]) > 0 {
		return true
	}
	if rule.Pattern == cluster.Literal && rule.Name == everyName {
		return false
	}
	if rule.Pattern == cluster.Literal && len(b.literal[[2]string{rule.Resource, rule.Name}]) > 0 {
		return true
	}
	return slices.ContainsFunc(b.prefixed[rule.Resource], func(a cluster.ACL) bool { return strings.HasPrefix(rule.Name, a.Name) })
}

// overlapping returns the rules that cover any of the resources that the rule
// covers.
func (b rulebook) overlapping(rule cluster.ACL) []cluster.ACL {
	switch {
	case rule.Pattern != cluster.Prefixed && rule.Name != everyName:
		return b.about(rule.Resource, rule.Name)
	case rule.Name == everyName:
		return b.of[rule.Resource]
	}
	var all []cluster.ACL
	for _, a := range b.of[rule.Resource] {
		if strings.HasPrefix(a.Name, rule.Name) || a.Name == everyName || a.Pattern == cluster.Prefixed && strings.HasPrefix(rule.Name, a.Name) {
			all = append(all, a)
		}
	}
	return all
}
