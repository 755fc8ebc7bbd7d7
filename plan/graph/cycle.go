package graph

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"kplan/plan"
)

// loops returns a diagnostic for each knot of services that cannot be put
// into an order: each would have to drain a topic before it stops, while the
// writer of that topic waits for it in turn.
//
// Steps form a cycle only through stop → boundary → drain → stop, so the
// search is among services and not among steps.
func (b *builder) loops() hcl.Diagnostics {
	services := b.movingServices()
	number := map[string]int{}
	for i, s := range services {
		number[s] = i
	}
	links := make([]map[int]bool, len(services))
	self := make([]bool, len(services))
	for i := range links {
		links[i] = map[int]bool{}
	}
	for _, l := range b.links() {
		from, to := number[l.writer], number[l.reader]
		links[from][to] = true
		self[from] = self[from] || from == to
	}
	var diags hcl.Diagnostics
	for _, part := range sequence(len(services), links) {
		if len(part) == 1 && !self[part[0]] {
			continue
		}
		knot := set{}
		for _, i := range part {
			knot[services[i]] = true
		}
		diags = append(diags, b.loop(knot))
	}
	return diags
}

// link says that the writer has to stop before the reader can.
type link struct{ writer, topic, reader, group string }

func (b *builder) links() []link {
	var all []link
	for _, g := range b.movingGroups() {
		outer, _ := b.inputs(g)
		for _, t := range outer {
			for _, w := range sorted(b.writers[t]) {
				for _, r := range sorted(b.owners[g]) {
					if b.moving[w] && b.moving[r] {
						all = append(all, link{w, t, r, g})
					}
				}
			}
		}
	}
	return all
}

// loop describes the shortest way round within a knot.
func (b *builder) loop(knot set) *hcl.Diagnostic {
	way := b.around(knot)
	var steps, topics []string
	together := set{}
	for _, l := range way {
		steps = append(steps, fmt.Sprintf("service %q writes topic %q, which service %q reads (group %q)", l.writer, l.topic, l.reader, l.group))
		topics = append(topics, l.topic)
		together[l.writer] = true
	}
	var more string
	if rest := len(knot) - len(together); rest > 0 {
		more = fmt.Sprintf(" Caught in the same knot: %s.", list(sorted(without(knot, together))))
	}
	who, out := "They wait for each other", "If they can stop together, let one service own them: declare "+list(sorted(together))+" as one service"
	if len(together) == 1 {
		s := way[0].writer
		who = fmt.Sprintf("It waits for itself, because other services share the writing of %s or the group", list(topics[:1]))
		out = fmt.Sprintf("Declare %q and the services that share the topic or the group with it as one service", s)
	}
	last := way[len(way)-1]
	return problem("KP2001", hcl.DiagError, b.consumesRange(last.reader, last.topic), fmt.Sprintf(
		"%s. %s: each would have to be drained before it stops, and none can be first.%s\n\n%s; "+
			"or drop %s from `consumes` where it is not really read. "+
			"The scheme stop_drain_start, which needs no such order, is not built yet.",
		strings.Join(steps, "; "), who, more, out, either(topics)))
}

// around returns the shortest closed walk of links within the knot, the one
// that starts at the smallest name among equals.
func (b *builder) around(knot set) []link {
	from := map[string][]link{}
	for _, l := range b.links() {
		if knot[l.writer] && knot[l.reader] {
			from[l.writer] = append(from[l.writer], l)
		}
	}
	var best []link
	for _, start := range sorted(knot) {
		came := map[string]link{}
		queue := []string{start}
		for len(queue) > 0 && came[start] == (link{}) {
			at := queue[0]
			queue = queue[1:]
			for _, l := range from[at] {
				if came[l.reader] == (link{}) {
					came[l.reader] = l
					queue = append(queue, l.reader)
				}
			}
		}
		if came[start] == (link{}) {
			continue
		}
		walk := []link{came[start]}
		for walk[0].writer != start {
			walk = append([]link{came[walk[0].writer]}, walk...)
		}
		if best == nil || len(walk) < len(best) {
			best = walk
		}
	}
	return best
}

func without(all, some set) set {
	rest := set{}
	for name := range all {
		if !some[name] {
			rest[name] = true
		}
	}
	return rest
}

// either writes names for people: a or b.
func either(names []string) string {
	return strings.Replace(list(sorted(toSet(names))), " and ", " or ", 1)
}

func (b *builder) consumesRange(service, topic string) hcl.Range {
	return refRange(b.services[service].Consumes, topic, b.services[service].Range)
}

func refRange(refs []plan.NamedRef, name string, otherwise hcl.Range) hcl.Range {
	for _, r := range refs {
		if r.Name == name {
			return at(r.Range, otherwise)
		}
	}
	return otherwise
}
