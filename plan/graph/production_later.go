package graph

import "kplan/internal/cluster"

// productionLater starts consumers on the target while the old ones keep
// running, moves the producers, and stops the old consumers when the source
// is drained (no reader waits; order between the clusters is not kept). For
// A → t1 → P → t2 → C:
//
//	place and start P and C on the target, beside the old ones
//	stop A, boundary t1, start A
//	P's groups work on the target and have drained t1: stop the old P
//	boundary t2, C's groups likewise: stop the old C
func productionLater(b *builder) {
	for _, t := range b.touched() {
		b.addTopic(t)
		b.need(boundaryAddress(t), holdAddress(t))
		b.release(t)
	}
	for _, g := range b.movingGroups() {
		b.laterGroup(g)
	}
	var pure []string
	for _, s := range b.movingServices() {
		if b.pure(s) {
			pure = append(pure, s)
			b.laterProducer(s)
		} else {
			b.laterConsumer(s)
		}
	}
	b.together(pure)
}

func (b *builder) laterGroup(g string) {
	outer, _ := b.inputs(g)
	owners := sorted(b.owners[g])

	place := b.addGroup(g, "place", Place)
	b.need(place, each(sorted(b.topics[g]), holdAddress)...)

	joined := b.addGroup(g, "joined", Joined)
	b.need(joined, each(owners, verb("start", serviceAddress))...)

	works := b.addGroup(g, "works", Works)
	b.need(works, joined)
	for t := range b.topics[g] {
		b.need(works, each(sorted(b.writers[t]), verb("start", serviceAddress))...)
	}

	drain := b.addGroup(g, "drain", Drain)
	b.need(drain, each(outer, boundaryAddress)...)

	vacate := b.addGroup(g, "vacate", Vacate)
	b.need(vacate, each(owners, verb("stop", serviceAddress))...)
}

// laterConsumer starts the new instance first and stops the old one last.
func (b *builder) laterConsumer(s string) {
	groups := b.groupsOf(s)

	start := b.addService(s, Start, cluster.Target)
	b.afterPrepare(start)
	b.need(start, each(b.reads(s), holdAddress)...)
	b.need(start, each(b.writes(s), holdAddress)...)
	b.need(start, each(groups, verb("place", groupAddress))...)

	stop := b.addService(s, Stop, cluster.Source)
	b.need(stop, start)
	b.need(stop, each(groups, verb("drain", groupAddress))...)
	b.need(stop, each(groups, verb("works", groupAddress))...)
}

// laterProducer waits for every reader of its records, also the ones further
// down the stream: a processor on the target would otherwise write to a topic
// that nobody reads there yet, and its records would wait.
func (b *builder) laterProducer(s string) {
	writes := b.writes(s)

	stop := b.addService(s, Stop, cluster.Source)
	b.afterPrepare(stop)
	b.need(stop, each(writes, holdAddress)...)
	b.need(stop, each(b.downstream(s), verb("joined", groupAddress))...)

	start := b.addService(s, Start, cluster.Target)
	b.need(start, stop)
	for _, t := range writes {
		if b.onlyPure(t) {
			b.need(start, boundaryAddress(t))
		}
	}
}

// onlyPure reports whether all writers of the topic move as producers. A
// processor writes on both sides while it drains: waiting for its boundary
// would stop the producer for as long.
func (b *builder) onlyPure(topic string) bool {
	for w := range b.writers[topic] {
		if !b.pure(w) {
			return false
		}
	}
	return true
}

// downstream returns the groups that read the service's topics, and those of
// the services that own them, and so on; sorted.
func (b *builder) downstream(service string) []string {
	seen, groups := set{}, set{}
	queue := []string{service}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if seen[s] {
			continue
		}
		seen[s] = true
		for _, t := range b.writes(s) {
			for g := range b.groups[t] {
				groups[g] = true
				queue = append(queue, sorted(b.owners[g])...)
			}
		}
	}
	return sorted(groups)
}
