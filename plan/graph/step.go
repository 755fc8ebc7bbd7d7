package graph

import (
	"slices"
	"strconv"
	"strings"

	"kplan/internal/cluster"
)

// Phase groups steps in the order in which a person thinks of them. A phase
// begins when the one before has ended.
type Phase string

// The phases that have inhabitants.
const (
	Prepare Phase = "prepare"
	Mirror  Phase = "mirror"
	Switch  Phase = "switch"
)

// Kind is what a step does. Every kind has one handler in the executor.
type Kind string

// The kinds, in the order in which one topic or service meets them.
const (
	CreateTopic Kind = "topic.create"     // make the target's topic like the source's
	GrantACLs   Kind = "acl.create"       // give a principal the rules on the target that it has on the source
	SetQuota    Kind = "quota.set"        // give a client on the target the quota that it has on the source
	CreateUser  Kind = "user.create"      // create a SCRAM user on the target
	Override    Kind = "mirror.override"  // what the copy needs of the target's topics (R15)
	MirrorStart Kind = "mirror.start"     // begin to copy
	CaughtUp    Kind = "mirror.caught_up" // what is left to copy is small
	Hold        Kind = "topic.hold"       // note where the target's log ends, hold its retention (R16)
	Stop        Kind = "service.stop"     // stop a service on Side
	Fence       Kind = "topic.fence"      // the stopped writers' principals are denied to write on the source (R8)
	Boundary    Kind = "topic.boundary"   // writers gone, quiet, log end measured (R4, R6)
	MirrorDrain Kind = "mirror.drain"     // everything before the boundary is on the target (R4)
	MirrorStop  Kind = "mirror.stop"      // the mirror writes to the topic no more (R1)
	Drain       Kind = "group.drain"      // everything before the boundary consumed on the source (R7)
	Vacate      Kind = "group.vacate"     // no member left on the source (R9)
	Place       Kind = "group.place"      // target offsets placed (R9)
	Start       Kind = "service.start"    // start a service on Side
	Joined      Kind = "group.joined"     // members and assignments on the target, traffic not needed
	Works       Kind = "group.works"      // consumers seen to work on the target (R10)
	Release     Kind = "topic.release"    // give the target's topic its own retention back
	Gate        Kind = "gate"             // conditions and approvals that must hold at once
)

// Step is one node of the graph. Its address is its identity across runs.
type Step struct {
	Address string
	Kind    Kind
	Phase   Phase
	Gate    string `json:",omitempty"` // Gate: its name in the plan
	Before  string `json:",omitempty"` // Gate: the phase or the service that waits for it
	Service string // Stop, Start
	Topic   string // topic kinds
	Group   string // group kinds

	Principal string              `json:",omitempty"` // GrantACLs: as the source calls it
	Entity    cluster.QuotaEntity `json:",omitzero"`  // SetQuota: as the source calls it
	User      string              `json:",omitempty"` // CreateUser

	Side   cluster.Side // Stop, Start: where
	Topics []string     // group kinds: the topics of the group that other services write; mirror kinds: those it is about, if more than one; sorted
	Inner  []string     // group kinds: the group's topics that only its own service writes and reads; sorted
	Owners []string     // Fence, Boundary: writers; group kinds: services that own the group; sorted
	Manual bool         // Stop, Start: a person does it; Gate: a person's word is needed
	Wave   int          // 1-based position of the service's wave; 0 outside waves
	Needs  []string     // addresses, sorted

	Conditions []string `json:",omitempty"` // Gate: what it waits for, in words
	Principals []string `json:",omitempty"` // Fence: whom it denies to write; sorted
}

// AllTopics returns the topics of a group step, those of others first.
func (s *Step) AllTopics() []string { return slices.Concat(s.Topics, s.Inner) }

// The addresses of the steps, as people type them.

// topicAddress returns PHASE.topic["NAME"] with a verb, if any.
func topicAddress(p Phase, name, verb string) string {
	return join(string(p)+".topic["+strconv.Quote(name)+"]", verb)
}

func groupAddress(name, verb string) string {
	return join(string(Switch)+".group["+strconv.Quote(name)+"]", verb)
}

func serviceAddress(name, verb string) string {
	return join(string(Switch)+".service."+name, verb)
}

func join(address, verb string) string {
	if verb == "" {
		return address
	}
	return address + "." + verb
}

// GateAddress returns the address of a gate's step.
func GateAddress(name string) string {
	if plainName(name) {
		return "gate." + name
	}
	return "gate[" + strconv.Quote(name) + "]"
}

// plainName reports whether a name needs no quotes in an address.
func plainName(name string) bool {
	for _, r := range name {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return name != ""
}

// ACLsAddress returns the address of the step that gives a principal, as the
// source calls it, its rules.
func ACLsAddress(principal string) string {
	return string(Prepare) + ".acls[" + strconv.Quote(principal) + "]"
}

// QuotaAddress returns the address of the step that sets a quota, for the
// entity as the source calls it.
func QuotaAddress(e cluster.QuotaEntity) string {
	return string(Prepare) + ".quota[" + strconv.Quote(e.String()) + "]"
}

// UserAddress returns the address of the step that creates a SCRAM user.
func UserAddress(name string) string { return string(Prepare) + ".user[" + strconv.Quote(name) + "]" }

// GroupAddress returns the address of a group's step: verb is drain, vacate,
// place, joined or works.
func GroupAddress(name, verb string) string { return groupAddress(name, verb) }

// ServiceAddress returns the address of a service's step: verb is stop, start
// or, with a mirror, caught_up.
func ServiceAddress(name, verb string) string { return serviceAddress(name, verb) }

// StoppedService returns the service whose stop has this address; false: it is
// another step's.
func StoppedService(address string) (string, bool) {
	name, ours := strings.CutPrefix(address, string(Switch)+".service.")
	if !ours {
		return "", false
	}
	return strings.CutSuffix(name, ".stop")
}

// TopicAddress returns the address of a topic's step: verb is hold, fence,
// boundary or release; without a verb it is the topic's creation.
func TopicAddress(name, verb string) string {
	if verb == "" {
		return topicAddress(Prepare, name, "")
	}
	return topicAddress(Switch, name, verb)
}
