package graph

// mirror adds the steps with which the records that are there are copied, when
// the plan wants that: the overrides of the copy on the target's topics (R15),
// the start, and the moment in which the copy has caught up. Nothing is stopped
// before that, so that what is left to copy in the pause is small (R27).
func (b *builder) mirror(sel Selection) {
	if b.m.Mirror == nil || len(sel.Topics) == 0 {
		return
	}
	override := b.add(&Step{Address: mirrorOverride, Kind: Override, Phase: Mirror, Topics: sel.Topics})
	b.need(override, each(sel.Topics, createAddress)...)
	start := b.add(&Step{Address: mirrorStart, Kind: MirrorStart, Phase: Mirror, Topics: sel.Topics})
	b.need(start, override)
	caughtUp := b.add(&Step{Address: mirrorCaughtUp, Kind: CaughtUp, Phase: Mirror})
	b.need(caughtUp, start)
	b.creates = append(b.creates, caughtUp)
}

// caughtUpAgain puts before each service's stop on the source a look whether the
// copy of its topics has caught up (R27): a wave may move hours after the first
// one, in another apply, and with run = "apply" nothing is copied in between.
// What the stop waits for comes first, gates and people too: the look is the
// last thing. Services that stop together wait for all of their looks, so that
// none is down while another one's copy catches up.
func (b *builder) caughtUpAgain() {
	if b.steps[mirrorStart] == nil {
		return
	}
	for _, members := range b.bundles(b.movingServices()) {
		var looks []string
		for _, s := range members {
			stop, topics := b.steps[serviceAddress(s, "stop")], b.copiedUntil(s)
			if len(topics) == 0 {
				continue
			}
			look := b.add(&Step{Address: caughtUpAddress(s), Kind: CaughtUp, Phase: Switch, Topics: topics, Wave: stop.Wave})
			looks = append(looks, look)
			b.need(look, mirrorCaughtUp)
			for need := range b.needs[stop.Address] {
				if !b.isStop(need) {
					b.need(look, need)
				}
			}
			if b.behind[stop.Address] {
				b.afterPrepare(look)
			}
		}
		for _, s := range members {
			for _, look := range looks {
				if stop := serviceAddress(s, "stop"); !b.otherGate(look, stop) && !b.reaches(look, stop) {
					b.need(stop, look)
				}
			}
		}
	}
}

// otherGate reports whether a look waits for a gate for which the stop does not.
func (b *builder) otherGate(look, stop string) bool {
	for need := range b.needs[look] {
		if s := b.steps[need]; s != nil && s.Kind == Gate && !b.needs[stop][need] {
			return true
		}
	}
	return false
}

// copiedUntil returns the topics of a service that are still copied when it
// stops, sorted: what it writes, and what it reads and no service of an earlier
// wave writes.
func (b *builder) copiedUntil(service string) []string {
	topics := toSet(b.writes(service))
	for _, t := range b.reads(service) {
		topics[t] = true
	}
	for t := range topics {
		for w := range b.writers[t] {
			if b.waveOf[w] != b.waveOf[service] {
				delete(topics, t)
			}
		}
		if !b.mirrored(t) {
			delete(topics, t)
		}
	}
	return sorted(topics)
}

// copied puts the end of the copy between a topic's boundary and its hold: the
// mirror has brought over everything before the boundary and writes no more
// when the first service may write on the target (R1, R4).
func (b *builder) copied(t string, wave int) {
	if b.steps[mirrorStart] == nil || !b.movingTopic[t] {
		return
	}
	drain := b.add(&Step{Address: copyDrainAddress(t), Kind: MirrorDrain, Phase: Switch, Topic: t, Wave: wave})
	stop := b.add(&Step{Address: copyStopAddress(t), Kind: MirrorStop, Phase: Switch, Topic: t, Wave: wave})
	b.need(drain, boundaryAddress(t), mirrorCaughtUp)
	b.need(stop, drain)
	b.need(holdAddress(t), stop)
}

// copiedRest ends the copy of the topics that no moving service writes or
// reads, when all else has moved: nobody says where they end, so it is where
// they end then.
func (b *builder) copiedRest(sel Selection) {
	if b.steps[mirrorStart] == nil {
		return
	}
	var rest []string
	for _, t := range sel.Topics {
		if b.steps[copyStopAddress(t)] == nil {
			rest = append(rest, t)
		}
	}
	if len(rest) == 0 {
		return
	}
	drain := b.add(&Step{Address: RestDrain, Kind: MirrorDrain, Phase: Switch, Topics: rest})
	stop := b.add(&Step{Address: RestStop, Kind: MirrorStop, Phase: Switch, Topics: rest})
	b.need(drain, mirrorCaughtUp)
	b.need(stop, drain)
	b.need(drain, each(b.movingServices(), verb("start", serviceAddress))...)
	b.need(drain, each(b.movingGroups(), verb("works", groupAddress))...)
}

// mirrored reports whether the hold of a topic comes after its copy has ended.
func (b *builder) mirrored(t string) bool { return b.steps[copyStopAddress(t)] != nil }

// The addresses of the steps that end the copy of the topics that no service of
// the plan uses.
const (
	RestDrain = "mirror.rest.drain"
	RestStop  = "mirror.rest.stop"
)

// The addresses of the mirror's other steps.
const (
	mirrorOverride = "mirror.override"
	mirrorStart    = "mirror.start"
	mirrorCaughtUp = "mirror.caught_up"
)

func caughtUpAddress(service string) string { return serviceAddress(service, "caught_up") }

func copyDrainAddress(t string) string { return topicAddress(Mirror, t, "drain") }
func copyStopAddress(t string) string  { return topicAddress(Mirror, t, "stop") }

// MirrorAddress returns the address of a step of the mirror: verb is override,
// start or caught_up; with a topic it is drain or stop.
func MirrorAddress(topic, verb string) string {
	if topic == "" {
		return string(Mirror) + "." + verb
	}
	return topicAddress(Mirror, topic, verb)
}

// CopyStop returns the step that ends the copy of a topic, or nil: there is no
// mirror.
func (g *Graph) CopyStop(topic string) *Step {
	if s := g.Step(copyStopAddress(topic)); s != nil {
		return s
	}
	return g.Step(RestStop)
}
