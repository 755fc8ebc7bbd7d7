package graph_test

import (
	"fmt"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// simulator walks the steps of a graph in some order and says which step runs
// before it may. It knows the rules and the plan, nothing of how Build makes
// edges; and it takes a step's own word for nothing but what the step is.
type simulator struct {
	m     *plan.Migration
	later bool
	topic []string

	runs                                  map[string]map[cluster.Side]bool
	passed                                map[string]bool // gates
	created, held, bound, released        map[string]bool // topics
	copied                                map[string]bool // "start", "caught up"; topics: "drain T", "stop T"
	drained, vacated, placed, joined, fit map[string]bool // groups
}

func newSimulator(in input, topics []string) *simulator {
	s := &simulator{
		m: in.m, later: in.m.Scheme.Kind == plan.ProductionLater, topic: topics,
		runs:    map[string]map[cluster.Side]bool{},
		passed:  map[string]bool{},
		copied:  map[string]bool{},
		created: map[string]bool{}, held: map[string]bool{}, bound: map[string]bool{}, released: map[string]bool{},
		drained: map[string]bool{}, vacated: map[string]bool{}, placed: map[string]bool{}, joined: map[string]bool{}, fit: map[string]bool{},
	}
	for _, service := range in.m.Services {
		s.runs[service.Name] = map[cluster.Side]bool{cluster.Source: true}
	}
	return s
}

func has(refs []plan.NamedRef, name string) bool {
	for _, r := range refs {
		if r.Name == name {
			return true
		}
	}
	return false
}

func (s *simulator) writers(topic string) (all []*plan.Service) {
	for _, service := range s.m.Services {
		if has(service.Produces, topic) {
			all = append(all, service)
		}
	}
	return all
}

func (s *simulator) owners(group string) (all []*plan.Service) {
	for _, service := range s.m.Services {
		if has(service.Groups, group) {
			all = append(all, service)
		}
	}
	return all
}

func (s *simulator) topicsOf(group string) map[string]bool {
	all := map[string]bool{}
	for _, o := range s.owners(group) {
		for _, t := range o.Consumes {
			all[t.Name] = true
		}
	}
	return all
}

// inner says whether the topic has no writer but the group's only owner.
func (s *simulator) inner(topic, group string) bool {
	w, o := s.writers(topic), s.owners(group)
	return len(w) == 1 && len(o) == 1 && w[0] == o[0]
}

// step carries a step out, or returns the rule that it breaks.
func (s *simulator) step(step *graph.Step) error {
	if err := s.closed(step); err != nil {
		return err
	}
	switch step.Kind {
	case graph.Gate:
		return s.gate(step)
	case graph.CreateTopic:
		s.created[step.Topic] = true
		return nil
	case graph.Override, graph.MirrorStart, graph.CaughtUp, graph.MirrorDrain, graph.MirrorStop:
		return s.copyStep(step)
	case graph.Hold, graph.Boundary, graph.Release:
		return s.topicStep(step)
	case graph.Stop:
		return s.stop(s.m.Service(step.Service))
	case graph.Start:
		return s.start(s.m.Service(step.Service))
	default:
		return s.groupStep(step.Kind, step.Group)
	}
}

func (s *simulator) topicStep(step *graph.Step) error {
	t := step.Topic
	switch step.Kind {
	case graph.Hold:
		if !s.created[t] {
			return fmt.Errorf("a topic is held that does not exist")
		}
		for _, w := range s.writers(t) {
			if s.runs[w.Name][cluster.Target] {
				return fmt.Errorf("the target's log end is noted after %s wrote there", w.Name)
			}
		}
		if s.m.Mirror != nil && !s.copied["stop "+t] {
			return fmt.Errorf("R1: the target's log end is noted while the mirror writes there")
		}
		s.held[t] = true
	case graph.Boundary:
		for _, w := range s.writers(t) {
			if s.runs[w.Name][cluster.Source] {
				return fmt.Errorf("R4: boundary while %s writes", w.Name)
			}
		}
		if !s.held[t] && s.m.Mirror == nil {
			return fmt.Errorf("R16: boundary of a topic that is not held")
		}
		s.bound[t] = true
	case graph.Release:
		for _, service := range s.m.Services {
			if has(service.Consumes, t) {
				for _, g := range service.Groups {
					if !s.fit[g.Name] {
						return fmt.Errorf("R16: retention released before %s works", g.Name)
					}
				}
			}
			if (has(service.Consumes, t) || has(service.Produces, t)) && !s.runs[service.Name][cluster.Target] {
				return fmt.Errorf("R16: retention released before %s runs on the target", service.Name)
			}
		}
		if !s.held[t] {
			return fmt.Errorf("released before held")
		}
		s.released[t] = true
	}
	return nil
}

func (s *simulator) groupStep(kind graph.Kind, g string) error {
	outer := 0
	for t := range s.topicsOf(g) {
		if !s.inner(t, g) {
			outer++
		}
		switch {
		case kind == graph.Drain && !s.inner(t, g) && !s.bound[t]:
			return fmt.Errorf("R7: drain of %s without a boundary", t)
		case kind == graph.Place && !s.held[t]:
			return fmt.Errorf("R9: placement on %s before its end on the target is known", t)
		case kind == graph.Place && !s.later && !s.bound[t]:
			return fmt.Errorf("R9: placement on %s without a boundary", t)
		}
		for _, w := range s.writers(t) {
			if kind == graph.Works && !s.runs[w.Name][cluster.Target] {
				return fmt.Errorf("R10: no traffic from %s", w.Name)
			}
		}
	}
	for _, t := range s.topic {
		if kind == graph.Drain && outer == 0 && !s.created[t] {
			return fmt.Errorf("drain begins in the phase before its own: %s is not prepared", t)
		}
	}
	for _, o := range s.owners(g) {
		on := s.runs[o.Name]
		switch {
		case kind == graph.Vacate && on[cluster.Source]:
			return fmt.Errorf("R9: %s is still a member", o.Name)
		case kind == graph.Place && on[cluster.Target]:
			return fmt.Errorf("R9: placed under a running %s", o.Name)
		case (kind == graph.Works || kind == graph.Joined) && !on[cluster.Target]:
			return fmt.Errorf("R10: %s does not run on the target", o.Name)
		case kind == graph.Drain && !on[cluster.Source]:
			return fmt.Errorf("R7: %s cannot drain, it is stopped", o.Name)
		}
	}
	switch kind {
	case graph.Drain:
		s.drained[g] = true
	case graph.Vacate:
		s.vacated[g] = true
	case graph.Place:
		if !s.later && (!s.vacated[g] || !s.drained[g]) {
			return fmt.Errorf("R9: placed before the group is drained and gone")
		}
		s.placed[g] = true
	case graph.Joined:
		s.joined[g] = true
	case graph.Works:
		if s.later && !s.joined[g] {
			return fmt.Errorf("R10: works before it joined")
		}
		s.fit[g] = true
	}
	return nil
}

func (s *simulator) stop(service *plan.Service) error {
	if err := s.mayStop(service); err != nil {
		return err
	}
	for _, t := range service.Produces { // behind the gates: they may take hours
		if s.m.Mirror != nil && !s.copied["caught_up "+t.Name] {
			return fmt.Errorf("R27: stopped before the copy of %s has caught up", t.Name)
		}
	}
	delete(s.runs[service.Name], cluster.Source)
	return nil
}

func (s *simulator) mayStop(service *plan.Service) error {
	for _, t := range s.topic {
		if len(service.Consumes) == 0 && !s.created[t] {
			return fmt.Errorf("stopped before %s is prepared", t)
		}
	}
	for _, t := range service.Produces {
		if !s.held[t.Name] && s.m.Mirror == nil {
			return fmt.Errorf("R27: stopped before %s is held", t.Name)
		}
	}
	for _, g := range service.Groups {
		if !s.drained[g.Name] {
			return fmt.Errorf("R7: stopped before %s has drained", g.Name)
		}
		if s.later && !s.fit[g.Name] {
			return fmt.Errorf("R10: old consumer stopped before %s works", g.Name)
		}
	}
	if !s.later {
		if err := s.writersSettled(service); err != nil {
			return err
		}
	}
	if s.later && len(service.Consumes) == 0 {
		for _, g := range s.downstream(service.Name, map[string]bool{}) {
			if !s.joined[g] {
				return fmt.Errorf("producer stopped before %s reads on the target", g)
			}
		}
	}
	return nil
}

// writersSettled refuses to stop a reader while a writer of its input, other
// than those that move with it, runs nowhere: should that one go back to the
// source, nobody would read what it writes there (R13).
func (s *simulator) writersSettled(service *plan.Service) error {
	mates := s.mates(service)
	for _, t := range service.Consumes {
		for _, w := range s.writers(t.Name) {
			if !mates[w.Name] && len(s.runs[w.Name]) == 0 {
				return fmt.Errorf("R13: %s stopped while %s runs nowhere", service.Name, w.Name)
			}
		}
	}
	return nil
}

// mates are the services that move together with this one: none of them can
// have moved before the others.
func (s *simulator) mates(of *plan.Service) map[string]bool {
	mates := s.around(of)
	for _, other := range s.m.Services {
		if all := s.around(other); all[of.Name] {
			for name := range all {
				mates[name] = true
			}
		}
	}
	return mates
}

// around are the services that share a topic's writing or a group with the
// service, or with one of these, and those between two of them in the stream
// (KP2007).
func (s *simulator) around(of *plan.Service) map[string]bool {
	mates := map[string]bool{of.Name: true}
	for grown := true; grown; {
		grown = false
		for _, other := range s.m.Services {
			for name := range mates {
				if !mates[other.Name] && shares(s.m.Service(name), other) {
					mates[other.Name], grown = true, true
				}
			}
			if !mates[other.Name] && s.between(other, mates) {
				mates[other.Name], grown = true, true
			}
		}
	}
	return mates
}

// between says whether records of a mate come to the service, and its records
// to a mate.
func (s *simulator) between(service *plan.Service, mates map[string]bool) bool {
	from, to := false, false
	for name := range mates {
		from = from || s.fed(service.Name, s.m.Service(name), map[string]bool{})
		to = to || s.fed(name, service, map[string]bool{})
	}
	return from && to
}

// fed says whether what a service writes reaches another one.
func (s *simulator) fed(service string, by *plan.Service, seen map[string]bool) bool {
	if seen[by.Name] {
		return false
	}
	seen[by.Name] = true
	for _, reader := range s.m.Services {
		for _, t := range by.Produces {
			reads := has(reader.Consumes, t.Name)
			for _, g := range reader.Groups {
				reads = reads || s.topicsOf(g.Name)[t.Name]
			}
			if reads && (reader.Name == service || s.fed(service, reader, seen)) {
				return true
			}
		}
	}
	return false
}

func shares(a, b *plan.Service) bool {
	for _, t := range a.Produces {
		if has(b.Produces, t.Name) {
			return true
		}
	}
	for _, g := range a.Groups {
		if has(b.Groups, g.Name) {
			return true
		}
	}
	return false
}

func (s *simulator) downstream(service string, seen map[string]bool) (groups []string) {
	if seen[service] {
		return nil
	}
	seen[service] = true
	for _, reader := range s.m.Services {
		for _, t := range s.m.Service(service).Produces {
			for _, g := range reader.Groups {
				if s.topicsOf(g.Name)[t.Name] {
					groups = append(append(groups, g.Name), s.downstream(reader.Name, seen)...)
				}
			}
		}
	}
	return groups
}

func (s *simulator) start(service *plan.Service) error {
	if err := s.mayStart(service); err != nil {
		return err
	}
	s.runs[service.Name][cluster.Target] = true
	return nil
}

func (s *simulator) mayStart(service *plan.Service) error {
	beside := s.later && len(service.Consumes) > 0
	if s.runs[service.Name][cluster.Source] && !beside {
		return fmt.Errorf("R1: %s runs on both sides", service.Name)
	}
	for _, t := range s.topic {
		if beside && !s.created[t] {
			return fmt.Errorf("started before %s is prepared", t)
		}
	}
	for _, t := range service.Produces {
		mixed := false
		for _, w := range s.writers(t.Name) {
			mixed = mixed || (s.later && len(w.Consumes) > 0)
		}
		for _, w := range s.writers(t.Name) {
			if s.runs[w.Name][cluster.Source] && !mixed {
				return fmt.Errorf("R1: %s still writes %s on the source", w.Name, t.Name)
			}
		}
		if !s.held[t.Name] || (!mixed && !s.bound[t.Name]) {
			return fmt.Errorf("R4: writes to %s without hold and boundary", t.Name)
		}
	}
	for _, g := range service.Groups {
		if !s.placed[g.Name] {
			return fmt.Errorf("R9: %s starts unplaced", g.Name)
		}
	}
	return nil
}

// closed refuses a step behind a gate that has not been passed.
func (s *simulator) closed(step *graph.Step) error {
	for _, g := range s.m.Gates {
		guards := step.Service != "" && step.Service == g.Before
		switch g.Before {
		case "prepare":
			guards = true
		case "mirror":
			guards = step.Phase != graph.Prepare
		case "switch":
			guards = step.Phase == graph.Switch
		}
		beside := step.Kind == graph.Gate && s.m.Gate(step.Gate).Before == g.Before
		if guards && !beside && !s.passed[g.Name] {
			return fmt.Errorf("the gate %s has not been passed", g.Name)
		}
	}
	return nil
}

// gate refuses to look at a gate before its time: a person who says yes wants
// to know that everything else is ready.
func (s *simulator) gate(step *graph.Step) error {
	s.passed[step.Gate] = true
	before := s.m.Gate(step.Gate).Before
	if before == "prepare" {
		return nil
	}
	for _, t := range s.topic {
		if before == "switch" && !s.created[t] {
			return fmt.Errorf("gate %s before %s is prepared", step.Gate, t)
		}
	}
	service := s.m.Service(before)
	switch {
	case service == nil:
		return nil
	case s.later && len(service.Consumes) > 0:
		return s.mayStart(service)
	default:
		return s.mayStop(service)
	}
}

// finish says what is missing when all steps are done.
func (s *simulator) finish() error {
	for _, t := range s.topic {
		if s.m.Mirror != nil && !s.copied["stop "+t] {
			return fmt.Errorf("the copy of %s has no end", t)
		}
	}
	for _, g := range s.m.Gates {
		if !s.passed[g.Name] {
			return fmt.Errorf("nobody came to the gate %s", g.Name)
		}
	}
	for _, service := range s.m.Services {
		if on := s.runs[service.Name]; !on[cluster.Target] || on[cluster.Source] {
			return fmt.Errorf("%s ends on the wrong side", service.Name)
		}
		for _, g := range service.Groups {
			if !s.vacated[g.Name] || !s.fit[g.Name] || !s.drained[g.Name] {
				return fmt.Errorf("group %s was never seen gone, drained or working", g.Name)
			}
		}
		for _, t := range service.Produces {
			if !s.released[t.Name] {
				return fmt.Errorf("the retention of %s stays held", t.Name)
			}
		}
	}
	return nil
}
