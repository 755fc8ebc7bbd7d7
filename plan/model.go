package plan

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Plan is one evaluated directory of *.kplan.hcl files: what the people who
// wrote it want, with the place of every statement. It is immutable once
// loaded.
type Plan struct {
	Dir       string // the directory, as given
	State     State
	Clusters  []*Cluster // in order of declaration
	Migration *Migration

	hash string // of the files, where the model has more; empty: it has not
}

// State says where kplan remembers what it has done: in files, or in a topic.
type State struct {
	Backend string // "file" or "kafka"
	// Path is that of "file", ".kplan" by default; relative to the plan's
	// directory unless absolute. With "kafka" it holds the output of programs.
	Path              string
	Cluster           *Cluster // of "kafka"
	ReplicationFactor int      // of "kafka"; 0: 3, or as many as there are brokers
	Range             hcl.Range
}

// Cluster is one Kafka cluster. The embedded listener, named "", is the one
// that kplan itself uses.
type Cluster struct {
	Name string
	Listener
	ClusterID string      // empty: any
	Listeners []*Listener // further listeners, by name
	Capacity  *Capacity   // nil: nothing is stated

	Authorizer *Authorizer // nil: nothing is stated
	Range      hcl.Range
}

// Authorizer is what a cluster's authorizer does and its brokers do not tell.
type Authorizer struct {
	AllowEveryone bool // allow.everyone.if.no.acl.found is true on the brokers
	Range         hcl.Range
}

// Capacity is what a cluster must have as a target.
type Capacity struct {
	Racks     int     // availability zones that brokers and replicas must span; 0: not asked
	DiskBytes int64   // of all brokers together; 0: the brokers tell
	Headroom  float64 // at least 1; 0: the default of the check
	Range     hcl.Range
}

// Listener is a way into a cluster.
type Listener struct {
	Name      string
	Bootstrap []string // host:port
	TLS       *TLS     // nil: plaintext
	SASL      *SASL    // nil: none
	Range     hcl.Range
}

// TLS holds file names as they stand in the plan, relative to its directory.
type TLS struct {
	CAFile     string // empty: the system's roots
	CertFile   string // with KeyFile: mTLS
	KeyFile    string
	ServerName string // empty: the broker's host
	Range      hcl.Range
}

// SASL holds credentials.
type SASL struct {
	Mechanism string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER
	Username  string // of all but OAUTHBEARER
	Password  Secret
	OAuth     *OAuth // of OAUTHBEARER
	Range     hcl.Range
}

// OAuth says how a token is got: OpenID Connect client credentials.
type OAuth struct {
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scopes       []string
	CAFile       string // of the issuer, relative to the plan's directory; empty: the system's roots
}

// SchemeKind names a way to migrate.
type SchemeKind string

// The schemes.
const (
	ProductionFirst SchemeKind = "production_first"
	ProductionLater SchemeKind = "production_later"
)

// Migration is the one migration of a plan.
type Migration struct {
	Name     string
	Source   *Cluster
	Target   *Cluster
	Scheme   Scheme
	Topics   Topics
	Groups   Groups
	ACLs     *ACLs      // nil: access rules are not compared
	Quotas   *Quotas    // nil: client quotas are not compared
	Users    []User     // SCRAM users of the target, in order of declaration
	Mirror   *Mirror    // nil: records are not copied
	Services []*Service // in order of declaration
	Gates    []*Gate    // in order of declaration
	Notify   []Notify   // in order of declaration
	Waivers  []Waiver
	Verify   Verify
	Range    hcl.Range
}

// Scheme is the chosen way to migrate with its limits.
type Scheme struct {
	Kind         SchemeKind
	DrainTimeout time.Duration // default 2h
	QuietFor     time.Duration // R6; at least 1s
	QuietStated  bool          // the plan gives QuietFor; else it is the whole straggler watch
	Fence        string        // R8: "acl" or "none"
	FenceStated  bool          // the plan gives Fence; else it is acl where every writer names its principals
	Range        hcl.Range
}

// Topics is the selection of topics and what they must be like on the target.
type Topics struct {
	Include []Pattern
	Exclude []Pattern
	Parity  Parity
	Named   []NamedTopic
	Range   hcl.Range
}

// Parity says what may differ between the clusters.
type Parity struct {
	ReplicationFactor int      // 0: the source's
	Existing          string   // "report" (default) or "alter": topics that kplan did not create
	Ignore            []string // config keys
	Range             hcl.Range
}

// NamedTopic overrides single configs of one topic on the target.
type NamedTopic struct {
	Name   string
	Config map[string]string
	Range  hcl.Range
}

// Groups is the selection of consumer groups.
type Groups struct {
	Include []Pattern
	Ignore  []IgnoredGroup
	Named   []NamedGroup
	Range   hcl.Range
}

// IgnoredGroup is a group that nobody owns any more, with the reason (R11).
type IgnoredGroup struct {
	Name   string
	Reason string
	Range  hcl.Range
}

// NamedGroup holds the settings of one group.
type NamedGroup struct {
	Name        string
	Uncommitted string // R7: "earliest", "latest" or "fail" (default)
	Members     *int   // how many it has when its service works (R10); nil: as many as it had before the stop
	Ignore      []IgnoredTopic
	BeyondEnd   string // R9: "end" or "fail" (default)
	Range       hcl.Range
}

// IgnoredTopic is a topic on which a group has committed and that it reads no
// more, with the reason (R11).
type IgnoredTopic struct {
	Name   string
	Reason string
	Range  hcl.Range
}

// ACLs says which access rules the target is to have like the source: those of
// the principals that the patterns match, and under which names.
type ACLs struct {
	Include []Pattern
	Becomes map[string]string // principal on the source → principal on the target
	Range   hcl.Range
}

// Quotas says which client quotas the target is to have like the source: those
// whose user, as "User:name", client id or address a pattern matches, or
// defaults ("<default>").
type Quotas struct {
	Include  []Pattern
	Existing string // "report" (default) or "alter": quotas that the target has with other values
	Range    hcl.Range
}

// User is a SCRAM user to create on the target.
type User struct {
	Name       string
	Mechanism  string // SCRAM-SHA-256 or SCRAM-SHA-512
	Iterations int    // 0: the source's, or 4096
	Password   Secret
	Range      hcl.Range
}

// Service is something that produces and/or consumes, and how to move it.
type Service struct {
	Name     string
	Consumes []NamedRef // topics
	Produces []NamedRef // topics
	Groups   []NamedRef // consumer groups
	Listener string     // the listener that its clients use; "" is the cluster's own

	// Principals are those that it uses on the source, as "User:name": what the
	// fence denies (R8). On the target they are called as ACLs says.
	Principals []NamedRef

	Switch Switch
	Range  hcl.Range
}

// NamedRef is a name with the place where it stands.
type NamedRef struct {
	Name  string
	Range hcl.Range
	Found bool // not in the files: what the service's groups have committed tells it (R11)
}

// Switch is how a service is stopped and started. Exactly one of Exec and
// Manual is set.
type Switch struct {
	Exec   *ExecSwitch
	Manual *ManualSwitch
	Range  hcl.Range
}

// ExecSwitch runs programs (argv, no shell).
type ExecSwitch struct {
	Stop    []string
	Start   []string
	Check   []string
	Timeout time.Duration // default 5m
}

// ManualSwitch asks a person.
type ManualSwitch struct {
	Stop    Instruction
	Start   Instruction
	Timeout time.Duration // default 4h
}

// Instruction is the text for a person, with ${side...} already filled in.
type Instruction struct {
	Source string
	Target string
}

// Gate is a point that the migration passes only when every condition holds at
// once. Unset conditions are zero or nil.
type Gate struct {
	Name      string
	Before    string        // a phase ("prepare", "mirror" or "switch") or a service's name
	MaxLag    *int64        // with a mirror the records that it may still have to copy, else those that the selected groups may have unread on the source; all together
	Hold      time.Duration // how long MaxLag must have held
	Soak      time.Duration // how long ago the last step that the gate waits for must have passed
	Verified  time.Duration // a kplan verify of this plan without a failure must not be older
	Window    *Window       // when it may be passed
	Timeout   time.Duration // how long measured conditions are waited for; default 1h
	Approvals []Approval    // all are needed, in order of declaration
	Range     hcl.Range
}

// Approval is a person's word that a gate needs.
type Approval struct {
	Name    string
	Expires time.Duration // after it was given; 0: never
	From    []string      // who may give it; empty: anybody
	Others  bool          // not the one who started the apply
	Range   hcl.Range
}

// NotifyOn is an occasion to tell people.
type NotifyOn string

// The occasions.
const (
	OnPark NotifyOn = "park"
	OnFail NotifyOn = "fail"
	OnDone NotifyOn = "done"
)

// Notify tells people how a run ended. Exactly one of Exec and HTTP is set.
type Notify struct {
	On    []NotifyOn // default: all
	Exec  *ExecNotify
	HTTP  *HTTPNotify
	Range hcl.Range
}

// ExecNotify runs a program (argv, no shell) with the message as JSON on its
// standard input.
type ExecNotify struct {
	Command []string
	Timeout time.Duration // default 30s
}

// HTTPNotify posts the message as JSON.
type HTTPNotify struct {
	URL     Secret // it often holds a token
	Headers map[string]Secret
	Timeout time.Duration // default 30s
}

// Waiver lets a check fail, with a reason.
type Waiver struct {
	Check  string
	Reason string
	Range  hcl.Range
}

// Verify says how deep `kplan verify` looks.
type Verify struct {
	Level string // "config" or "offsets" (default)
	Range hcl.Range
}

// Service returns the service of that name, or nil.
func (m *Migration) Service(name string) *Service {
	for _, s := range m.Services {
		if s.Name == name {
			return s
		}
	}
	return nil
}
