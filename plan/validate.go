package plan

import (
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// badAddress says what is wrong with a bootstrap address, or "".
func badAddress(address string) string {
	if strings.Contains(address, "://") {
		return "Leave the protocol out: write host:port, and add a tls or sasl block where they are used."
	}
	if strings.Contains(address, ",") {
		return "Write each address as an element of its own: [\"a:9092\", \"b:9092\"]."
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		if !strings.Contains(address, ":") {
			return "The port is missing: write host:port, such as " + quote(address+":9092") + "."
		}
		return "Write host:port; an IPv6 address goes in brackets, such as \"[::1]:9092\"."
	}
	if host == "" || strings.ContainsAny(host, " \t/@") {
		return "There is no host before the port: write host:port."
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port[0] == '+' {
		return "The port is a number from 1 to 65535."
	}
	return ""
}

// validateClusters compares the clusters with each other.
func (l *loader) validateClusters(clusters []*Cluster) {
	type owner struct{ cluster, address string }
	addresses := map[string]owner{}
	ids := map[string]string{}
	for _, c := range clusters {
		if first, taken := ids[c.ClusterID]; taken && c.ClusterID != "" {
			l.errorf("KP1307", c.Range, "The clusters %s and %s state the same cluster_id, so they are the same cluster. Correct one.", quote(first), quote(c.Name))
		}
		ids[c.ClusterID] = c.Name
		for _, lis := range append([]*Listener{&c.Listener}, c.Listeners...) {
			for _, address := range lis.Bootstrap {
				key := strings.ToLower(address)
				if first, taken := addresses[key]; taken && first.cluster != c.Name {
					l.errorf("KP1304", lis.Range, "%s is an address of the cluster %s as well. Two clusters cannot share one; correct one of them.", quote(address), quote(first.cluster))
				} else if !taken {
					addresses[key] = owner{c.Name, address}
				}
			}
		}
	}
}

var legalTopic = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// topicName checks the full name of a topic.
func (l *loader) topicName(n NamedRef) {
	switch {
	case clusterTopic(n.Name):
		l.errorf("KP1403", n.Range, "%s is an internal topic, which each cluster keeps for itself. kplan moves consumer positions itself; take it out.", quote(n.Name))
	case ownTopic(n.Name):
		l.errorf("KP1403", n.Range, "%s is the name of a topic in which kplan keeps its state, which does not migrate. Take it out.", quote(n.Name))
	case strings.ContainsAny(n.Name, "*?") || len(n.Name) > 1 && strings.HasPrefix(n.Name, "/") && strings.HasSuffix(n.Name, "/"):
		l.errorf("KP1408", n.Range, "%s is a pattern. Name each topic in full here; patterns go in topics.include.", quote(n.Name))
	case !legalTopic.MatchString(n.Name) || n.Name == "." || n.Name == "..":
		l.errorf("KP1408", n.Range, "%s cannot be the name of a topic. Kafka allows 1 to 249 letters, digits, dots, underscores and hyphens.", quote(n.Name))
	}
}

// validateSelection looks at the patterns, and at what the selection says
// about single topics and groups.
func (l *loader) validateSelection(m *Migration) {
	t, g := m.Topics, m.Groups
	for _, p := range t.Include {
		l.topicPattern(p, t)
	}
	for _, p := range t.Exclude {
		l.topicPattern(p, Topics{})
	}
	for _, p := range g.Include {
		l.regexpByAccident(p)
		if _, ignored := g.Ignores(p.Text); ignored && p.Literal() {
			l.errorf("KP1406", p.Range, "The group %s is included by its full name and ignored as well. Remove one.", quote(p.Text))
		}
	}
	if !l.topicsUnknown {
		for _, n := range t.Named {
			l.selected(t, NamedRef{Name: n.Name, Range: n.Range}, "has settings")
		}
	}
	for _, n := range g.Named {
		l.groupSelected(g, NamedRef{Name: n.Name, Range: n.Range}, "has settings")
	}
}

// topicPattern checks one pattern; of is the selection that it is a part of,
// or empty when it selects nothing.
func (l *loader) topicPattern(p Pattern, of Topics) {
	if p.glob && ownTopic(p.Text) {
		l.errorf("KP1403", p.Range, "%s names topics in which kplan keeps its state, which patterns never match. Take it out.", quote(p.Text))
		return
	}
	if p.glob && clusterTopic(p.Text) {
		l.errorf("KP1403", p.Range, "%s is an internal topic, which patterns never match: each cluster keeps its own. Take it out.", quote(p.Text))
		return
	}
	if !p.glob {
		for _, internal := range clusterTopics() {
			if of.Selects(internal) && p.Match(internal) {
				l.errorf("KP1403", p.Range, "%s matches %s, an internal topic. Each cluster keeps its own. Globs never match those: \"*\" is every other topic.", quote(p.Text), internal)
				return
			}
		}
		return
	}
	if l.regexpByAccident(p) {
		return
	}
	if !legalTopic.MatchString(strings.NewReplacer("*", "x", "?", "x").Replace(p.Text)) {
		l.errorf("KP1401", p.Range, "%s can match no topic: Kafka's names have letters, digits, dots, underscores and hyphens only.", quote(p.Text))
	}
}

var looksLikeRegexp = regexp.MustCompile(`^\^|\$$|\\[.\w]|^\.\*|[-_]\.[*+]|\.\+|\(.*\|.*\)|\[.*\][*+]?$`)

// regexpByAccident warns about globs that people wrote as regular
// expressions. "orders.*" is none of them: it is how a glob over names with
// dots looks.
func (l *loader) regexpByAccident(p Pattern) bool {
	if !p.glob || !looksLikeRegexp.MatchString(p.Text) {
		return false
	}
	l.warnf("KP1402", p.Range, "%s is taken as a glob: only * and ? mean something, all other signs stand for themselves. If a regular expression is meant, write %s.", quote(p.Text), quote("/"+strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(p.Text, "^"), "$"), `\`, `\\`)+"/"))
	return true
}

// selected reports a topic that the selection does not hold.
func (l *loader) selected(t Topics, n NamedRef, use string) {
	if l.topicsUnknown || t.Selects(n.Name) || !legalTopic.MatchString(n.Name) || clusterTopic(n.Name) || ownTopic(n.Name) {
		return
	}
	for _, p := range t.Exclude {
		if p.Match(n.Name) {
			l.errorf("KP1404", n.Range, "The topic %s %s, but topics.exclude removes it by %s (%s). Remove one.", quote(n.Name), use, quote(p.Text), place(p.Range))
			return
		}
	}
	l.errorf("KP1404", n.Range, "The topic %s %s, but no pattern of topics.include covers it.%s", quote(n.Name), use, l.includeHint(n.Name, t.Include))
}

func (l *loader) groupSelected(g Groups, n NamedRef, use string) {
	if _, ignored := g.Ignores(n.Name); ignored {
		l.errorf("KP1406", n.Range, "The group %s %s, and is ignored as well. Remove one.", quote(n.Name), use)
		return
	}
	if l.groupsUnknown || MatchAny(g.Include, n.Name) {
		return
	}
	l.errorf("KP1405", n.Range, "The group %s %s, but no pattern of groups.include covers it, so its offsets would stay behind.%s", quote(n.Name), use, l.includeHint(n.Name, g.Include))
}

// mostHints is how many names are looked for among the patterns of a list.
// Who has more wrong ones than that has another problem than typing errors,
// and a list may be long.
const mostHints = 200

// includeHint offers the nearest literal, or to add the name.
func (l *loader) includeHint(name string, include []Pattern) string {
	const add = " Add it there, or correct the name."
	if l.hints++; l.hints > mostHints {
		return add
	}
	var literals []string
	for _, p := range include {
		if p.Literal() {
			literals = append(literals, p.Text)
		}
	}
	if s := didYouMean(name, literals); s != "" {
		return s
	}
	return add
}

// validateService looks at one service alone.
func (l *loader) validateService(s *Service, b *block) {
	at := func(name string) hcl.Range { return b.attrs[name].Expr.Range() }
	switch {
	case len(s.Consumes) == 0 && len(s.Produces) == 0 && len(s.Groups) == 0:
		l.errorf("KP1503", b.rng, "The service %s neither produces nor consumes. Name its topics in produces and consumes, or remove it.", quote(s.Name))
	case len(s.Consumes) > 0 && len(s.Groups) == 0:
		l.errorf("KP1501", at("consumes"), "The service %s consumes, but names no consumer group, so kplan could neither see it drain nor place its offsets. Add groups = [...].", quote(s.Name))
	case len(s.Groups) > 0 && len(s.Consumes) == 0:
		l.errorf("KP1502", at("groups"), "The service %s names consumer groups, but no topics that they read. Add consumes = [...], or remove groups.", quote(s.Name))
	}
}

// validateServices compares the services with the selection.
func (l *loader) validateServices(m *Migration) {
	for _, s := range m.Services {
		for _, topic := range s.Consumes {
			l.selected(m.Topics, topic, "is consumed")
		}
		for _, topic := range s.Produces {
			l.selected(m.Topics, topic, "is produced")
		}
		for _, group := range s.Groups {
			l.groupSelected(m.Groups, group, "belongs to a service")
		}
	}
}
