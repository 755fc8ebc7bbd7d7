package checks

import (
	"fmt"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// Brokers judges the versions of the brokers of both clusters, and whether the
// target's broker-level limits are as wide as the source's (R26).
func Brokers(g Ground) []Result {
	all := []Result{versions("source", g.SourceNodes), versions("target", g.TargetNodes)}
	return append(append(all, g.limits()...), g.autoCreate())
}

// OldClients is a note for a target that refuses clients which the source
// serves: brokers from 4.0 on speak to clients from 2.1 on only (KIP-896), and
// no request tells the versions of clients. It is nil where there is nothing to
// say.
func OldClients(g Ground) *diff.Change {
	refuses := func(nodes []cluster.Node) bool {
		for _, n := range nodes {
			if n.Requests[keyFetch].Min >= 4 {
				return true
			}
		}
		return false
	}
	if !refuses(g.TargetNodes) || refuses(g.SourceNodes) {
		return nil
	}
	note := diff.Noted(diff.Object{Kind: "clients", Name: "versions"},
		"the target refuses clients older than 2.1, which the source still serves (KIP-896); brokers do not tell who is so old: start one client of each service against the target before the switch")
	return &note
}

func versions(side string, nodes []cluster.Node) Result {
	r := Result{
		Name: NameVersions, Object: diff.Object{Kind: "cluster", Name: side},
		Asked: "are all brokers of one version?", Verdict: diff.Pass,
	}
	by := map[string][]string{}
	var order []string
	for _, n := range nodes {
		what := releaseOf(n)
		if f := finalized(n); what.before(f) {
			what = f
		}
		text := what.String()
		if q := quorum(n); q != "" {
			text += ", " + q
		}
		if by[text] == nil {
			order = append(order, text)
		}
		by[text] = append(by[text], fmt.Sprint(n.ID))
	}
	var parts []string
	for _, text := range order {
		parts = append(parts, fmt.Sprintf("broker %s: %s", some(by[text]), text))
	}
	r.Saw = strings.Join(parts, "; ")
	if len(order) > 1 {
		r.Verdict = diff.Unknown
		r.Advice = fmt.Sprintf("Finish the upgrade of the %s first: until then what it can do changes with the broker that is asked", side)
	}
	return r
}

// limitKind says which direction of a difference hurts.
type limitKind struct {
	key  string
	more bool   // a larger value on the target hurts, instead of a smaller one
	why  string // what then happens
}

func brokerLimits() []limitKind {
	return []limitKind{
		{"group.max.session.timeout.ms", false, "consumers with a longer session timeout cannot join there"},
		{"group.min.session.timeout.ms", true, "consumers with a shorter session timeout cannot join there"},
		{"group.max.size", false, "larger groups cannot form there"},
		{"max.connection.creation.rate", false, "clients that all connect at once wait longer there"},
		{"max.connections", false, "clients beyond the limit are disconnected there"},
		{"max.connections.per.ip", false, "clients beyond the limit are disconnected there"},
		{"offset.metadata.max.bytes", false, "commits with longer metadata are refused there"},
		{"offsets.retention.minutes", false, "positions of groups that pause are forgotten sooner there"},
		{"transaction.max.timeout.ms", false, "producers with a longer transaction timeout are refused there"},
		{"transactional.id.expiration.ms", false, "idle transactional producers are forgotten sooner there"},
	}
}

// limits compares what the brokers limit: the tightest broker of the target
// against the widest of the source.
func (g Ground) limits() []Result {
	for side, nodes := range map[string][]cluster.Node{"source": g.SourceNodes, "target": g.TargetNodes} {
		for _, n := range nodes {
			if n.NoConfig == "" {
				continue
			}
			return []Result{{
				Name: NameLimits, Object: diff.Object{Kind: "cluster", Name: side}, Verdict: diff.Unknown,
				Asked:  "are the target's broker-level limits as wide as the source's?",
				Saw:    fmt.Sprintf("broker %d of the %s does not tell its configs: %s", n.ID, side, n.NoConfig),
				Advice: fmt.Sprintf("Allow kplan to DescribeConfigs on the %s's cluster (kafka-acls --operation DescribeConfigs --cluster), or compare by hand", side),
			}}
		}
	}
	var tight []Result
	compared := 0
	for _, kind := range brokerLimits() {
		from, ok1 := extreme(g.SourceNodes, kind.key, !kind.more)
		to, ok2 := extreme(g.TargetNodes, kind.key, kind.more)
		if !ok1 || !ok2 {
			continue
		}
		compared++
		if to == from || kind.more == (to < from) {
			continue
		}
		tight = append(tight, Result{
			Name: NameLimits, Object: diff.Object{Kind: "config", Name: kind.key}, Verdict: diff.Fail,
			Asked:  "are the target's broker-level limits as wide as the source's?",
			Saw:    fmt.Sprintf("%s is %d on the source and %d on the target: %s", kind.key, from, to, kind.why),
			Advice: fmt.Sprintf("Set %s=%d on the target's brokers, or say why the services bear it: waive %q { reason = \"...\" }", kind.key, from, NameLimits),
		})
	}
	if len(tight) == 0 {
		r := onTarget(NameLimits, "are the target's broker-level limits as wide as the source's?")
		r.Saw = fmt.Sprintf("%d limits compared, none is tighter", compared)
		return []Result{r}
	}
	return tight
}

// extreme is the largest, or the smallest, value of a config among brokers.
func extreme(nodes []cluster.Node, key string, largest bool) (int64, bool) {
	var found int64
	any := false
	for _, n := range nodes {
		v, ok := limit(n.Configs[key].Value)
		if !ok {
			continue
		}
		if !any || largest == (v > found) {
			found = v
		}
		any = true
	}
	return found, any
}

// autoCreate judges whether clients create topics on the target by naming them.
func (g Ground) autoCreate() Result {
	r := onTarget(NameAutoCreate, "does the target create topics only when it is told to?")
	r.Saw = "auto.create.topics.enable is not true on any broker that tells"
	for _, n := range g.TargetNodes {
		if n.Configs["auto.create.topics.enable"].Value == "true" {
			r.Verdict = diff.Unknown
			r.Saw = fmt.Sprintf("auto.create.topics.enable is true on broker %d: a client that asks too early, or for a wrong name, makes a topic with the broker's defaults", n.ID)
			r.Advice = fmt.Sprintf("Set auto.create.topics.enable=false on the target at least until the migration is done, or say why not: waive %q { reason = \"...\" }", NameAutoCreate)
			break
		}
	}
	return r
}
