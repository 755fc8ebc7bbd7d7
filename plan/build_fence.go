package plan

import "strings"

// Anonymous is what Kafka calls a client that has not said who it is.
const Anonymous = "User:ANONYMOUS"

// buildFence decides what keeps stopped producers from writing (R8): without a
// word of the plan DENY rules, where every service that produces says who it
// is. A verified fence makes a short quiet enough (R6).
func (l *loader) buildFence(m *Migration) {
	s := &m.Scheme
	writers := 0
	named := true
	for _, service := range m.Services {
		if len(service.Produces) > 0 {
			writers++
			named = named && len(service.Principals) > 0
		}
	}
	if !s.FenceStated && writers > 0 && named {
		s.Fence = "acl"
	}
	if s.Fence != "acl" {
		return
	}
	if !s.QuietStated {
		s.QuietFor = defaultFencedQuiet
	}
	for _, service := range m.Services {
		if len(service.Produces) > 0 {
			l.fenceable(service, m.Source)
		}
	}
}

// fenceable checks that the fence would stop the service, and nobody else.
func (l *loader) fenceable(s *Service, source *Cluster) {
	if len(s.Principals) == 0 {
		l.errorf("KP1602", s.Range, "The service %s produces and names no principals, so fence = \"acl\" would not keep it from writing. Add principals = [\"User:...\"] (who it is on the source), or write fence = \"none\".", quote(s.Name))
	}
	for _, p := range s.Principals {
		switch {
		case p.Name == Anonymous:
			l.errorf("KP1603", p.Range, "%s is everybody who does not log in, so a rule against it would stop others too. Let the service log in on the source, or write fence = \"none\".", quote(p.Name))
		case source != nil && source.SASL != nil && p.Name == "User:"+source.SASL.Username:
			l.errorf("KP1603", p.Range, "%s is kplan's own login on %s. Give kplan a user of its own, or write fence = \"none\".", quote(p.Name), quote(source.Name))
		}
	}
}

// principal checks how Kafka writes one (KIP-11).
func (l *loader) principal(p NamedRef) {
	kind, name, ok := strings.Cut(p.Name, ":")
	switch {
	case name == "*":
		l.errorf("KP1508", p.Range, "%s is everybody: a rule against it would stop every client, and the fence is never made of it (R8). Name the service's own.", quote(p.Name))
	case !ok || kind == "" || name == "":
		l.errorf("KP1508", p.Range, "%s is no principal. Kafka writes them with their kind, such as %s.", quote(p.Name), quote("User:"+strings.TrimPrefix(p.Name, ":")))
	}
}
