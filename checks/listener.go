package checks

import (
	"fmt"
	"strings"
	"time"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// expiryNotice is how long before its end a certificate fails: long enough to
// renew it before, and not during, the migration.
const expiryNotice = 14 * 24 * time.Hour

// Listener judges what each address of a listener showed: that a Kafka broker
// answers there, with a certificate that the plan trusts and that has not
// nearly run out, and that it takes the plan's credentials. id is the cluster
// that the listener must lead to; empty: any. One advertised address that leads
// nowhere is enough for clients to fail on the partitions that this broker
// leads.
func Listener(l cluster.Listening, id string, now time.Time) []Result {
	var all []Result
	if id != "" && l.ClusterID != "" && l.ClusterID != id {
		all = append(all, Result{
			Name: NameConnect, Object: diff.Object{Kind: "listener", Name: listenerName(l)}, Verdict: diff.Fail,
			Asked:  "does the listener belong to the cluster?",
			Saw:    fmt.Sprintf("%s answers with cluster id %s, and the cluster's own listener with %s", calledListener(l), l.ClusterID, id),
			Advice: "Correct the listener's bootstrap: it leads to another cluster",
		})
	}
	for _, c := range l.Contacts {
		all = append(all, contact(l, c, now)...)
	}
	if l.Client != nil {
		r := Result{
			Name: NameExpiry, Object: diff.Object{Kind: "listener", Name: listenerName(l)},
			Asked: "does the client certificate of the plan last?",
		}
		r.Verdict, r.Saw = lasts([]cluster.Certificate{*l.Client}, now)
		if r.Verdict != diff.Pass {
			r.Advice = "Renew the certificate in cert_file"
		}
		all = append(all, r)
	}
	return all
}

// contact judges one address, as far as it could be asked.
func contact(l cluster.Listening, c cluster.Contact, now time.Time) []Result {
	object := diff.Object{Kind: "broker", Name: fmt.Sprintf("%s/%d", listenerName(l), c.Broker)}
	who, lost := fmt.Sprintf("broker %d of %s advertises %s", c.Broker, calledListener(l), c.Address), "Clients would fail on every partition that this broker leads"
	if c.Broker < 0 {
		object = diff.Object{Kind: "address", Name: listenerName(l) + "/" + c.Address}
		who, lost = fmt.Sprintf("bootstrap of %s names %s", calledListener(l), c.Address), "Clients that begin there would not find the cluster"
	}
	fails := func(r Result) Result {
		r.Verdict = diff.Fail
		r.Saw = who + ", and " + c.Why
		if shown := presented(c.Certificates); shown != "" && r.Name == NameTLS {
			r.Saw += "; it presented " + shown
		}
		r.Advice = strings.TrimSpace(c.Do + " " + lost)
		return r
	}
	reach := Result{
		Name: NameConnect, Object: object, Asked: "does the broker answer at the address that it advertises?",
		Verdict: diff.Pass, Saw: c.Address + " answers",
	}
	if c.Failed == cluster.StageReach {
		return []Result{fails(reach)}
	}
	all := []Result{reach}
	secure := Result{
		Name: NameTLS, Object: object, Asked: "does a client trust the broker's certificate?",
		Verdict: diff.Pass, Saw: presented(c.Certificates),
	}
	if c.Failed == cluster.StageTLS {
		return append(all, fails(secure))
	}
	if l.TLS && len(c.Certificates) > 0 {
		expiry := Result{Name: NameExpiry, Object: object, Asked: "does the broker's certificate last for the migration?"}
		if expiry.Verdict, expiry.Saw = lasts(c.Certificates, now); expiry.Verdict != diff.Pass {
			expiry.Advice = "Renew it before the migration begins"
		}
		all = append(all, secure, expiry)
	}
	login := Result{
		Name: NameSASL, Object: object, Asked: "does the broker take the plan's credentials?",
		Verdict: diff.Pass, Saw: l.Mechanism + " works",
	}
	switch {
	case c.Failed == cluster.StageLogin:
		all = append(all, fails(login))
	case l.Mechanism != "":
		all = append(all, login)
	}
	return all
}

// listenerName is the first part of the objects' names: that of the cluster's
// own listener is the cluster's.
func listenerName(l cluster.Listening) string {
	if l.Listener == "" {
		return l.Cluster
	}
	return l.Cluster + "/" + l.Listener
}

func calledListener(l cluster.Listening) string {
	if l.Listener == "" {
		return fmt.Sprintf("cluster %q", l.Cluster)
	}
	return fmt.Sprintf("listener %q of cluster %q", l.Listener, l.Cluster)
}

// presented says what a broker showed of itself.
func presented(chain []cluster.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	c := chain[0]
	names := strings.Join(c.Names, ", ")
	if names == "" {
		names = "no host"
	}
	return fmt.Sprintf("%s for %s, signed by %s, valid until %s", c.Subject, names, c.Issuer, day(c.NotAfter))
}

// lasts judges the certificate of a chain that ends first.
func lasts(chain []cluster.Certificate, now time.Time) (diff.Verdict, string) {
	first := chain[0]
	for _, c := range chain {
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	left := first.NotAfter.Sub(now)
	days := int(left / (24 * time.Hour))
	switch {
	case left <= 0:
		return diff.Fail, fmt.Sprintf("the certificate of %s ran out on %s", first.Subject, day(first.NotAfter))
	case left < expiryNotice:
		return diff.Fail, fmt.Sprintf("the certificate of %s ends on %s, in %d days; fewer than %d are too few", first.Subject, day(first.NotAfter), days, int(expiryNotice/(24*time.Hour)))
	}
	return diff.Pass, fmt.Sprintf("until %s, %d days", day(first.NotAfter), days)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
