package graph

import "kplan/internal/cluster"

// productionFirst moves the writers of a topic, lets its groups drain what is
// left on the source, and moves those (order is kept, readers wait for the
// drain). For A → t1 → P → t2 → C:
//
//	stop A, boundary t1, start A
//	P's groups drain t1, stop P, boundary t2, place P's groups, start P
//	C's groups drain t2, stop C, place C's groups, start C
//
// With a mirror the records before a topic's boundary are brought over before
// its writers start on the target: their order holds across the move.
func productionFirst(b *builder) {
	for _, t := range b.touched() {
		b.addTopic(t)
		if !b.mirrored(t) {
			b.need(boundaryAddress(t), holdAddress(t))
		}
		b.release(t)
	}
	for _, g := range b.movingGroups() {
		b.firstGroup(g)
	}
	for _, s := range b.movingServices() {
		b.firstService(s)
	}
	b.together(b.movingServices())
}

func (b *builder) firstGroup(g string) {
	outer, inner := b.inputs(g)
	owners := sorted(b.owners[g])

	drain := b.addGroup(g, "drain", Drain)
	b.need(drain, each(outer, boundaryAddress)...)

	vacate := b.addGroup(g, "vacate", Vacate)
	b.need(vacate, each(owners, verb("stop", serviceAddress))...)

	// The boundary of an inner topic is known only after its service has
	// stopped; the position there is measured against it before placing.
	place := b.addGroup(g, "place", Place)
	b.need(place, vacate, drain)
	b.need(place, each(inner, boundaryAddress)...)
	b.need(place, each(sorted(b.topics[g]), holdAddress)...)

	works := b.addGroup(g, "works", Works)
	b.need(works, each(owners, verb("start", serviceAddress))...)
	for t := range b.topics[g] {
		b.need(works, each(sorted(b.writers[t]), verb("start", serviceAddress))...)
	}
}

func (b *builder) firstService(s string) {
	groups := b.groupsOf(s)
	reads, writes := b.reads(s), b.writes(s)

	// Holds are taken before the stop: nothing that can be done before it
	// belongs into the pause (R27).
	stop := b.addService(s, Stop, cluster.Source)
	b.afterPrepare(stop)
	for _, t := range writes {
		if !b.mirrored(t) {
			b.need(stop, holdAddress(t))
		}
	}
	b.need(stop, each(groups, verb("drain", groupAddress))...)
	// A writer that fails to start on the target goes back to the source (R13):
	// its readers must still be there.
	for _, t := range reads {
		for w := range b.writers[t] {
			if b.waveOf[w] != b.waveOf[s] {
				b.need(stop, serviceAddress(w, "start"))
			}
		}
	}

	start := b.addService(s, Start, cluster.Target)
	b.need(start, stop)
	b.need(start, each(writes, boundaryAddress)...)
	b.need(start, each(writes, holdAddress)...)
	b.need(start, each(reads, holdAddress)...)
	b.need(start, each(groups, verb("place", groupAddress))...)
}
