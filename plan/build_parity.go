package plan

import (
	"strings"
	"unicode"
)

// mostIterations is the limit of Kafka's ScramMechanism.
const mostIterations = 16384

func (l *loader) buildACLs(b *block) *ACLs {
	a := &ACLs{Becomes: map[string]string{}, Range: b.rng}
	var included bool
	a.Include, included = l.patterns(b, "include")
	for _, p := range a.Include {
		if l.regexpByAccident(p) || !p.glob {
			continue
		}
		if !strings.Contains(p.Text, ":") && p.Text != "*" {
			l.errorf("KP1409", p.Range, "%s matches no principal. Principals begin with their type: write %s.", quote(p.Text), quote("User:"+p.Text))
		}
	}
	for _, inner := range b.all("principal") {
		name := inner.labels[0]
		ok := l.principalName(NamedRef{Name: name.text, Range: name.rng})
		d, given := l.value(inner, "becomes")
		if !given || !l.principalName(NamedRef{Name: d.text, Range: d.rng}) || !ok {
			continue
		}
		if included && !MatchAny(a.Include, name.text) {
			l.errorf("KP1410", name.rng, "%s has settings, but acls.include does not cover it, so its rules would not move. Add it to include, or remove the block.", quote(name.text))
			continue
		}
		a.Becomes[name.text] = d.text
	}
	return a
}

// principalName checks the full name of one principal.
func (l *loader) principalName(n NamedRef) bool {
	kind, name, typed := strings.Cut(n.Name, ":")
	switch {
	case n.Name == "":
		l.errorf("KP1214", n.Range, "The name of the principal is empty.")
	case !typed || kind == "" || name == "":
		l.errorf("KP1409", n.Range, "%s is no principal. Write its type and its name: %s.", quote(n.Name), quote("User:"+strings.Trim(n.Name, ":")))
	case n.Name == "User:*":
		l.errorf("KP1409", n.Range, "User:* is everybody, and nobody in particular can be called so, or take its place. Name one principal.")
	default:
		return true
	}
	return false
}

func (l *loader) buildQuotas(b *block) *Quotas {
	q := &Quotas{Existing: "report", Range: b.rng}
	q.Include, _ = l.patterns(b, "include")
	for _, p := range q.Include {
		l.regexpByAccident(p)
	}
	if d, ok := l.value(b, "existing"); ok {
		q.Existing = d.text
	}
	return q
}

func (l *loader) buildUser(b *block) User {
	u := User{Name: b.labels[0].text, Range: b.labels[0].rng}
	l.notEmpty(b.labels[0], "user")
	if i := strings.IndexFunc(u.Name, func(r rune) bool { return r == 0 || r > unicode.MaxASCII }); i >= 0 {
		l.errorf("KP1411", u.Range, "%s cannot log in: brokers take names of ASCII characters only. Choose another name.", quote(u.Name))
	}
	if bare, typed := strings.CutPrefix(u.Name, "User:"); typed {
		l.errorf("KP1409", u.Range, "%s is a principal. SCRAM users have no type before their name: write user %s.", quote(u.Name), quote(bare))
	}
	if d, ok := l.value(b, "mechanism"); ok {
		u.Mechanism = d.text
	}
	if d, ok := l.value(b, "iterations"); ok {
		u.Iterations = int(d.number)
		if u.Iterations > mostIterations {
			l.errorf("KP1211", d.rng, "iterations is %d, and must be from 4096 to %d: Kafka takes no more.", u.Iterations, mostIterations)
		}
	}
	if d, ok := l.value(b, "password"); ok {
		u.Password = d.secret
	}
	return u
}

// Selects reports whether the rules of a principal of the source move.
func (a *ACLs) Selects(principal string) bool {
	return a != nil && MatchAny(a.Include, principal)
}

// OnTarget returns how a principal of the source is called on the target.
func (a *ACLs) OnTarget(principal string) string {
	if a != nil && a.Becomes[principal] != "" {
		return a.Becomes[principal]
	}
	return principal
}

// Quoted is one part of whom a quota is for: a name, or the default of its
// kind. The zero value is not part of it.
type Quoted struct {
	Name    string
	Default bool
}

// Selects reports whether the quota of an entity moves. It goes by the user
// where there is one, else by the client id, else by the address; "<default>"
// is the default of each, and nobody who is called so.
func (q *Quotas) Selects(user, clientID, ip Quoted) bool {
	if q == nil {
		return false
	}
	prefix, by := "", ip
	switch {
	case user != Quoted{}:
		prefix, by = "User:", user
	case clientID != Quoted{}:
		by = clientID
	}
	for _, p := range q.Include {
		switch {
		case by == Quoted{}:
		case by.Default && (p.Text == defaultEntity || p.Match(prefix+defaultEntity)):
			return true
		case !by.Default && p.Text != defaultEntity && p.Match(prefix+by.Name):
			return true
		}
	}
	return false
}

// defaultEntity is how Kafka's tools write the default of a kind.
const defaultEntity = "<default>"
