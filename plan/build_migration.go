package plan

import (
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Defaults of times. Without a verified fence, quiet is the whole straggler
// watch (R6).
const (
	defaultDrainTimeout  = 2 * time.Hour
	defaultQuietFor      = 5*time.Minute + 30*time.Second
	defaultFencedQuiet   = 10 * time.Second
	defaultExecTimeout   = 5 * time.Minute
	defaultManualTimeout = 4 * time.Hour
)

func (l *loader) buildMigration(b *block, clusters []*Cluster) *Migration {
	m := &Migration{Name: b.labels[0].text, Range: b.rng, Verify: Verify{Level: "offsets"}}
	l.plainName(b.labels[0], "migration")
	m.Source = l.clusterRef(b, "source", clusters)
	m.Target = l.clusterRef(b, "target", clusters)
	if m.Source != nil && m.Source == m.Target {
		l.errorf("KP1302", b.attrs["target"].Expr.Range(), "source and target are both cluster.%s. Name the cluster to move to.", m.Target.Name)
	}
	if inner := b.only("scheme"); inner != nil {
		m.Scheme = l.buildScheme(inner)
	}
	if inner := b.only("topics"); inner != nil {
		m.Topics = l.buildTopics(inner)
	} else {
		l.topicsUnknown = true
	}
	if inner := b.only("groups"); inner != nil {
		m.Groups = l.buildGroups(inner)
	}
	if inner := b.only("acls"); inner != nil {
		m.ACLs = l.buildACLs(inner)
	}
	if inner := b.only("quotas"); inner != nil {
		m.Quotas = l.buildQuotas(inner)
	}
	for _, inner := range b.all("user") {
		m.Users = append(m.Users, l.buildUser(inner))
	}
	for _, inner := range b.all("service") {
		m.Services = append(m.Services, l.buildService(inner, m))
	}
	l.buildFence(m)
	if inner := b.only("mirror"); inner != nil {
		m.Mirror = l.buildMirror(inner, m)
	}
	for _, inner := range b.all("gate") {
		m.Gates = append(m.Gates, l.buildGate(inner, m))
	}
	for _, inner := range b.all("notify") {
		m.Notify = append(m.Notify, l.buildNotify(inner))
	}
	for _, inner := range b.all("waive") {
		m.Waivers = append(m.Waivers, l.buildWaiver(inner))
	}
	if inner := b.only("verify"); inner != nil {
		m.Verify.Range = inner.rng
		if d, ok := l.value(inner, "level"); ok {
			m.Verify.Level = d.text
		}
	}
	return m
}

// clusterRef resolves cluster.NAME. It returns nil when there is none, which
// has been reported.
func (l *loader) clusterRef(b *block, name string, clusters []*Cluster) *Cluster {
	a := b.attrs[name]
	if a == nil {
		return nil
	}
	var names []string
	for _, c := range clusters {
		names = append(names, c.Name)
	}
	t, diags := hcl.AbsTraversalForExpr(a.Expr)
	if diags.HasErrors() || len(t) != 2 || t.RootName() != "cluster" {
		l.errorf("KP1209", a.Expr.Range(), "%s names a cluster block: write %s = cluster.NAME.%s", name, name, l.clusterHint(a.Expr, names))
		return nil
	}
	wanted, _ := memberName(t)
	for _, c := range clusters {
		if c.Name == wanted {
			return c
		}
	}
	hint := " Add a cluster block of that name."
	if s := nearest(wanted, names); s != "" {
		hint = " Did you mean cluster." + s + "?"
	}
	l.errorf("KP1301", a.Expr.Range(), "There is no cluster %s.%s", quote(wanted), hint)
	return nil
}

// clusterHint guesses what "old" or old should have been.
func (l *loader) clusterHint(expr hclsyntax.Expression, names []string) string {
	word := hcl.ExprAsKeyword(expr)
	if v, diags := expr.Value(nil); word == "" && !diags.HasErrors() && v.IsKnown() && !v.IsNull() && v.Type().FriendlyName() == "string" {
		word = v.AsString()
	}
	if s := nearest(word, names); word != "" && s != "" {
		return " Did you mean cluster." + s + "?"
	}
	return ""
}

func (l *loader) buildScheme(b *block) Scheme {
	s := Scheme{
		Kind: SchemeKind(b.spec.Variant), DrainTimeout: defaultDrainTimeout, QuietFor: defaultQuietFor,
		Fence: "none", Range: b.rng,
	}
	if d, ok := l.value(b, "drain_timeout"); ok {
		s.DrainTimeout = d.duration
	}
	if d, ok := l.value(b, "quiet_for"); ok {
		s.QuietFor, s.QuietStated = d.duration, true
	}
	if d, ok := l.value(b, "fence"); ok {
		s.Fence, s.FenceStated = d.text, true
	}
	return s
}

func (l *loader) buildTopics(b *block) Topics {
	t := Topics{Range: b.rng, Parity: Parity{Existing: "report"}}
	var included, excluded bool
	t.Include, included = l.patterns(b, "include")
	t.Exclude, excluded = l.patterns(b, "exclude")
	l.topicsUnknown = len(t.Include) == 0 || !included || !excluded
	if inner := b.only("parity"); inner != nil {
		t.Parity.Range = inner.rng
		if d, ok := l.value(inner, "replication_factor"); ok {
			t.Parity.ReplicationFactor = int(d.number)
		}
		if d, ok := l.value(inner, "existing"); ok {
			t.Parity.Existing = d.text
		}
		if d, ok := l.value(inner, "ignore"); ok {
			for _, key := range d.list {
				l.checkConfigKey(key)
				t.Parity.Ignore = append(t.Parity.Ignore, key.Name)
			}
		}
	}
	for _, inner := range b.all("topic") {
		n := NamedTopic{Name: inner.labels[0].text, Range: inner.labels[0].rng}
		l.topicName(NamedRef{Name: n.Name, Range: n.Range})
		d, _ := l.value(inner, "config")
		n.Config = d.config
		for _, key := range d.keys {
			l.checkConfigKey(key)
		}
		t.Named = append(t.Named, n)
	}
	return t
}

// patterns reads a list of patterns. It returns false when there is one that
// could not be read wholly.
func (l *loader) patterns(b *block, name string) ([]Pattern, bool) {
	d, ok := l.value(b, name)
	return d.patterns, ok || d.null || b.attrs[name] == nil
}

func (l *loader) buildGroups(b *block) Groups {
	g := Groups{Range: b.rng}
	var included bool
	g.Include, included = l.patterns(b, "include")
	l.groupsUnknown = !included
	for _, inner := range b.all("ignore") {
		ig := IgnoredGroup{Name: inner.labels[0].text, Range: inner.labels[0].rng}
		if d, ok := l.value(inner, "reason"); ok {
			ig.Reason = d.text
		}
		g.Ignore = append(g.Ignore, ig)
	}
	for _, inner := range b.all("group") {
		n := NamedGroup{Name: inner.labels[0].text, Range: inner.labels[0].rng, Uncommitted: "fail", BeyondEnd: "fail"}
		if d, ok := l.value(inner, "uncommitted"); ok {
			n.Uncommitted = d.text
		}
		l.groupMembers(inner, &n)
		n.Ignore = l.ignoredTopics(inner)
		if d, ok := l.value(inner, "beyond_end"); ok {
			n.BeyondEnd = d.text
		}
		g.Named = append(g.Named, n)
	}
	return g
}

// groupMembers reads how many members a group has when its service works.
func (l *loader) groupMembers(b *block, n *NamedGroup) {
	if d, ok := l.value(b, "members"); ok {
		members := int(d.number)
		n.Members = &members
	}
}

// ignoredTopics reads the topics that a group reads no more.
func (l *loader) ignoredTopics(b *block) []IgnoredTopic {
	var all []IgnoredTopic
	for _, inner := range b.all("ignore") {
		it := IgnoredTopic{Name: inner.labels[0].text, Range: inner.labels[0].rng}
		l.notEmpty(inner.labels[0], "topic")
		if d, ok := l.value(inner, "reason"); ok {
			it.Reason = d.text
		}
		all = append(all, it)
	}
	return all
}

func (l *loader) notEmpty(x label, what string) {
	if x.text == "" {
		l.errorf("KP1214", x.rng, "The name of the %s is empty.", what)
	}
}

func (l *loader) buildWaiver(b *block) Waiver {
	w := Waiver{Check: b.labels[0].text, Range: b.labels[0].rng}
	if d, ok := l.value(b, "reason"); ok {
		w.Reason = d.text
	}
	if names := CheckNames(); !contains(names, w.Check) {
		l.errorf("KP1701", w.Range, "There is no check %s.%s The checks are %s.", quote(w.Check), didYouMean(w.Check, names), oneOf(names))
	}
	return w
}

// CheckNames returns the checks that a plan can waive, sorted.
func CheckNames() []string {
	return []string{
		"acls.first", "acls.own", "acls.parity",
		"brokers.autocreate", "brokers.parity", "brokers.versions",
		"capacity.brokers", "capacity.disk", "capacity.messages", "capacity.partitions", "capacity.racks", "capacity.replicas",
		"conformance.delete", "conformance.duplicate", "conformance.epoch", "conformance.logend", "conformance.markers", "conformance.order", "conformance.sequence",
		"connect", "connect.expiry", "connect.sasl", "connect.tls",
		"fence.effect", "fence.stands", "fence.writers",
		"load.headroom", "mirror.target", "order.kept", "quotas.parity", "readers.known", "retention.backlog",
		"rights.services", "rights.source", "rights.state", "rights.target", "state.topics", "topics.parity", "topics.writable", "transactions.open", "users.parity",
	}
}
