package graph

import (
	"kplan/internal/cluster"
	"kplan/plan"
)

// builder collects steps and needs. A need may name a step that does not
// exist: then its object is already where it is wanted, and nothing is left
// to wait for.
type builder struct {
	*flow
	m       *plan.Migration
	current Sides
	waves   []Wave
	waveOf  map[string]int // service → position in waves, from 1
	creates []string       // addresses of the steps that come before any switch
	steps   map[string]*Step
	needs   map[string]set // address → addresses
	behind  set            // addresses of steps that need all prepare steps
}

func (b *builder) add(s *Step) string {
	b.steps[s.Address] = s
	return s.Address
}

func (b *builder) need(address string, others ...string) {
	for _, other := range others {
		put(b.needs, address, other)
	}
}

// prepare adds the steps of the first phase.
func (b *builder) prepare(sel Selection) {
	for _, t := range sel.Topics {
		b.creates = append(b.creates, b.add(&Step{
			Address: createAddress(t), Kind: CreateTopic, Phase: Prepare, Topic: t,
		}))
	}
	b.access(sel)
}

// afterPrepare makes a step wait for all of prepare. These needs are kept apart
// since there are as many as topics, for each service, and most follow from
// others.
func (b *builder) afterPrepare(address string) { b.behind[address] = true }

// finish drops needs of steps that do not exist and hands the rest to the
// steps. A switch step that needs nothing else but a gate waits for all of
// prepare: a phase begins when the one before has ended.
func (b *builder) finish() {
	follows := b.follows()
	for address, s := range b.steps {
		first := s.Phase == Switch
		for _, need := range sorted(b.needs[address]) {
			if other := b.steps[need]; other != nil {
				s.Needs = append(s.Needs, need)
				first = first && other.Kind == Gate && other.Phase != Switch
			}
		}
		if first || b.behind[address] && !follows(address) {
			s.Needs = append(s.Needs, b.creates...)
		}
	}
}

// follows returns a function that reports whether a step needs, directly or
// not, another one that needs all of prepare.
func (b *builder) follows() func(address string) bool {
	known := map[string]bool{}
	var follows func(string) bool
	follows = func(address string) bool {
		if answer, ok := known[address]; ok {
			return answer
		}
		known[address] = false // a cycle ends here; it is found later
		for need := range b.needs[address] {
			if b.steps[need] != nil && (b.behind[need] || follows(need)) {
				known[address] = true
				break
			}
		}
		return known[address]
	}
	return follows
}

// touched returns the topics that a moving service writes or a moving group
// or reader reads, sorted.
func (b *builder) touched() []string {
	all := set{}
	for name := range b.moving {
		if b.moving[name] {
			for _, t := range b.writes(name) {
				all[t] = true
			}
			for _, t := range b.reads(name) {
				all[t] = true
			}
		}
	}
	return sorted(all)
}

func (b *builder) movingServices() []string {
	var names []string
	for _, name := range b.order {
		if b.moving[name] {
			names = append(names, name)
		}
	}
	return names
}

func (b *builder) movingGroups() []string {
	var names []string
	for _, g := range sorted(b.owners) {
		if b.movingGroup[g] {
			names = append(names, g)
		}
	}
	return names
}

// addTopic adds hold, fence, boundary and release of one topic.
func (b *builder) addTopic(t string) {
	first, last := b.topicWaves(t)
	b.add(&Step{Address: boundaryAddress(t), Kind: Boundary, Phase: Switch, Topic: t, Owners: sorted(b.writers[t]), Wave: first})
	for w := range b.writers[t] {
		b.need(boundaryAddress(t), serviceAddress(w, "stop"))
	}
	b.fence(t, first)
	if b.movingTopic[t] {
		b.need(b.add(&Step{Address: holdAddress(t), Kind: Hold, Phase: Switch, Topic: t, Wave: first}), createAddress(t))
		b.add(&Step{Address: releaseAddress(t), Kind: Release, Phase: Switch, Topic: t, Wave: last})
		b.copied(t, first)
	}
}

func (b *builder) addGroup(g, verb string, kind Kind) string {
	outer, inner := b.inputs(g)
	owners := sorted(b.owners[g])
	return b.add(&Step{
		Address: groupAddress(g, verb), Kind: kind, Phase: Switch, Group: g,
		Topics: outer, Inner: inner, Owners: owners, Wave: b.waveOf[owners[0]],
	})
}

func (b *builder) addService(s string, kind Kind, on cluster.Side) string {
	verb := "stop"
	if kind == Start {
		verb = "start"
	}
	return b.add(&Step{
		Address: serviceAddress(s, verb), Kind: kind, Phase: Switch, Service: s, Side: on,
		Manual: b.services[s].Switch.Manual != nil, Wave: b.waveOf[s],
	})
}

// release lets a topic go when its readers work on the target; without
// groups, when its writers (else its readers) run there.
func (b *builder) release(t string) {
	if !b.movingTopic[t] {
		return
	}
	for g := range b.groups[t] {
		b.need(releaseAddress(t), groupAddress(g, "works"))
	}
	if len(b.groups[t]) > 0 {
		return
	}
	followed := b.writers[t]
	if len(followed) == 0 {
		followed = b.readers[t]
	}
	b.need(releaseAddress(t), holdAddress(t))
	for s := range followed {
		b.need(releaseAddress(t), serviceAddress(s, "start"))
	}
}

// The addresses of the steps of one topic.

func createAddress(t string) string   { return topicAddress(Prepare, t, "") }
func holdAddress(t string) string     { return topicAddress(Switch, t, "hold") }
func fenceAddress(t string) string    { return topicAddress(Switch, t, "fence") }
func boundaryAddress(t string) string { return topicAddress(Switch, t, "boundary") }
func releaseAddress(t string) string  { return topicAddress(Switch, t, "release") }

func each(names []string, address func(string) string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = address(n)
	}
	return all
}

func verb(v string, address func(name, verb string) string) func(string) string {
	return func(name string) string { return address(name, v) }
}
