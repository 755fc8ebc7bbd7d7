package diff

import (
	"time"

	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// FormatVersion is the version of the document Doc. The minor part grows with
// additions, which readers ignore; the major part with anything else.
const FormatVersion = "2.0"

// Action is what apply would do about a difference.
type Action string

// The actions. A note is nothing to do: Apart takes them out.
const (
	Create Action = "create"
	Update Action = "update"
	Run    Action = "run"
	Human  Action = "human"

	Noteworthy Action = "note"
)

// Broker says what the target answered to the change when it was asked with
// validateOnly.
type Broker string

// The answers.
const (
	Accepted Broker = "accepted"
	Rejected Broker = "rejected"
	Unasked  Broker = "unasked"
)

// Object is what a change is about.
type Object struct {
	Kind string `json:"kind"` // topic, group, service, gate, config, fence, acls, quota, user, cluster
	Name string `json:"name"`
}

// Change is one difference that apply would make, or one step that it would run.
//
// Before and After hold the properties that differ: "partitions",
// "replication_factor" and "config.KEY" for topics. A key that only Before has
// is unset by the change. For steps After holds "step" (the kind), "wave",
// "side", "topics", "inner", "owners" and "principals", as far as the step has them, and for
// gates "before" and "conditions" (separated by semicolons); for inherited
// configs Before is the source's value and After the target's. For acls After
// holds "rules", their number; for quotas their keys; for users "mechanism" and
// "iterations"; "becomes" is the name on the target where it is another one.
type Change struct {
	Address string            `json:"address"`
	Phase   graph.Phase       `json:"phase"`
	Action  Action            `json:"action"`
	Object  Object            `json:"object"`
	Before  map[string]string `json:"before"`
	After   map[string]string `json:"after"`
	Broker  Broker            `json:"broker"`
	Reason  string            `json:"reason"`           // the broker's for rejected; what the step does
	Advice  string            `json:"advice,omitempty"` // rejected: what the plan can say about it
	Rules   []cluster.ACL     `json:"rules,omitempty"`  // acls: those to create

	NoteCode   string   `json:"-"` // of a note that Apart has not taken out yet
	NoteTopics []string `json:"-"` // the same
}

// Note is something to know about which nothing is to be done. Before and After
// are as those of Change.
type Note struct {
	Phase  graph.Phase       `json:"phase"`
	Object Object            `json:"object"`
	Reason string            `json:"reason"` // what it says
	Before map[string]string `json:"before,omitempty"`
	After  map[string]string `json:"after,omitempty"`
	Code   string            `json:"code,omitempty"`
	Topics []string          `json:"topics,omitempty"` // the topics that it is about
}

// Apart takes the notes out of a list of changes. The order stays.
func Apart(all []Change) (changes []Change, notes []Note) {
	changes, notes = make([]Change, 0, len(all)), []Note{}
	for _, c := range all {
		if c.Action != Noteworthy {
			changes = append(changes, c)
			continue
		}
		notes = append(notes, Note{Phase: c.Phase, Object: c.Object, Reason: c.Reason, Before: c.Before, After: c.After, Code: c.NoteCode, Topics: c.NoteTopics})
	}
	return changes, notes
}

// ClusterRef names a cluster as the plan does and as its brokers do.
type ClusterRef struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// Clusters are the two ends of the migration.
type Clusters struct {
	Source ClusterRef `json:"source"`
	Target ClusterRef `json:"target"`
}

// Doc is the whole answer of `kplan diff`.
type Doc struct {
	FormatVersion string       `json:"format_version"`
	Migration     string       `json:"migration"`
	Scheme        string       `json:"scheme"`
	PlanHash      string       `json:"plan_hash"`
	ReadAt        time.Time    `json:"read_at,omitzero"` // when the older of the two snapshots was taken
	Clusters      Clusters     `json:"clusters"`
	Changes       []Change     `json:"changes"`
	Notes         []Note       `json:"notes"`
	Checks        []Check      `json:"checks"`
	Diagnostics   []Diagnostic `json:"diagnostics"`
	Summary       Summary      `json:"summary"`
}

// Empty reports whether apply would do nothing. Notes are nothing to do.
func (d Doc) Empty() bool {
	s := d.Summary
	return s.Create+s.Update+s.Run+s.Human == 0
}

// Drift reports whether the clusters differ in a way that apply would not
// change and nobody has waived.
func (d Doc) Drift() bool { return d.Summary.Failed > 0 }

// Summary counts what a reader wants to know first.
type Summary struct {
	Create   int `json:"create"`
	Update   int `json:"update"`
	Run      int `json:"run"`      // steps that kplan runs, gates that open by themselves
	Human    int `json:"human"`    // steps that a person does, gates that need a person's word
	Notes    int `json:"notes"`    // nothing to do
	Services int `json:"services"` // services that switch
	ByHand   int `json:"by_hand"`  // of these, switched by a person
	Waves    int `json:"waves"`
	Gates    int `json:"gates,omitempty"` // of the steps, those to pass
	Rejected int `json:"rejected"`        // changes that the target's brokers refuse
	Failed   int `json:"failed"`          // checks that fail and are not waived
	Unknown  int `json:"unknown"`         // checks without an answer that are not waived
	Waived   int `json:"waived"`          // checks that fail and are waived
}

// Summarise counts changes, notes and checks.
func Summarise(changes []Change, notes []Note, checks []Check) Summary {
	s := Summary{Notes: len(notes)}
	services, byHand, waves := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range changes {
		switch c.Action {
		case Create:
			s.Create++
		case Update:
			s.Update++
		case Run:
			s.Run++
		case Human:
			s.Human++
		}
		if c.Broker == Rejected {
			s.Rejected++
		}
		if c.Object.Kind == "gate" {
			s.Gates++
		}
		if c.Object.Kind != "service" {
			continue
		}
		services[c.Object.Name] = true
		waves[c.After["wave"]] = true
		if c.Action == Human {
			byHand[c.Object.Name] = true
		}
	}
	for _, c := range checks {
		switch {
		case c.Waived != "":
			s.Waived++
		case c.Verdict == Fail, c.Verdict == Error:
			s.Failed++
		case c.Verdict == Unknown:
			s.Unknown++
		}
	}
	s.Services, s.ByHand, s.Waves = len(services), len(byHand), len(waves)
	return s
}

// ReadAt returns the older of two snapshots' times.
func ReadAt(a, b cluster.Snapshot) time.Time {
	if b.At.Before(a.At) {
		return b.At
	}
	return a.At
}
