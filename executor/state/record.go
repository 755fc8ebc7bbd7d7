package state

import (
	"encoding/json"
	"time"

	"kplan/internal/cluster"
)

// FormatVersion is the version of the record format. A journal with a record
// of a later version is refused; earlier ones are upgraded while they are read.
const FormatVersion = 2

// Record is one line of the journal. Exactly one of the pointers is set.
type Record struct {
	Version int       `json:"v"`
	Seq     int64     `json:"seq"` // 1, 2, 3, ...
	At      time.Time `json:"at"`
	Run     string    `json:"run,omitempty"`
	Epoch   int64     `json:"epoch,omitempty"` // the fencing token under which it was written

	Begin     *Begin     `json:"begin,omitempty"`
	RunBegan  *RunBegan  `json:"run_began,omitempty"`
	Selection *Selection `json:"selection,omitempty"`
	Step      *Step      `json:"step,omitempty"`
	Side      *SideFlip  `json:"side,omitempty"`
	Override  *Override  `json:"override,omitempty"`
	Owned     *Owned     `json:"owned,omitempty"`
	Fence     *Fence     `json:"fence,omitempty"`
	Granted   *Granted   `json:"granted,omitempty"`
	Answer    *Answer    `json:"answer,omitempty"`
	Moved     *Moved     `json:"moved,omitempty"`
	RunEnded  *RunEnded  `json:"run_ended,omitempty"`
}

// Begin is the first record: which migration the journal belongs to.
type Begin struct {
	Migration string `json:"migration"`
	Source    string `json:"source"` // cluster ids
	Target    string `json:"target"`
}

// RunBegan says who runs apply.
type RunBegan struct {
	PlanHash string `json:"plan_hash"`
	Scheme   string `json:"scheme"`
	Who      string `json:"who"`
	Host     string `json:"host"`
	Version  string `json:"kplan"`
}

// Selection pins what the patterns matched (R3).
type Selection struct {
	Topics []string `json:"topics"`
	Groups []string `json:"groups"`

	Reads      map[string][]string   `json:"reads,omitempty"`      // what owned groups have committed on beside what the plan lists
	Principals []string              `json:"principals,omitempty"` // whose rules move
	Quotas     []cluster.QuotaEntity `json:"quotas,omitempty"`     // that move
}

// Status is where a step stands.
type Status string

// The statuses. Running at the start of a run means that kplan died in the
// step: it is unknown whether the effect took place.
const (
	Pending Status = ""
	Running Status = "running"
	Done    Status = "done"
	Failed  Status = "failed"
	Parked  Status = "parked"
	Reset   Status = "reset" // undone by a restore (R13): to be done again
)

// Step is a change of a step's status. Facts are the step kind's own.
type Step struct {
	Address string          `json:"address"`
	Attempt int             `json:"attempt"`
	Status  Status          `json:"status"`
	Facts   json.RawMessage `json:"facts,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// SideFlip moves the writing side of a topic or the owning side of a group
// (R1). Epoch grows by one with each flip of that object.
type SideFlip struct {
	Topic string       `json:"topic,omitempty"`
	Group string       `json:"group,omitempty"`
	Side  cluster.Side `json:"side"`
	Epoch int          `json:"epoch"`
}

// Override is a config that kplan holds on the target for a while (R15, R16),
// with what it was; nil restores by deleting. Restored ends it.
type Override struct {
	Topic    string             `json:"topic"`
	Set      map[string]string  `json:"set,omitempty"`
	Restore  map[string]*string `json:"restore,omitempty"`
	Restored bool               `json:"restored,omitempty"`
}

// Owned names a topic that kplan creates on the target. Not takes it back:
// somebody else was first.
type Owned struct {
	Topic string `json:"topic"`
	Not   bool   `json:"not,omitempty"`
}

// Fence is the rules that kplan adds on the source to keep a topic's stopped
// writers out (R8). It is recorded before they are added, and once more, lifted,
// when they are gone. Rules that were there before are not among them.
type Fence struct {
	Topic  string        `json:"topic"`
	Deny   []cluster.ACL `json:"deny,omitempty"`
	Allow  []cluster.ACL `json:"allow,omitempty"` // without which the first rule would shut everybody out
	Lifted bool          `json:"lifted,omitempty"`
}

// Granted names what kplan creates on the target: rules, a quota (by the entity
// there), or a SCRAM user. It is recorded before; what the target then refused is
// taken back by a record with Refused, so that it is not kplan's when somebody
// else makes it.
type Granted struct {
	ACLs  []cluster.ACL        `json:"acls,omitempty"`
	Quota *cluster.QuotaEntity `json:"quota,omitempty"`
	User  string               `json:"user,omitempty"`

	Refused bool `json:"refused,omitempty"`
}

// Standing is how far a request has come.
type Standing string

// The standings. A record of format 1 has none and was effective.
const (
	Accepted  Standing = "accepted"  // seen and understood; it can still be withdrawn
	Effective Standing = "effective" // done what it asked for
	Refused   Standing = "refused"   // with the reason in Why
	Withdrawn Standing = "withdrawn"
	Void      Standing = "void" // it was effective and no longer counts: expired, or the step was reset
)

// Answer is what became of a request.
type Answer struct {
	Request
	Standing Standing `json:"standing,omitempty"`
	Why      string   `json:"why,omitempty"`
}

// Moved says that the state goes on elsewhere. A backend whose last such record
// names another place refuses to act.
type Moved struct {
	To string `json:"to"` // "file" or "kafka CLUSTER-ID/TOPIC"
}

// RunEnded closes a run.
type RunEnded struct {
	Outcome string `json:"outcome"`
	Error   string `json:"error,omitempty"`
}
